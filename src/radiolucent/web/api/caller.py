"""Who calls, as the gate in front of the API has found it out."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from radiolucent.records.person import Sight

SCOPE = "radiolucent_caller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A signed-in person or machine.

    Parameters
    ----------
    sight
        Whose studies may be seen.
    """

    name: str
    display: str
    sight: Sight
    permissions: frozenset[str]
    peer: str = ""


def caller_of(request: Request) -> Caller:
    """The caller of a request behind the gate; without a gate there is none, and nothing is served."""
    found: Caller = request.scope[SCOPE]
    return found
