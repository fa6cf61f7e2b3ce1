"""In front of every endpoint: who calls, may they, and does the request come from our own page."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Protocol

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from radiolucent.access.permissions import permissions_of
from radiolucent.errors import InvariantBroken
from radiolucent.records.person import SignedIn
from radiolucent.web.api.caller import SCOPE, Caller
from radiolucent.web.api.endpoints import ENDPOINTS

COOKIE = "radiolucent_session"
SESSION = "radiolucent_signed_in"
SAFE = frozenset({"GET", "HEAD"})
MOST_BODY_BYTES = 2**20
HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
UNATTENDED = frozenset({"/events"})
"""What the page asks by itself, or says (``X-Unattended``) that nobody is there: it does not keep a session alive."""


class Sessions(Protocol):
    """Finds the session of a secret, where it holds."""

    def __call__(self, shown: str, *, in_use: bool = True) -> SignedIn | None:
        """``in_use``: a person did something."""


def check(app: FastAPI) -> None:
    """Every route stands in the table, and every row of the table has its route.

    Raises
    ------
    InvariantBroken
        ``endpoint_without_permission``.
    """
    served = {(method, r.path) for r in app.routes if isinstance(r, APIRoute) for method in r.methods or ()}
    if served != set(ENDPOINTS):
        raise InvariantBroken(
            "endpoint_without_permission",
            found=f"endpoints and table that differ in {sorted(served ^ set(ENDPOINTS))}",
            expected="each endpoint in the table of permissions, and no other",
            action="Report this as a defect of Radiolucent.",
        )


def shown_by(scope: Scope) -> str | None:
    """The secret in the session cookie of a request."""
    raw = dict(scope["headers"]).get(b"cookie", b"").decode("latin-1")
    try:
        found = SimpleCookie(raw).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


def peer_of(scope: Scope) -> str:
    """Network address of the caller."""
    return str((scope.get("client") or ("",))[0])


def set_session(answer: Response, shown: str, *, is_secure: bool) -> None:
    """Give the browser the secret of its session."""
    answer.set_cookie(COOKIE, shown, path="/", httponly=True, samesite="strict", secure=is_secure)


def session_of(scope: Scope, sessions: Sessions, *, in_use: bool = True) -> SignedIn | None:
    """The session of a request, where it holds; ``in_use``: a person asks, if the page says nothing else."""
    shown = shown_by(scope)
    if shown is None:
        return None
    return sessions(shown, in_use=in_use and b"x-unattended" not in dict(scope["headers"]))


class Gate:
    """Lets a request through to the endpoint that it is for, or says why not. Denies what it does not know."""

    def __init__(self, app: ASGIApp, routes: FastAPI, sessions: Sessions) -> None:
        self._app, self._routes, self._sessions = app, routes, sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(each for each in HEADERS if each[0] not in own)]
            await send(message)

        refusal = await self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, guarded)
            return
        await self._app(scope, _bounded(receive), guarded)

    async def _refusal(self, scope: Scope) -> JSONResponse | None:
        template = self._template(scope)
        need = ENDPOINTS.get((scope["method"], template))
        if need is None:
            return _problem(404, "no_such_endpoint", "a path or method that is not served", "one of the API's own")
        if _too_large(scope):
            return _problem(413, "body_too_large", "a larger body", f"at most {MOST_BODY_BYTES} bytes")
        if scope["method"] not in SAFE and not _is_ours(scope):
            return _problem(403, "foreign_origin", "a request from another site", "one from our own page")
        if need == "open":
            return None
        signed_in = await run_in_threadpool(session_of, scope, self._sessions, in_use=template not in UNATTENDED)
        if signed_in is None:
            return _problem(401, "not_signed_in", "no session, or one that has ended", "a session", "Sign in.")
        token = dict(scope["headers"]).get(b"x-csrf-token", b"")
        if scope["method"] not in SAFE and not hmac.compare_digest(token, signed_in.csrf.encode()):
            return _problem(403, "csrf_token_wrong", "a request without the page's token", "X-CSRF-Token")
        caller = caller_from(signed_in, scope)
        if need != "signed_in" and need not in caller.permissions:
            if signed_in.must_enrol_totp:
                return _problem(403, "totp_required", "a role that needs a second factor", "one", "Set one up first.")
            return _problem(403, "not_allowed", "a role that may not do this", f"the permission {need}")
        scope[SCOPE], scope[SESSION] = caller, signed_in
        return None

    def _template(self, scope: Scope) -> str:
        for route in self._routes.routes:
            if isinstance(route, APIRoute) and route.matches(scope)[0] == Match.FULL:
                return route.path
        return ""


def permissions_now(signed_in: SignedIn) -> frozenset[str]:
    """What the roles of a session allow; nothing as long as a second factor is wanting."""
    if signed_in.must_enrol_totp:
        return frozenset()
    return frozenset(permissions_of(signed_in.person.roles))  # type: ignore[arg-type]  # the store holds known roles


def caller_from(signed_in: SignedIn, scope: Scope) -> Caller:
    """Who calls, and what their roles allow."""
    person = signed_in.person
    return Caller(
        name=person.name,
        display=person.display,
        sight=signed_in.sight,
        permissions=permissions_now(signed_in),
        peer=peer_of(scope),
    )


def _too_large(scope: Scope) -> bool:
    said = dict(scope["headers"]).get(b"content-length", b"0")
    return not said.isdigit() or int(said) > MOST_BODY_BYTES


def _bounded(receive: Receive) -> Receive:
    """A body that grows beyond what was announced ends here."""
    got = 0

    async def bounded() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        return {"type": "http.disconnect"} if got > MOST_BODY_BYTES else message

    return bounded


def _is_ours(scope: Scope) -> bool:
    """Whether a browser says that the request comes from our own page; what is no browser says nothing."""
    said: Mapping[bytes, bytes] = dict(scope["headers"])
    if said.get(b"sec-fetch-site", b"same-origin") not in (b"same-origin", b"none"):
        return False
    origin = said.get(b"origin")
    return origin is None or origin.split(b"//")[-1] == said.get(b"host")


def _problem(status: int, code: str, found: str, expected: str, action: str = "Mend the request.") -> JSONResponse:
    return JSONResponse({"code": code, "found": found, "expected": expected, "action": action}, status)
