"""Second factors of accounts."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from radiolucent.store.schema import factors


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A second factor; ``last_step`` is the time step of the last code that was accepted."""

    secret: str
    is_confirmed: bool
    last_step: int


def find(connection: Connection, name: str) -> Factor | None:
    """The second factor of an account, confirmed or not."""
    row = connection.execute(select(factors).where(factors.c.name == name)).first()
    if row is None:
        return None
    return Factor(secret=row.secret, is_confirmed=bool(row.is_confirmed), last_step=row.last_step)


def begin(connection: Connection, name: str, secret: str) -> None:
    """Keep a secret that is yet to be confirmed, in the place of another such."""
    remove(connection, name)
    connection.execute(insert(factors).values(name=name, secret=secret, is_confirmed=0, last_step=0))


def accept(connection: Connection, name: str, *, step: int) -> bool:
    """Use up the code of a step; no where it was used in between. The factor is confirmed by it."""
    unused = (factors.c.name == name) & (factors.c.last_step < step)
    return connection.execute(update(factors).where(unused).values(last_step=step, is_confirmed=1)).rowcount == 1


def remove(connection: Connection, name: str) -> None:
    """Forget the second factor of an account."""
    connection.execute(delete(factors).where(factors.c.name == name))
