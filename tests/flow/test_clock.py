"""The clock of the machine is set while an installation runs: nothing waits for ever, nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flow import hospital
from flow.hospital import eventually
from flow.test_flow import Site, sent_to, to_ehr, to_pacs

from radiolucent.wiring.running import Running
from radiolucent.wiring.serving import clock

HOUR_S = 3600.0


class Settable:
    """A clock that somebody sets."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return clock() + self.ahead

    def jump(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@contextmanager
def site(folder: Path, set_to: Settable, **rows: Any) -> Iterator[Site]:
    reader = {"engines": [str(hospital.engines(folder / "engines"))]}
    with Running(hospital.settings(folder / "data", reader=reader, **rows), clock=set_to) as running:
        yield Site(running)


# pynetdicom leaves the socket of a refused connection to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
def test_what_waits_goes_on(tmp_path: Path, jump_s: float) -> None:
    set_to = Settable()
    with hospital.pacs() as pacs:
        port = pacs.port
    with (
        hospital.listener() as ehr,
        site(tmp_path, set_to, completion={"quiet_s": 2.0}, **sent_to(to_pacs(pacs), to_ehr(ehr))) as here,
    ):
        sent, waiting = hospital.film(AccessionNumber="ACC1"), hospital.film(AccessionNumber="ACC2")
        hospital.send(here.port, [sent])
        eventually(lambda: "sent" in here.deliveries().values())
        assert here.deliveries()["pacs/result/1"] == "waiting"
        hospital.send(here.port, [waiting])
        set_to.jump(jump_s)
        with hospital.pacs(pacs, port=port):
            eventually(lambda: len(here.studies()) == 2 and here.done())
        assert {row["state"] for row in here.studies().values()} == {"done"}
        for film in (sent, waiting):
            assert pacs.of(film.StudyInstanceUID)
        assert [len(ehr.of(name)) for name in ("ACC1", "ACC2")] == [1, 1]
        assert {len(contents) for contents in pacs.contents.values()} == {1}
        assert hospital.send(here.port, [waiting])[str(waiting.SOPInstanceUID)] == 0, "the doors are open"
        assert {row["revision"] for row in here.studies().values()} == {1}
        assert here.running.installation.journal.log.verify().verified


def test_a_clock_that_is_years_ahead_clears_nothing_away(tmp_path: Path) -> None:
    set_to = Settable()
    with site(tmp_path, set_to, retention={"images_days": 30}) as here:
        hospital.send(here.port, [hospital.film()])
        eventually(here.done)
        service = here.running.installation.service
        set_to.jump(24 * HOUR_S * 365)
        service._clean(set_to().timestamp())
        assert list((tmp_path / "data" / "instances").rglob("*.dcm"))
