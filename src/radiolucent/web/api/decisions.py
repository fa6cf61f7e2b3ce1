"""Decisions: sign one, see all of a study; take a result back, have a study read again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from radiolucent.web.api.answers import PROBLEMS, described
from radiolucent.web.api.caller import Caller, caller_of
from radiolucent.web.api.models import DecisionBody, ReasonBody
from radiolucent.web.api.ports import Deciding, Json
from radiolucent.web.api.study_answers import Decision, Destinations

Calling = Annotated[Caller, Depends(caller_of)]
STUDY = "/studies/{study_key}"
AGAIN = {**PROBLEMS, 200: {"model": Decision, "description": "The same request again: nothing was written."}}


def router(desk: Deciding) -> APIRouter:
    """``/studies/{study_key}/decision``, ``/decisions``, ``/retract`` and ``/rerun``."""
    made = described()

    @made.post(STUDY + "/decision", status_code=201, response_model=Decision, responses=AGAIN)
    def decide(caller: Calling, study_key: str, body: DecisionBody, answer: Response) -> Json:
        """Sign; the same idempotency key again gives the same answer and writes nothing."""
        decision, is_new = desk.decide(caller, study_key, body.record())
        answer.status_code = 201 if is_new else 200
        return desk.told(caller, decision)

    @made.get(STUDY + "/decisions", response_model=list[Decision])
    def decisions(caller: Calling, study_key: str) -> Sequence[Json]:
        """All decisions on a study, newest first."""
        return desk.decisions(caller, study_key)

    @made.post(STUDY + "/retract", response_model=Destinations)
    def retract(caller: Calling, study_key: str, body: ReasonBody) -> Json:
        """Take the result back wherever it was sent."""
        return {"destinations": desk.retract(caller, study_key, body.reason)}

    @made.post(STUDY + "/rerun", status_code=204)
    def rerun(caller: Calling, study_key: str) -> None:
        """Have the study read again."""
        desk.rerun(caller, study_key)

    return made
