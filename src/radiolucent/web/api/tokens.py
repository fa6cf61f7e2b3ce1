"""``/tokens``: what machines call by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from radiolucent.pipeline.machines import Machines
from radiolucent.records import token as records
from radiolucent.web.api.answers import NewToken, Token, described
from radiolucent.web.api.caller import Caller, caller_of
from radiolucent.web.api.models import Body, Name

Calling = Annotated[Caller, Depends(caller_of)]


class TokenBody(Body):
    """A new token and what it may do."""

    name: Name
    scopes: Annotated[list[Name], Field(max_length=20)]


def router(machines: Machines) -> APIRouter:
    """List, make, withdraw."""
    made = described()

    @made.get("/tokens")
    def everybody() -> list[Token]:
        """Every token; none of them can be shown again."""
        return [_token(each) for each in machines.everybody()]

    @made.post("/tokens", status_code=201)
    def make(caller: Calling, body: TokenBody) -> NewToken:
        """A new token, shown this once."""
        return NewToken(token=machines.make(body.name, body.scopes, by=caller.name))

    @made.delete("/tokens/{token_id}", status_code=204)
    def withdraw(caller: Calling, token_id: str) -> None:
        """End a token."""
        machines.withdraw(token_id, by=caller.name)

    return made


def _token(token: records.Token) -> Token:
    return Token(
        id=token.name,
        name=token.name,
        scopes=[*token.scopes],
        made_by=token.made_by,
        created_at=_iso(token.made_at),
        last_used_at=None if token.used_at is None else _iso(token.used_at),
    )


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
