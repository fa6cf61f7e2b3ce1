"""One study: its view, its maps, a first opinion, a lease."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse, Response

from radiolucent.records.decision import Lease
from radiolucent.web.api.caller import Caller, caller_of
from radiolucent.web.api.models import LeaseBody, OpinionBody
from radiolucent.web.api.ports import Desk, Json

Calling = Annotated[Caller, Depends(caller_of)]
STUDY = "/studies/{study_key}"


def router(desk: Desk) -> APIRouter:
    """``/studies/...`` but for decisions."""
    made = APIRouter()

    @made.get(STUDY)
    def study(caller: Calling, study_key: str) -> Response:
        """Everything that the reading view shows."""
        return JSONResponse(desk.study(caller, study_key))

    @made.get(STUDY + "/images/{image_key}/maps/{engine}/{finding}")
    def evidence_map(caller: Calling, study_key: str, image_key: int, engine: str, finding: str) -> Response:
        """A map as bytes, row by row: 0 is nothing, 1 to 255 from the colour threshold to the top of the scale."""
        grid = desk.map(caller, study_key, image_key, engine, finding)
        sizes = {"X-Rows": str(grid.shape[0]), "X-Columns": str(grid.shape[1])}
        return Response(grid.tobytes(), media_type="application/octet-stream", headers=sizes)

    @made.post(STUDY + "/opinion")
    def opinion(caller: Calling, study_key: str, body: OpinionBody) -> Response:
        """Say what you see first; the result is shown from then on."""
        desk.opinion(caller, study_key, tuple(body.findings), is_nothing=body.nothing, comment=body.comment)
        return JSONResponse(desk.study(caller, study_key))

    @made.post(STUDY + "/lease")
    def take(caller: Calling, study_key: str, body: LeaseBody) -> Response:
        """Take, renew or (with a reason) take over a study."""
        return JSONResponse(_lease(desk.lease(caller, study_key, break_reason=body.break_reason), caller))

    @made.delete(STUDY + "/lease")
    def give_back(caller: Calling, study_key: str) -> Response:
        """End the own lease."""
        desk.give_back(caller, study_key)
        return Response(status_code=204)

    return made


def _lease(lease: Lease, caller: Caller) -> Json:
    return {
        "holder": lease.holder.display,
        "since": lease.since.isoformat(),
        "until": lease.until.isoformat(),
        "is_mine": lease.holder.name == caller.name,
    }
