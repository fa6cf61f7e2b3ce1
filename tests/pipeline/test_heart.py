"""Processes that live, die, sleep and want the same name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from installation_cases import House

from radiolucent.errors import SettingsError
from radiolucent.pipeline import heart
from radiolucent.pipeline.heart import SILENT_S, WATCH_S, Heart
from radiolucent.store import workers


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


class Time:
    """A clock that nobody sets, going only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def born(house: House, name: str, time: Time) -> Heart:
    """A process on the list whose beats a test makes itself."""
    house.clock.forward(0.001)
    made = Heart(house.journal, worker_id=name, monotonic=time)
    with house.journal.entry() as entry:
        assert workers.enter(entry.connection, name, made._now())
    return made


def names(house: House) -> set[str]:
    with house.journal.reading() as connection:
        return set(workers.beats(connection))


def pass_time(house: House, time: Time, seconds: float, *living: Heart) -> list[str]:
    """Each living process looks once a second; whom the first of them buried."""
    buried = []
    for _ in range(int(seconds)):
        time.now += 1.0
        house.clock.forward(1.0)
        buried += living[0].look()
        for each in living[1:]:
            each.look()
    return buried


def test_one_that_is_silent_is_buried_once(house: House) -> None:
    time = Time()
    one, _ = born(house, "one", time), born(house, "two", time)
    assert pass_time(house, time, SILENT_S, one) == []
    assert pass_time(house, time, 2 * SILENT_S, one) == ["two"]
    assert names(house) == {"one"}


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_a_clock_that_is_set_kills_nobody(house: House, jump_s: float) -> None:
    time = Time()
    one, two = born(house, "one", time), born(house, "two", time)
    pass_time(house, time, 5, one, two)
    house.clock.forward(jump_s)
    assert pass_time(house, time, 2 * SILENT_S, one, two) == []
    assert names(house) == {"one", "two"}


def test_after_a_sleep_of_its_own_a_process_does_not_take_the_others_for_dead(house: House) -> None:
    time = Time()
    one, two = born(house, "one", time), born(house, "two", time)
    pass_time(house, time, 2, one, two)
    time.now += 60.0
    assert one.look() == [], "the database was away for both"
    assert pass_time(house, time, SILENT_S, one, two) == []


def test_one_that_was_buried_alive_comes_back(house: House) -> None:
    time = Time()
    one, two = born(house, "one", time), born(house, "two", time)
    assert pass_time(house, time, 2 * SILENT_S, one) == ["two"]
    two.look()
    assert names(house) == {"one", "two"}


def test_a_name_that_somebody_has_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heart, "WATCH_S", 60.0)
    living = born(house, "one", Time())
    second = Heart(house.journal, worker_id="one")
    second.claim()
    beating = threading.Timer(0.3, lambda: (house.clock.forward(1.0), living.look()))
    beating.start()
    with pytest.raises(SettingsError) as raised:
        second.confirm()
    beating.join()
    assert raised.value.code == "worker_id_taken"
    second.stop()
    living.look()
    assert names(house) == {"one"}, "the second took nothing with it"


def test_a_name_whose_process_was_killed_is_taken_again(house: House) -> None:
    time = Time()
    born(house, "one", time)
    again = Heart(house.journal, worker_id="one", monotonic=time)
    again.claim()
    time.now += WATCH_S
    again.confirm()
    again.stop()
    assert names(house) == set()


def test_of_two_that_take_a_dead_ones_name_one_gets_it(house: House) -> None:
    time = Time()
    born(house, "one", time)
    house.clock.forward(1.0)
    first = Heart(house.journal, worker_id="one", monotonic=time)
    house.clock.forward(1.0)
    second = Heart(house.journal, worker_id="one", monotonic=time)
    first.claim()
    second.claim()
    time.now += WATCH_S
    first.confirm()
    with pytest.raises(SettingsError):
        second.confirm()
    first.stop()


def test_a_free_name_is_had_at_once_and_given_back(house: House) -> None:
    made = Heart(house.journal, worker_id="one")
    made.claim()
    made.confirm()
    assert names(house) == {"one"}
    made.stop()
    assert names(house) == set()
