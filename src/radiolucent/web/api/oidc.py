"""``/session/oidc``: to the provider and back."""

from __future__ import annotations

import json
from dataclasses import asdict

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from radiolucent.access.oidc import Begun, other_sign_in
from radiolucent.errors import InputRefused, RadiolucentError
from radiolucent.pipeline.federated import Federated
from radiolucent.web.api.answers import described
from radiolucent.web.api.gate import peer_of, set_session

FEWEST_CHARACTERS = 40
COOKIE, PATH, LIFE_S = "radiolucent_oidc", "/api/session/oidc", 600
"""What the browser that begins a sign-in keeps until it is back. Lax, because it comes back from another site."""


def router(federated: Federated | None) -> APIRouter:
    """Both ways; they answer 404 where no provider is configured."""
    made = described()

    @made.get("/session/oidc", response_class=RedirectResponse, status_code=302)
    def begin(request: Request) -> Response:
        """To the provider."""
        address, begun = _configured(federated).begin()
        answer = RedirectResponse(address, 302)
        answer.set_cookie(
            COOKIE,
            json.dumps(asdict(begun)).encode().hex(),
            max_age=LIFE_S,
            path=PATH,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return answer

    @made.get("/session/oidc/callback", response_class=RedirectResponse, status_code=302)
    def finish(request: Request) -> Response:
        """Back from the provider: to the page, signed in, or with the code of what went wrong."""
        way = _configured(federated)
        try:
            begun = _begun(request.cookies.get(COOKIE, ""))
            shown, _ = way.finish(begun, dict(request.query_params), peer=peer_of(request.scope))
        except RadiolucentError as error:
            answer = RedirectResponse(f"/#/refused/{error.code}", 302)
        else:
            answer = RedirectResponse("/", 302)
            set_session(answer, shown, is_secure=request.url.scheme == "https")
        answer.delete_cookie(COOKIE, path=PATH)
        return answer

    return made


def _configured(federated: Federated | None) -> Federated:
    if federated is None:
        raise InputRefused(
            "oidc_off",
            found="no provider to sign in by",
            expected="[oidc] in the settings",
            action="Sign in by name and password.",
        )
    return federated


def _begun(kept: str) -> Begun:
    try:
        found = json.loads(bytes.fromhex(kept))
        begun = Begun(state=str(found["state"]), nonce=str(found["nonce"]), verifier=str(found["verifier"]))
    except (ValueError, KeyError, TypeError):
        raise other_sign_in() from None
    if min(map(len, (begun.state, begun.nonce, begun.verifier))) < FEWEST_CHARACTERS:
        raise other_sign_in()
    return begun
