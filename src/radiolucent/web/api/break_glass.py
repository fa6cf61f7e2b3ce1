"""``/studies/.../break-glass``: a study of another site, in an emergency."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from radiolucent.pipeline.break_glass import BreakGlass
from radiolucent.web.api.answers import OpenedUntil, described
from radiolucent.web.api.caller import Caller, caller_of
from radiolucent.web.api.models import Body
from radiolucent.web.api.ports import Json

Calling = Annotated[Caller, Depends(caller_of)]


class BreakGlassBody(Body):
    """Why a study must be seen that is out of the caller's sight."""

    reason: Annotated[str, Field(max_length=500)]


def router(glass: BreakGlass) -> APIRouter:
    """The one endpoint."""
    made = described()

    @made.post("/studies/{study_key}/break-glass", response_model=OpenedUntil)
    def break_glass(caller: Calling, study_key: str, body: BreakGlassBody) -> Json:
        """Open one study to the caller for an hour."""
        until = glass.open(caller.name, study_key, reason=body.reason, peer=caller.peer)
        return {"study_key": study_key, "until": until.isoformat()}

    return made
