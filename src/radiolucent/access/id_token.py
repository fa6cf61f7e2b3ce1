"""ID tokens (OpenID Connect Core 1.0, 3.1.3.7): who vouches for whom, to us, now, in answer to our own question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from radiolucent.errors import InputRefused

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures by a key pair alone: with a shared secret, or without a signature, anybody could be the provider."""
LEEWAY_S = 60


class UnknownKey(Exception):
    """The token names a key that is not among those known: the provider may have new ones."""


def claims_of(
    id_token: str,
    keys: Mapping[str, Any],
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str,
    now: float,
) -> dict[str, Any]:
    """What a token says, once everything about it was checked.

    Parameters
    ----------
    keys
        The provider's JSON Web Key Set.

    Raises
    ------
    UnknownKey
    InputRefused
        ``oidc_token``.
    """
    options = {
        "iss": {"essential": True, "value": issuer},
        "aud": {"essential": True, "value": client_id},
        "sub": {"essential": True},
    }
    told = {"nonce": nonce, "client_id": client_id, "access_token": access_token}
    try:
        registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
        token = jwt.decode(id_token, KeySet.import_key_set(dict(keys)), registry=registry)  # type: ignore[arg-type]
        claims = CodeIDToken(token.claims, token.header, options, told)
        claims.validate(now=int(now), leeway=LEEWAY_S)
    except InvalidKeyIdError as error:
        raise UnknownKey from error
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise InputRefused(
            "oidc_token",
            found="an answer of the provider that does not prove who signs in",
            expected="an ID token of the configured issuer, for this client, in answer to this sign-in",
            action="Sign in again; if it stays, check [oidc] and the clocks of both machines.",
        ) from error
    return dict(claims)
