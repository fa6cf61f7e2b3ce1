"""Accounts, sessions, one-time links, and failed sign-ins."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from radiolucent.records.person import Person
from radiolucent.store.schema import attempts, factors, links, people, sessions

_IS_ON = and_(factors.c.name == people.c.name, factors.c.is_confirmed == 1)
_KNOWN = select(people, factors.c.name.label("factor")).outerjoin(factors, _IS_ON)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A session as it is kept."""

    name: str
    csrf: str
    begun_at: float
    seen_at: float


def put(connection: Connection, person: Person, *, now: float) -> None:
    """Make an account, or change one; its password stays."""
    values = {
        "display": person.display,
        "roles": json.dumps(person.roles),
        "sites": json.dumps(person.sites),
        "is_disabled": int(person.is_disabled),
    }
    changed = connection.execute(update(people).where(people.c.name == person.name).values(values))
    if changed.rowcount == 0:
        connection.execute(insert(people).values(name=person.name, made_at=now, **values))


def find(connection: Connection, name: str) -> Person | None:
    """An account by its name."""
    row = connection.execute(_KNOWN.where(people.c.name == name)).first()
    return None if row is None else _person(row)


def everybody(connection: Connection) -> list[Person]:
    """Every account, by name."""
    return [_person(row) for row in connection.execute(_KNOWN.order_by(people.c.name))]


def _person(row: Row[*tuple[Any, ...]]) -> Person:
    return Person(
        name=row.name,
        display=row.display,
        roles=tuple(json.loads(row.roles)),
        sites=tuple(json.loads(row.sites)),
        is_disabled=bool(row.is_disabled),
        has_totp=row.factor is not None,
        has_password=row.password is not None,
    )


def password_of(connection: Connection, name: str) -> str | None:
    """The hash of an account's password."""
    return connection.execute(select(people.c.password).where(people.c.name == name)).scalar()


def set_password(connection: Connection, name: str, hashed: str) -> None:
    """Set it, and end every session and link of the account."""
    connection.execute(update(people).where(people.c.name == name).values(password=hashed))
    end_all(connection, name)


def end_all(connection: Connection, name: str) -> None:
    """End every session and link of an account."""
    connection.execute(delete(sessions).where(sessions.c.name == name))
    connection.execute(delete(links).where(links.c.name == name))


def has_password(connection: Connection) -> bool:
    """Whether anybody can sign in."""
    return connection.execute(select(people.c.name).where(people.c.password.is_not(None)).limit(1)).first() is not None


def open_session(connection: Connection, digest: str, name: str, *, csrf: str, now: float) -> None:
    """Keep a session."""
    connection.execute(insert(sessions).values(digest=digest, name=name, csrf=csrf, begun_at=now, seen_at=now))


def session(connection: Connection, digest: str) -> SessionRow | None:
    """A session by the digest of its secret."""
    row = connection.execute(select(sessions).where(sessions.c.digest == digest)).first()
    if row is None:
        return None
    return SessionRow(name=row.name, csrf=row.csrf, begun_at=row.begun_at, seen_at=row.seen_at)


def saw(connection: Connection, digest: str, *, now: float) -> None:
    """Note that a session is in use."""
    connection.execute(update(sessions).where(sessions.c.digest == digest).values(seen_at=now))


def close_session(connection: Connection, digest: str) -> None:
    """End a session."""
    connection.execute(delete(sessions).where(sessions.c.digest == digest))


def put_link(connection: Connection, digest: str, name: str, *, now: float) -> None:
    """Keep a one-time link; older ones of the same account end."""
    connection.execute(delete(links).where(links.c.name == name))
    connection.execute(insert(links).values(digest=digest, name=name, made_at=now))


def take_link(connection: Connection, digest: str, *, since: float) -> str | None:
    """Use a link that was made since: the account it is for, and the link is gone; ``None`` where there is none."""
    name = connection.execute(
        select(links.c.name).where(links.c.digest == digest, links.c.made_at >= since).with_for_update()
    ).scalar()
    taken = connection.execute(delete(links).where(links.c.digest == digest))
    return name if taken.rowcount == 1 else None


def failures(connection: Connection, *, name: str, peer: str, since: float) -> tuple[int, int, float]:
    """Failed sign-ins since then, of the name and from the address; and when the last of either was."""
    recent = attempts.c.at >= since

    def count(column: str, value: str) -> tuple[int, float]:
        asked = select(func.count(), func.max(attempts.c.at)).where(recent, attempts.c[column] == value)
        number, last = connection.execute(asked).one()
        return int(number), float(last or 0.0)

    (of_name, first), (of_peer, second) = count("name", name), count("peer", peer)
    return of_name, of_peer, max(first, second)


def failed(connection: Connection, *, name: str, peer: str, now: float, window_s: float) -> None:
    """Note a failed sign-in; those of long ago go."""
    connection.execute(delete(attempts).where(attempts.c.at < now - window_s))
    connection.execute(
        insert(attempts).values(attempt_id=secrets.token_hex(16), name=name[:64], peer=peer[:64], at=now)
    )


def forgive(connection: Connection, name: str) -> None:
    """Somebody signed in: what failed under the name before no longer counts."""
    connection.execute(delete(attempts).where(attempts.c.name == name))
