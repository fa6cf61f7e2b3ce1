"""Who may call what is not the page's API: machines by their tokens, people by their session, health by anybody."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import monotonic

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from radiolucent.access.permissions import SCOPES, permissions_of
from radiolucent.errors import SettingsError
from radiolucent.records.person import EVERYTHING
from radiolucent.web.api.caller import Caller
from radiolucent.web.api.endpoints import door_need
from radiolucent.web.api.gate import SAFE, caller_from, peer_of, session_of
from radiolucent.web.api.ports import Access
from radiolucent.web.dicomweb.answers import SIGHT

API, STATUS = "/api/", "/api/status"
FEWEST_CHARACTERS = 24
REFUSED = {
    401: ("A token is needed: Authorization: Bearer TOKEN\n", {"WWW-Authenticate": "Bearer"}),
    403: ("This token or role may not do this.\n", {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}),
}

REASONS = {401: "token_missing", 403: "token_may_not"}


class Sparing:
    """Whether something is due again: once a minute of each at most, and of a bounded number, so that nobody floods."""

    EACH_S, MOST = 60.0, 1000

    def __init__(self) -> None:
        self._last: dict[object, float] = {}

    def is_due(self, what: object) -> bool:
        """Now is the first time within a minute."""
        now = monotonic()
        if now - self._last.get(what, -self.EACH_S) < self.EACH_S:
            return False
        if len(self._last) >= self.MOST:
            self._last = {key: at for key, at in self._last.items() if now - at < self.EACH_S}
        if len(self._last) >= self.MOST:
            return False
        self._last[what] = now
        return True


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


class DoorGate:
    """Lets through whoever may do what they ask for; the API of the page has a gate of its own.

    Parameters
    ----------
    tokens
        Names by token: machines that may do all that machines may.
    lets_anonymous
        Whether whoever says nothing of themselves may call as a machine, as long as nobody is known: where there is a
        token or somebody can sign in, nobody is anonymous.
    turned_away
        Puts on record that somebody was: code, name, network address. Called once a minute of each, whatever they ask.
    """

    def __init__(
        self,
        app: ASGIApp,
        tokens: Mapping[str, str] | None,
        access: Access | None,
        *,
        lets_anonymous: bool,
        turned_away: Callable[[str, str, str], None],
    ) -> None:
        self._app, self._tokens, self._access = app, tokens or {}, access
        self._turned_away, self._told = turned_away, Sparing()
        self._lets_anonymous = lets_anonymous and not self._tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and not self._is_elsewheres(scope["path"]):
            need = door_need(scope["method"], scope["path"])
            caller = None if need == "open" else await run_in_threadpool(self._caller, scope)
            status = 401
            if need == "open":
                status = 200
            elif caller is not None:
                scope["radiolucent_user"], scope[SIGHT] = caller.name, caller.sight
                status = 200 if need is None or need in caller.permissions else 403
            if status != 200:
                about = (REASONS[status], "" if caller is None else caller.name, peer_of(scope))
                if self._told.is_due(about):
                    await run_in_threadpool(self._turned_away, *about)
                words, headers = REFUSED[status]
                await PlainTextResponse(words, status, headers)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    @staticmethod
    def _is_elsewheres(path: str) -> bool:
        return path.startswith(API) and path != STATUS

    def _caller(self, scope: Scope) -> Caller | None:
        found = self._machine(scope) or self._person(scope)
        if found is None and self._lets_anonymous and not self._is_anybody_known():
            return _machine("anonymous", SCOPES, scope)
        return found

    def _is_anybody_known(self) -> bool:
        """Once somebody is, nobody is anonymous until the next start."""
        access = self._access
        if access is None or not (access.oidc or access.people.has_users() or access.machines.is_any()):
            return False
        self._lets_anonymous = False
        return True

    def _machine(self, scope: Scope) -> Caller | None:
        kind, _, shown = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")
        if kind.lower() != b"bearer":
            return None
        shown = shown.strip()
        for known, name in self._tokens.items():
            if hmac.compare_digest(known.encode(), shown):
                return _machine(name, permissions_of(["service"]), scope)
        token = None if self._access is None else self._access.machines.known(shown.decode("latin-1"))
        return None if token is None else _machine(token.name, token.scopes, scope)

    def _person(self, scope: Scope) -> Caller | None:
        """Who is signed in to the page; such a one may only read here."""
        if self._access is None or scope["method"] not in SAFE:
            return None
        found = session_of(scope, self._access.people.session)
        return None if found is None else caller_from(found, scope)


def _machine(name: str, scopes: Iterable[str], scope: Scope) -> Caller:
    return Caller(
        name=name,
        display=name,
        sight=EVERYTHING,
        permissions=frozenset(scopes),
        peer=peer_of(scope),
    )
