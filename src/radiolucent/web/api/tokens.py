"""``/tokens``: what machines call by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import JSONResponse, Response

from radiolucent.pipeline.machines import Machines
from radiolucent.records.token import Token
from radiolucent.web.api.caller import Caller, caller_of
from radiolucent.web.api.models import Body, Name

Calling = Annotated[Caller, Depends(caller_of)]


class TokenBody(Body):
    """A new token and what it may do."""

    name: Name
    scopes: Annotated[list[Name], Field(max_length=20)]


def router(machines: Machines) -> APIRouter:
    """List, make, withdraw."""
    made = APIRouter()

    @made.get("/tokens")
    def everybody() -> Response:
        """Every token; none of them can be shown again."""
        return JSONResponse([_token(each) for each in machines.everybody()])

    @made.post("/tokens")
    def make(caller: Calling, body: TokenBody) -> Response:
        """A new token, shown this once."""
        return JSONResponse({"token": machines.make(body.name, body.scopes, by=caller.name)}, 201)

    @made.delete("/tokens/{token_id}")
    def withdraw(caller: Calling, token_id: str) -> Response:
        """End a token."""
        machines.withdraw(token_id, by=caller.name)
        return Response(status_code=204)

    return made


def _token(token: Token) -> dict[str, Any]:
    return {
        "id": token.name,
        "name": token.name,
        "scopes": [*token.scopes],
        "made_by": token.made_by,
        "created_at": _iso(token.made_at),
        "last_used_at": None if token.used_at is None else _iso(token.used_at),
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
