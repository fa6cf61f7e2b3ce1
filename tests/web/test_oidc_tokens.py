"""Providers that lie, fail or change their keys: no token gets anybody in that does not prove who signs in.

`tests/peers/test_oidc.py` goes the whole way through a real provider, which cannot be made to send these.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from web.dicomweb_archive import serving

from radiolucent.access.oidc import KEPT_S, Begun, Client, Provider
from radiolucent.errors import InputRefused, PeerUnavailable

RSA, OTHER = RSAKey.generate_key(2048, {"kid": "a"}), RSAKey.generate_key(2048, {"kid": "a"})
NEXT, EC = RSAKey.generate_key(2048, {"kid": "b"}), ECKey.generate_key("P-256", {"kid": "e"})
HERE = "https://radiolucent.example/api/session/oidc/callback"


@dataclass
class Liar:
    """A provider that says whatever it is told to."""

    url: str = ""
    keys: list[Any] = field(default_factory=lambda: [RSA])
    about: dict[str, Any] = field(default_factory=dict)
    token: str = ""
    status: int = 200
    userinfo: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def app(self, url: str) -> Starlette:
        self.url = url
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._about),
                Route("/jwks", self._jwks),
                Route("/token", self._token, methods=["POST"]),
                Route("/me", lambda _: JSONResponse(self.userinfo)),
            ]
        )

    def _about(self, _request: Request) -> Response:
        self.asked.append("about")
        said = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/auth",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "userinfo_endpoint": f"{self.url}/me",
        }
        return JSONResponse(said | self.about)

    def _jwks(self, _request: Request) -> Response:
        return JSONResponse({"keys": [key.as_dict(private=False) for key in self.keys]})

    def _token(self, _request: Request) -> Response:
        said = {"id_token": self.token, "access_token": "opaque", "token_type": "Bearer"}
        return JSONResponse(said, self.status)

    def says(self, begun: Begun, *, key: Any = RSA, alg: str = "RS256", **changed: Any) -> None:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": "u-1",
            "aud": "radiolucent",
            "iat": now,
            "exp": now + 60,
            "nonce": begun.nonce,
        }
        kept = {name: value for name, value in (claims | changed).items() if value is not None}
        self.token = jwt.encode({"alg": alg, "kid": key.kid}, kept, key, algorithms=[alg])


@pytest.fixture
def liar() -> Iterator[Liar]:
    made = Liar()
    with serving(made.app):
        yield made


def provider_of(liar: Liar) -> Provider:
    return Provider(
        Client(
            issuer=liar.url,
            client_id="radiolucent",
            secret="secret",
            redirect_uri=HERE,
            scopes=("openid",),
            timeout_s=2.0,
        )
    )


def answer(begun: Begun, **changed: str) -> dict[str, str]:
    return {"state": begun.state, "code": "c"} | changed


def code_of(provider: Provider, begun: Begun, **changed: str) -> str:
    with pytest.raises((InputRefused, PeerUnavailable)) as told:
        provider.finish(begun, answer(begun, **changed), now=time.time())
    return told.value.code


def test_a_good_token_says_who_it_is(liar: Liar) -> None:
    provider = provider_of(liar)
    address, begun = provider.begin(now=time.time())
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert address.startswith(f"{liar.url}/auth?")
    assert (asked["state"], asked["nonce"], asked["redirect_uri"]) == (begun.state, begun.nonce, HERE)
    assert begun.verifier not in address
    assert len({begun.state, begun.nonce, begun.verifier}) == 3
    liar.userinfo = {"sub": "u-1", "groups": ["rad"], "iss": "nonsense"}
    for key, alg in ((RSA, "RS256"), (RSA, "PS256"), (EC, "ES256")):
        liar.keys = [key]
        liar.says(begun, key=key, alg=alg)
        found = provider_of(liar).finish(begun, answer(begun), now=time.time())
        assert (found["sub"], found["groups"], found["iss"]) == ("u-1", ["rad"], liar.url)
    liar.userinfo = {"sub": "u-2", "groups": ["admins"]}
    assert "groups" not in provider_of(liar).finish(begun, answer(begun), now=time.time())


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"},
        {"aud": "another client"},
        {"aud": ["radiolucent", "another"]},  # without azp nobody knows for whom
        {"aud": ["radiolucent", "another"], "azp": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"iat": int(time.time()) + 3600},
        {"at_hash": "of another access token"},
    ],
    ids="+".join,  # by what is changed, not to what: every process must give a test the same name
)
def test_a_token_that_does_not_prove_it_is_refused(liar: Liar, changed: dict[str, Any]) -> None:
    provider = provider_of(liar)
    _, begun = provider.begin(now=time.time())
    liar.says(begun, **changed)
    assert code_of(provider, begun) == "oidc_token"


def test_a_token_by_the_wrong_key_or_by_none_is_refused(liar: Liar) -> None:
    provider = provider_of(liar)
    _, begun = provider.begin(now=time.time())
    liar.says(begun, key=OTHER)
    assert code_of(provider, begun) == "oidc_token"
    head, body, _ = liar.token.split(".")
    symmetric = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"a"}').rstrip(b"=") + b"." + body.encode()
    for secret in (RSA.as_pem(private=False), b"secret"):  # what everybody knows, and what the client knows
        signed = base64.urlsafe_b64encode(hmac.digest(secret, symmetric, "sha256")).rstrip(b"=")
        liar.token = (symmetric + b"." + signed).decode()
        assert code_of(provider, begun) == "oidc_token"
    none = "eyJhbGciOiJub25lIn0"
    for forged in (f"{none}.{body}.", f"{head}.{body}.", f"{head}.{body}", "", "a.b.c", "..", "nonsense"):
        liar.token = forged
        assert code_of(provider, begun) == "oidc_token", forged


def test_new_keys_of_the_provider_are_asked_for_once(liar: Liar) -> None:
    provider = provider_of(liar)
    _, begun = provider.begin(now=time.time())
    liar.keys = [RSA, NEXT]
    liar.says(begun, key=NEXT)
    assert provider.finish(begun, answer(begun), now=time.time())["sub"] == "u-1"
    assert liar.asked == ["about", "about"]
    liar.says(begun, key=RSAKey.generate_key(2048, {"kid": "nobody's"}))
    assert code_of(provider, begun) == "oidc_refused"
    assert len(liar.asked) == 3
    provider.begin(now=time.time() + KEPT_S)
    assert len(liar.asked) == 4


def test_answers_that_are_not_to_this_sign_in(liar: Liar) -> None:
    provider = provider_of(liar)
    _, begun = provider.begin(now=time.time())
    liar.says(begun)
    for changed, code in (
        ({"state": "another"}, "oidc_state"),
        ({"state": ""}, "oidc_state"),
        ({"state": "é"}, "oidc_state"),
        ({"iss": "https://evil.example"}, "oidc_state"),
        ({"error": "access_denied"}, "oidc_refused"),
        ({"code": ""}, "oidc_refused"),
    ):
        assert code_of(provider, begun, **changed) == code


@pytest.mark.parametrize(
    "about",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://far.example/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=str,
)
def test_a_provider_that_says_odd_things_of_itself_is_not_used(liar: Liar, about: dict[str, Any]) -> None:
    liar.about = about
    with pytest.raises(PeerUnavailable, match="oidc_unavailable"):
        provider_of(liar).begin(now=time.time())


def test_a_provider_that_fails_or_is_away(liar: Liar) -> None:
    provider = provider_of(liar)
    _, begun = provider.begin(now=time.time())
    liar.says(begun)
    for status, code in ((500, "oidc_unavailable"), (302, "oidc_unavailable"), (400, "oidc_refused")):
        liar.status = status
        assert code_of(provider, begun) == code
    away = Client(
        issuer="http://127.0.0.1:9", client_id="x", secret=None, redirect_uri=HERE, scopes=("openid",), timeout_s=1.0
    )
    with pytest.raises(PeerUnavailable, match="oidc_unavailable"):
        Provider(away).begin(now=time.time())
