"""Bodies of requests, checked at the door."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from radiolucent.records.decision import ReviewState
from radiolucent.records.result import Confidence

Name = Annotated[str, Field(max_length=128)]
Words = Annotated[str, Field(max_length=2000)]
Names = Annotated[list[Name], Field(max_length=100)]


class Body(BaseModel):
    """A body without fields that are not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WorklistQuery(Body):
    """What of the worklist is wanted; what is left out holds for all."""

    states: list[ReviewState] = []
    engines: Names = []
    findings: Names = []
    confidences: list[Confidence] = []
    flags: Names = []
    since: datetime | None = None
    until: datetime | None = None
    text: Annotated[str, Field(max_length=200)] = ""
    limit: Annotated[int, Field(ge=1, le=500)] = 200


class OpinionBody(Body):
    """What a reader sees before the result is shown."""

    findings: Names = []
    nothing: bool = False
    comment: Words = ""


class LeaseBody(Body):
    """Why somebody else's lease is broken."""

    break_reason: Annotated[str, Field(max_length=500)] = ""
