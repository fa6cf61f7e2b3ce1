"""``/me``: one's own password and second factor."""

from __future__ import annotations

from typing import Annotated

import segno
from fastapi import APIRouter, Depends
from pydantic import Field

from radiolucent.pipeline.people import People
from radiolucent.pipeline.second_factor import SecondFactor
from radiolucent.web.api.answers import Secret, described
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
    made = described()

    @made.post("/me/password", status_code=204)
    def password(caller: Calling, body: PasswordBody) -> None:
        """Set another password; every session of the account ends."""
        people.change_password(caller.name, old=body.old, new=body.new, peer=caller.peer)

    @made.post("/me/totp", response_model=Secret)
    def begin(caller: Calling) -> Secret:
        """A secret for an authenticator app; the second factor is off until a code confirms it."""
        secret, uri = factor.begin(caller.name)
        return Secret(secret=secret, uri=uri, picture=segno.make(uri, micro=False).svg_data_uri(scale=4, light="white"))

    @made.put("/me/totp", status_code=204)
    def confirm(caller: Calling, body: CodeBody) -> None:
        """Turn the second factor on."""
        factor.confirm(caller.name, body.code, peer=caller.peer)

    @made.delete("/me/totp", status_code=204)
    def remove(caller: Calling, body: CodeBody) -> None:
        """Turn the second factor off."""
        factor.remove(caller.name, body.code, peer=caller.peer)

    return made
