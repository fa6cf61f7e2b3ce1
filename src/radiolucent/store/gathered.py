"""Several threads' work in one transaction: the disk is flushed once for all who wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Generic, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")
MOST = 64
"""So many at most in one transaction."""


class _Wanted(Generic[T]):
    """A piece of work, and what came of it."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.work = work
        self.found: list[T] = []

    def do(self, connection: Connection) -> Callable[[], None]:
        """Do it; what is given back makes it count, once the transaction is over."""
        found = self.work(connection)
        return lambda: self.found.append(found)


class Gathered:
    """Whoever comes first does the work of all who came meanwhile; they find it done when their turn comes.

    Parameters
    ----------
    transaction
        Commits when its block ends, keeps nothing when the block raises.
    """

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction
        self._turn, self._listing = threading.Lock(), threading.Lock()
        self._waiting: list[_Wanted[object]] = []

    def do(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` gives back, once it is committed. Raises what it raises, and what the transaction raises."""
        mine = _Wanted(work)
        with self._listing:
            self._waiting.append(mine)  # type: ignore[arg-type]
        with self._turn:
            if not mine.found:
                self._serve(mine)  # type: ignore[arg-type]
        return mine.found[0]

    def _serve(self, mine: _Wanted[object]) -> None:
        """Commit ``mine`` with others that wait. Where they fail together, each is left to do its own, alone."""
        others = self._take(mine)
        if others:
            with suppress(Exception):  # whoever is at fault hears of it when it is done alone
                self._commit([mine, *others])
        if not mine.found:
            self._commit([mine])

    def _take(self, mine: _Wanted[object]) -> list[_Wanted[object]]:
        """Others that wait; neither they nor ``mine`` wait any longer."""
        with self._listing:
            others = [each for each in self._waiting if each is not mine]
            self._waiting = others[MOST:]
        return others[:MOST]

    def _commit(self, all_of_it: Sequence[_Wanted[object]]) -> None:
        with self._transaction() as connection:
            counts = [each.do(connection) for each in all_of_it]
        for count in counts:
            count()
