"""Sign-in by an OpenID provider: authorization code with PKCE (RFC 7636), state and nonce."""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from radiolucent.access import limits
from radiolucent.access.id_token import UnknownKey, claims_of
from radiolucent.errors import InputRefused, PeerUnavailable
from radiolucent.settings.kinds import is_safe_address

WELL_KNOWN = "/.well-known/openid-configuration"
KEPT_S = 3600.0
"""How long what the provider says of itself is taken for true; its keys are asked for anew when one is unknown."""
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who we are to the provider; ``tls`` is how its certificate is checked, by default as the system does."""

    issuer: str
    client_id: str
    secret: str | None
    redirect_uri: str
    scopes: tuple[str, ...]
    timeout_s: float = 10.0
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sign-in that has begun: what only the browser that began it holds, and sends back."""

    state: str
    nonce: str
    verifier: str


class Provider:
    """An OpenID provider. Called from several threads."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._http = httpx.Client(timeout=client.timeout_s, verify=client.tls if client.tls is not None else True)
        self._about: tuple[float, Json, Json] | None = None

    def begin(self, *, now: float) -> tuple[str, Begun]:
        """Where the browser goes, and what it keeps meanwhile.

        Raises
        ------
        PeerUnavailable
            ``oidc_unavailable``.
        """
        about, _ = self._known(now)
        begun = Begun(state=limits.secret(), nonce=limits.secret(), verifier=limits.secret())
        address = prepare_grant_uri(
            about["authorization_endpoint"],
            client_id=self._client.client_id,
            response_type="code",
            redirect_uri=self._client.redirect_uri,
            scope=" ".join(self._client.scopes),
            state=begun.state,
            nonce=begun.nonce,
            code_challenge=create_s256_code_challenge(begun.verifier),
            code_challenge_method="S256",
        )
        return str(address), begun

    def finish(self, begun: Begun, answer: Mapping[str, str], *, now: float) -> Json:
        """What the provider vouches for, once the browser is back with its ``answer``.

        Raises
        ------
        InputRefused
            ``oidc_state`` where it is not the answer to this sign-in; ``oidc_refused``; ``oidc_token``.
        PeerUnavailable
            ``oidc_unavailable``.
        """
        given = answer.get("state", "")
        issuer = answer.get("iss", self._client.issuer)  # RFC 9207
        if not hmac.compare_digest(given.encode(), begun.state.encode()) or issuer != self._client.issuer:
            raise other_sign_in()
        if "error" in answer or not answer.get("code"):
            raise _refused()
        about, keys = self._known(now)
        tokens = self._tokens(about, answer["code"], begun.verifier)
        try:
            claims = self._claims(tokens, keys, begun, now)
        except UnknownKey:
            self._about = None
            try:
                claims = self._claims(tokens, self._known(now)[1], begun, now)
            except UnknownKey:
                raise _refused() from None
        return self._told_elsewhere(about, tokens, claims) | claims

    def _claims(self, tokens: Json, keys: Json, begun: Begun, now: float) -> Json:
        return claims_of(
            str(tokens.get("id_token", "")),
            keys,
            issuer=self._client.issuer,
            client_id=self._client.client_id,
            nonce=begun.nonce,
            access_token=str(tokens.get("access_token", "")),
            now=now,
        )

    def _tokens(self, about: Json, code: str, verifier: str) -> Json:
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": self._client.redirect_uri,
            "client_id": self._client.client_id,
        }
        auth = None
        if self._client.secret is not None:
            ways = about.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            if "client_secret_basic" in ways:  # RFC 6749 2.3.1: encoded as in a form
                auth = httpx.BasicAuth(quote(self._client.client_id, safe=""), quote(self._client.secret, safe=""))
            else:
                body["client_secret"] = self._client.secret
        answer = self._ask("POST", about["token_endpoint"], data=body, auth=auth)
        if answer.status_code in (400, 401):  # a code that was used, is too old, or not for us
            raise _refused()
        return _json(answer)

    def _told_elsewhere(self, about: Json, tokens: Json, claims: Json) -> Json:
        """What the provider tells of the same person beside the token (OpenID Connect Core 5.3)."""
        place = about.get("userinfo_endpoint")
        if not place or "access_token" not in tokens:
            return {}
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        found = _json(self._ask("GET", str(place), headers=bearer))
        return found if found.get("sub") == claims["sub"] else {}

    def _known(self, now: float) -> tuple[Json, Json]:
        """What the provider says of itself, and its keys."""
        if self._about is None or not 0 <= now - self._about[0] < KEPT_S:
            about = _json(self._ask("GET", self._client.issuer.rstrip("/") + WELL_KNOWN))
            if about.get("issuer") != self._client.issuer or not all(
                is_safe_address(about.get(name)) for name in ENDPOINTS
            ):
                raise _unavailable()
            self._about = (now, about, _json(self._ask("GET", about["jwks_uri"])))
        return self._about[1], self._about[2]

    def _ask(self, method: str, place: str, **more: Any) -> httpx.Response:
        try:
            return self._http.request(method, place, **more)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unavailable() from error


def other_sign_in() -> InputRefused:
    """An answer that belongs to no sign-in of this browser."""
    return InputRefused(
        "oidc_state",
        found="an answer that belongs to no sign-in of this browser",
        expected="the answer to the sign-in that was begun here, within ten minutes",
        action="Sign in again.",
    )


def _json(answer: httpx.Response) -> Json:
    try:
        found = answer.json() if answer.status_code == 200 else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _unavailable()
    return found


def _refused() -> InputRefused:
    return InputRefused(
        "oidc_refused",
        found="a provider that does not let this person in",
        expected="a sign-in there that succeeds",
        action="Sign in again; if it stays, ask whoever runs the provider.",
    )


def _unavailable() -> PeerUnavailable:
    return PeerUnavailable(
        "oidc_unavailable",
        found="an OpenID provider that does not answer, or not as it should",
        expected="its configuration, keys and tokens over TLS",
        action="Check oidc.issuer and the way to the provider; try again.",
    )
