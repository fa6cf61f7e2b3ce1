"""What is asked elsewhere when a study begins: once, and again where nobody answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dicom_factory import cr, lit
from installation_cases import House, offered

from radiolucent.errors import PeerUnavailable
from radiolucent.wiring import begun
from radiolucent.wiring.begun import AGAIN_S, Begun


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def asked(house: House, answers: list[type[Exception] | None], *, waits_s: list[float]) -> list[int]:
    """How often was asked after each wait, where the answers come in this order and the last one ever after."""
    keys: list[str] = []

    def ask(key: str) -> None:
        keys.append(key)
        answer = answers[min(len(keys), len(answers)) - 1]
        if answer is not None:
            raise answer("x", found="f", expected="e", action="a")

    house.intake().keep(offered(cr(lit(16, 16, at=(0, 0), side=4))))
    looker = Begun(house.journal, [ask])
    counts = []
    for wait_s in waits_s:
        house.clock.forward(wait_s)
        looker.look()
        counts.append(len(keys))
    assert len(set(keys)) == 1
    return counts


def test_whoever_answers_is_asked_once(house: House) -> None:
    assert asked(house, [None], waits_s=[0, AGAIN_S, 60]) == [1, 1, 1]


def test_whoever_cannot_be_reached_is_asked_again_after_twice_the_time(house: House) -> None:
    waits = [0, AGAIN_S - 1, 1, 2 * AGAIN_S - 1, 1, 600]
    assert asked(house, [PeerUnavailable, PeerUnavailable, None], waits_s=waits) == [1, 1, 2, 2, 3, 3]


def test_whoever_can_never_be_reached_is_given_up(house: House) -> None:
    counts = asked(house, [PeerUnavailable], waits_s=[0, *[begun.YOUNG_S] * 12])
    assert counts[-1] == counts[-2] < 10
