"""Tokens of machines, by the SHA-256 of each."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from radiolucent.records.token import Token
from radiolucent.store.schema import tokens


def put(connection: Connection, token: Token, digest: str) -> None:
    """Keep a token."""
    connection.execute(
        insert(tokens).values(
            name=token.name,
            digest=digest,
            scopes=json.dumps(token.scopes),
            made_by=token.made_by,
            made_at=token.made_at,
        )
    )


def find(connection: Connection, digest: str) -> Token | None:
    """A token by its digest."""
    row = connection.execute(select(tokens).where(tokens.c.digest == digest)).first()
    return None if row is None else _token(row)


def all_of(connection: Connection) -> list[Token]:
    """Every token, by name."""
    return [_token(row) for row in connection.execute(select(tokens).order_by(tokens.c.name))]


def is_any(connection: Connection) -> bool:
    """Whether there are tokens."""
    return connection.execute(select(tokens.c.name).limit(1)).first() is not None


def used(connection: Connection, digest: str, *, now: float) -> None:
    """Note when a token was used last."""
    connection.execute(update(tokens).where(tokens.c.digest == digest).values(used_at=now))


def remove(connection: Connection, name: str) -> bool:
    """Withdraw a token; no where there is none of this name."""
    return connection.execute(delete(tokens).where(tokens.c.name == name)).rowcount == 1


def _token(row: Row[*tuple[Any, ...]]) -> Token:
    return Token(
        name=row.name,
        scopes=tuple(json.loads(row.scopes)),
        made_by=row.made_by,
        made_at=row.made_at,
        used_at=row.used_at,
    )
