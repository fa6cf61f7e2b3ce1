"""``/me``: one's own password and second factor."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import JSONResponse, Response

from radiolucent.pipeline.people import People
from radiolucent.pipeline.second_factor import SecondFactor
from radiolucent.web.api.caller import Caller, caller_of
from radiolucent.web.api.models import Body, Password

Calling = Annotated[Caller, Depends(caller_of)]


class PasswordBody(Body):
    """The old password and the new one."""

    old: Password
    new: Password


class CodeBody(Body):
    """What an authenticator app shows."""

    code: Annotated[str, Field(max_length=16)]


def router(people: People, factor: SecondFactor) -> APIRouter:
    """What everybody may do to their own account."""
    made = APIRouter()

    @made.post("/me/password")
    def password(caller: Calling, body: PasswordBody) -> Response:
        """Set another password; every session of the account ends."""
        people.change_password(caller.name, old=body.old, new=body.new, peer=caller.peer)
        return Response(status_code=204)

    @made.post("/me/totp")
    def begin(caller: Calling) -> Response:
        """A secret for an authenticator app; the second factor is off until a code confirms it."""
        secret, uri = factor.begin(caller.name)
        return JSONResponse({"secret": secret, "uri": uri})

    @made.put("/me/totp")
    def confirm(caller: Calling, body: CodeBody) -> Response:
        """Turn the second factor on."""
        factor.confirm(caller.name, body.code, peer=caller.peer)
        return Response(status_code=204)

    @made.delete("/me/totp")
    def remove(caller: Calling, body: CodeBody) -> Response:
        """Turn the second factor off."""
        factor.remove(caller.name, body.code, peer=caller.peer)
        return Response(status_code=204)

    return made
