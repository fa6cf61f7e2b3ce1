"""Bodies of requests, checked at the door."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from radiolucent.records.decision import Draft, DrawnRegion, FindingDecision, ReviewState, Statement
from radiolucent.records.result import Confidence
from radiolucent.records.study import Assessment

Name = Annotated[str, Field(max_length=128)]
Words = Annotated[str, Field(max_length=2000)]
Password = Annotated[str, Field(max_length=1024)]
Names = Annotated[list[Name], Field(max_length=100)]
Coordinate = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


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


class ReasonBody(Body):
    """Why."""

    reason: Literal["quality", "patient_safety"]


class RegionBody(Body):
    """A drawn region, ``(row, column)`` in source pixels."""

    image_key: Annotated[int, Field(ge=0, le=1_000_000)]
    kind: Literal["box", "polygon"]
    points: Annotated[list[tuple[Coordinate, Coordinate]], Field(min_length=2, max_length=400)]

    def record(self) -> DrawnRegion:
        """As the rooms know it."""
        return DrawnRegion(image_key=self.image_key, kind=self.kind, points=tuple(self.points))


class StatementBody(Body):
    """A finding in a person's words."""

    key: Name | None
    display: Annotated[str, Field(min_length=1, max_length=200)]
    confidence: Confidence | None = None
    comment: Words = ""
    regions: Annotated[list[RegionBody], Field(max_length=50)] = []

    def record(self) -> Statement:
        """As the rooms know it."""
        return Statement(
            key=self.key,
            display=self.display,
            confidence=self.confidence,
            comment=self.comment,
            regions=tuple(each.record() for each in self.regions),
        )


class FindingBody(Body):
    """What is decided of one finding."""

    engine: Name
    key: Name
    assessment: Assessment
    reason_code: Name | None = None
    comment: Words = ""
    changed: StatementBody | None = None

    def record(self) -> FindingDecision:
        """As the rooms know it."""
        return FindingDecision(
            engine=self.engine,
            key=self.key,
            assessment=self.assessment,
            reason_code=self.reason_code,
            comment=self.comment,
            changed=None if self.changed is None else self.changed.record(),
        )


class DecisionBody(Body):
    """A decision to be signed."""

    idempotency_key: UUID
    report_id: Name
    supersedes: Name | None = None
    is_final: bool
    comment: Words = ""
    findings: Annotated[list[FindingBody], Field(max_length=500)]
    added: Annotated[list[StatementBody], Field(max_length=50)] = []

    def record(self) -> Draft:
        """As the rooms know it."""
        return Draft(
            idempotency_key=str(self.idempotency_key),
            report_id=self.report_id,
            supersedes=self.supersedes,
            is_final=self.is_final,
            comment=self.comment,
            findings=tuple(each.record() for each in self.findings),
            added=tuple(each.record() for each in self.added),
        )
