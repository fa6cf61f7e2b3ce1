"""One study: its view, its maps, a first opinion, a lease."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from radiolucent.records.decision import Lease
from radiolucent.web.api.answers import described
from radiolucent.web.api.caller import Caller, caller_of
from radiolucent.web.api.models import LeaseBody, OpinionBody
from radiolucent.web.api.ports import Desk, Json
from radiolucent.web.api.study_answers import Lease as LeaseAnswer
from radiolucent.web.api.study_answers import StudyView

Calling = Annotated[Caller, Depends(caller_of)]
STUDY = "/studies/{study_key}"


class Bytes(Response):
    """Bytes as they are."""

    media_type = "application/octet-stream"


def router(desk: Desk) -> APIRouter:
    """``/studies/...`` but for decisions."""
    made = described()

    @made.get(STUDY, response_model=StudyView)
    def study(caller: Calling, study_key: str) -> Json:
        """Everything that the reading view shows."""
        return desk.study(caller, study_key)

    @made.get(STUDY + "/images/{image_key}/maps/{engine}/{finding}", response_class=Bytes)
    def evidence_map(caller: Calling, study_key: str, image_key: int, engine: str, finding: str) -> Response:
        """A map as bytes, row by row: 0 is nothing, 1 to 255 from the colour threshold to the top of the scale."""
        grid = desk.map(caller, study_key, image_key, engine, finding)
        sizes = {"X-Rows": str(grid.shape[0]), "X-Columns": str(grid.shape[1])}
        return Bytes(grid.tobytes(), headers=sizes)

    @made.post(STUDY + "/opinion", response_model=StudyView)
    def opinion(caller: Calling, study_key: str, body: OpinionBody) -> Json:
        """Say what you see first; the result is shown from then on."""
        desk.opinion(caller, study_key, tuple(body.findings), is_nothing=body.nothing, comment=body.comment)
        return desk.study(caller, study_key)

    @made.post(STUDY + "/lease", response_model=LeaseAnswer)
    def take(caller: Calling, study_key: str, body: LeaseBody) -> Json:
        """Take, renew or (with a reason) take over a study."""
        return _lease(desk.lease(caller, study_key, break_reason=body.break_reason), caller)

    @made.delete(STUDY + "/lease", status_code=204)
    def give_back(caller: Calling, study_key: str) -> None:
        """End the own lease."""
        desk.give_back(caller, study_key)

    return made


def _lease(lease: Lease, caller: Caller) -> Json:
    return {
        "holder": lease.holder.display,
        "since": lease.since.isoformat(),
        "until": lease.until.isoformat(),
        "is_mine": lease.holder.name == caller.name,
    }
