"""Work of several threads in one transaction: each is kept as if it were alone, and none pays for another's fault."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import store_cases as cases
from sqlalchemy import Connection, text

from radiolucent.errors import PeerUnavailable
from radiolucent.store.database import Database
from radiolucent.store.gathered import MOST, Gathered


@dataclass
class Counted:
    """Transactions of a database, counted; the next one fails at its end where that is wanted."""

    database: Database
    begun: int = 0
    fails: bool = False

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self.begun += 1
        with self.database.transaction() as connection:
            yield connection
            if self.fails:
                self.fails = False
                raise PeerUnavailable("database_unavailable", found="none", expected="one", action="Wait.")


@dataclass
class Crowd:
    """Threads that bring work while the first of them is held within its own."""

    gathered: Gathered
    holds: threading.Event = field(default_factory=threading.Event)
    is_held: threading.Event = field(default_factory=threading.Event)

    def run(self, works: list[Callable[[Connection], int]]) -> list[Future[int]]:
        with ThreadPoolExecutor(len(works) + 1) as pool:
            first = pool.submit(self.gathered.do, self._first)
            assert self.is_held.wait(30)
            others = []
            for count, work in enumerate(works, start=1):  # one after the other, so that their order is known
                others.append(pool.submit(self.gathered.do, work))
                until(lambda count=count: len(self.gathered._waiting) == count)
            self.holds.set()
        return [first, *others]

    def _first(self, connection: Connection) -> int:
        self.is_held.set()
        assert self.holds.wait(30)
        return add(0)(connection)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def add(number: int) -> Callable[[Connection], int]:
    def work(connection: Connection) -> int:
        connection.execute(text("INSERT INTO kept (n) VALUES (:n)"), {"n": number})
        return number

    return work


def refuse(connection: Connection) -> int:
    add(1000)(connection)
    raise ZeroDivisionError


def kept(database: Database) -> list[int]:
    with database.reading() as connection:
        return list(connection.execute(text("SELECT n FROM kept ORDER BY place")).scalars())


@pytest.fixture
def counted(tmp_path: object) -> Iterator[Counted]:
    database = Database(f"sqlite:///{tmp_path}/store.sqlite")
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE kept (place INTEGER PRIMARY KEY, n INTEGER UNIQUE)"))
    yield Counted(database)
    database.close()


def test_those_who_wait_share_one_transaction_and_keep_their_order(counted: Counted) -> None:
    found = Crowd(Gathered(counted.transaction)).run([add(n) for n in range(1, 9)])
    assert [each.result() for each in found] == list(range(9))
    assert kept(counted.database) == list(range(9))
    assert counted.begun == 2


def test_one_that_raises_is_told_alone_and_keeps_nothing(counted: Counted) -> None:
    found = Crowd(Gathered(counted.transaction)).run([add(1), refuse, add(3)])
    with pytest.raises(ZeroDivisionError):
        found[2].result()
    assert [found[n].result() for n in (0, 1, 3)] == [0, 1, 3]
    assert sorted(kept(counted.database)) == [0, 1, 3]


def test_a_transaction_that_fails_for_many_is_done_for_each(counted: Counted) -> None:
    crowd = Crowd(Gathered(counted.transaction))
    release = crowd.holds.set

    def fail_the_next() -> None:
        counted.fails = False
        release()

    crowd.holds.set = fail_the_next  # type: ignore[method-assign]
    failing = threading.Event()

    def last(connection: Connection) -> int:
        if not failing.is_set():
            failing.set()
            counted.fails = True  # of the transaction that this is in, at its end
        return add(3)(connection)

    found = crowd.run([add(1), add(2), last])
    assert [each.result() for each in found] == [0, 1, 2, 3]
    assert sorted(kept(counted.database)) == [0, 1, 2, 3]


def test_alone_a_transaction_that_fails_is_told_and_done_once(counted: Counted) -> None:
    gathered = Gathered(counted.transaction)
    counted.fails = True
    with pytest.raises(PeerUnavailable):
        gathered.do(add(1))
    assert (kept(counted.database), counted.begun) == ([], 1)
    assert gathered.do(add(1)) == 1  # and nothing of the first is left to be done
    assert (kept(counted.database), counted.begun) == ([1], 2)


def test_more_than_fit_into_one_are_all_done_once(counted: Counted) -> None:
    count = MOST + 6
    found = Crowd(Gathered(counted.transaction)).run([add(n) for n in range(1, count + 1)])
    assert [each.result() for each in found] == list(range(count + 1))
    assert sorted(kept(counted.database)) == list(range(count + 1))
    assert counted.begun == 3


def test_on_every_database_all_are_kept(database: Database) -> None:
    """With contention: eight threads, ten rows each, numbered by what is there, under the lock of the audit chain."""
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE kept (n INTEGER UNIQUE)"))

    def count_up(connection: Connection) -> int:
        database.lock_audit(connection)
        number = int(connection.execute(text("SELECT COUNT(*) FROM kept")).scalar_one())
        connection.execute(text("INSERT INTO kept (n) VALUES (:n)"), {"n": number})
        return number

    found = cases.together(8, lambda _: [database.gathered(count_up) for _ in range(10)])
    assert sorted(number for each in found for number in each) == list(range(80))
