"""Who may call the HTTP door: anybody on this machine where no tokens are set, else whoever shows one."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from pathlib import Path

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from radiolucent.errors import SettingsError

OPEN = frozenset({"/health/live", "/health/ready", "/"})
OPEN_BELOW = "/static/"
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
    return path in OPEN or path.startswith(OPEN_BELOW)


class TokenGate:
    """Lets through who shows a known token, and everybody to the health pages and to the page without its data."""

    def __init__(self, app: ASGIApp, tokens: Mapping[str, str]) -> None:
        self._app, self._tokens = app, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and not _is_open(scope["path"]):
            name = self._name(scope)
            if name is None:
                answer = PlainTextResponse(
                    "A token is needed: Authorization: Bearer TOKEN\n", 401, {"WWW-Authenticate": "Bearer"}
                )
                await answer(scope, receive, send)
                return
            scope["radiolucent_user"] = name
        await self._app(scope, receive, send)

    def _name(self, scope: Scope) -> str | None:
        shown = dict(scope["headers"]).get(b"authorization", b"")
        kind, _, token = shown.partition(b" ")
        if kind.lower() != b"bearer":
            return None
        found = [name for known, name in self._tokens.items() if hmac.compare_digest(known.encode(), token.strip())]
        return found[0] if found else None
