"""Who may call the HTTP door: anybody on this machine where no tokens are set, else whoever shows one."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from radiolucent.errors import SettingsError
from radiolucent.records.person import EVERYTHING, SignedIn
from radiolucent.web.api.caller import Caller
from radiolucent.web.api.gate import caller_from, shown_by
from radiolucent.web.dicomweb.answers import SIGHT

OPEN = frozenset({"/health/live", "/health/ready", "/"})
OPEN_BELOW = "/static/"
API, STATUS, WEB = "/api/", "/api/status", "/dicom-web/"
FEWEST_CHARACTERS = 24


def read_tokens(path: Path) -> dict[str, str]:
    """Names by token, out of a file with one ``NAME TOKEN`` a line.

    Raises
    ------
    SettingsError
        ``tokens_file``.
    """
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError):
        lines = [[""]]
    rows = [line for line in lines if line and not line[0].startswith("#")]
    if not rows or any(len(row) != 2 or len(row[1]) < FEWEST_CHARACTERS for row in rows):
        raise SettingsError(
            "tokens_file",
            found="a file of tokens that is missing, empty, or has a line of another form",
            expected=f"one NAME TOKEN a line, tokens of {FEWEST_CHARACTERS} characters or more",
            action="Write it anew, readable by this user alone; `openssl rand -hex 24` makes a token.",
        )
    return {token: name for name, token in rows}


def _is_open(path: str) -> bool:
    """Whether no token is needed; the API of the page has a gate of its own."""
    is_api = path.startswith(API) and path != STATUS
    return path in OPEN or path.startswith(OPEN_BELOW) or is_api


class TokenGate:
    """Lets through who shows a known token, and everybody to the health pages and to the page without its data.

    A person who is signed in to the page may read DICOMweb. Without tokens everybody may call, as on one machine.
    """

    def __init__(
        self,
        app: ASGIApp,
        tokens: Mapping[str, str] | None,
        sessions: Callable[[str], SignedIn | None] | None = None,
    ) -> None:
        self._app, self._tokens, self._sessions = app, tokens, sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and not _is_open(scope["path"]):
            person = await self._person(scope)
            name = self._name(scope) or (None if person is None else person.name)
            if name is None and self._tokens is not None:
                answer = PlainTextResponse(
                    "A token is needed: Authorization: Bearer TOKEN\n", 401, {"WWW-Authenticate": "Bearer"}
                )
                await answer(scope, receive, send)
                return
            if name is not None:
                scope["radiolucent_user"] = name
            scope[SIGHT] = EVERYTHING if person is None else person.sight
        await self._app(scope, receive, send)

    async def _person(self, scope: Scope) -> Caller | None:
        """Who is signed in and may see pixels, where those are asked for."""
        shown = shown_by(scope)
        if self._sessions is None or shown is None or scope["method"] != "GET" or not scope["path"].startswith(WEB):
            return None
        found = await run_in_threadpool(self._sessions, shown)
        caller = None if found is None else caller_from(found, scope)
        return None if caller is None or "pixels.read" not in caller.permissions else caller

    def _name(self, scope: Scope) -> str | None:
        shown = dict(scope["headers"]).get(b"authorization", b"")
        kind, _, token = shown.partition(b" ")
        if kind.lower() != b"bearer":
            return None
        found = [
            name for known, name in (self._tokens or {}).items() if hmac.compare_digest(known.encode(), token.strip())
        ]
        return found[0] if found else None
