"""Decisions: sign one, see all of a study; take a result back, have a study read again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse, Response

from radiolucent.web.api.caller import Caller, caller_of
from radiolucent.web.api.models import DecisionBody, ReasonBody
from radiolucent.web.api.ports import Deciding

Calling = Annotated[Caller, Depends(caller_of)]
STUDY = "/studies/{study_key}"


def router(desk: Deciding) -> APIRouter:
    """``/studies/{study_key}/decision``, ``/decisions``, ``/retract`` and ``/rerun``."""
    made = APIRouter()

    @made.post(STUDY + "/decision")
    def decide(caller: Calling, study_key: str, body: DecisionBody) -> Response:
        """Sign; the same idempotency key again gives the same answer and writes nothing."""
        decision, is_new = desk.decide(caller, study_key, body.record())
        return JSONResponse(desk.told(caller, decision), 201 if is_new else 200)

    @made.get(STUDY + "/decisions")
    def decisions(caller: Calling, study_key: str) -> Response:
        """All decisions on a study, newest first."""
        return JSONResponse(desk.decisions(caller, study_key))

    @made.post(STUDY + "/retract")
    def retract(caller: Calling, study_key: str, body: ReasonBody) -> Response:
        """Take the result back wherever it was sent."""
        return JSONResponse({"destinations": desk.retract(caller, study_key, body.reason)})

    @made.post(STUDY + "/rerun")
    def rerun(caller: Calling, study_key: str) -> Response:
        """Have the study read again."""
        desk.rerun(caller, study_key)
        return Response(status_code=204)

    return made
