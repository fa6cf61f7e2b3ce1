"""Which account a person of an OpenID provider has."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from radiolucent.store.schema import identities


def account_of(connection: Connection, *, issuer: str, subject: str) -> str | None:
    """The name of the account."""
    wanted = (identities.c.issuer == issuer) & (identities.c.subject == subject)
    return connection.execute(select(identities.c.name).where(wanted)).scalar()


def put(connection: Connection, *, issuer: str, subject: str, name: str) -> None:
    """Note whose account it is."""
    connection.execute(insert(identities).values(issuer=issuer, subject=subject, name=name))
