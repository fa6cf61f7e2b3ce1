"""Steps that fail in a way that nobody foresaw: the study is set aside and can be read later, and no text is kept."""

from __future__ import annotations

import io
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from flow import hospital
from flow.hospital import eventually
from flow.test_flow import Site, sent_to, site, to_pacs
from flow.test_no_patient_data import everything, found_in
from installation_cases import Breaks
from sqlalchemy import update

from radiolucent import logs
from radiolucent.errors import InvariantBroken, RadiolucentError, SettingsError
from radiolucent.pipeline.faults import Faults
from radiolucent.store.schema import studies
from radiolucent.wiring.operator import Desk
from radiolucent.wiring.running import Running

NAME = "ZZQNAME^ZZQGIVEN"
DOORS = {"service", "dicom-door", "hl7-door", "http-door"}


def broken(folder: Path, faults: Faults, **rows: Any) -> Running:
    reader = {"engines": [str(hospital.engines(folder / "engines"))], "max_attempts": 1}
    return Running(hospital.settings(folder / "data", reader=reader, **rows), faults=faults)


@pytest.mark.parametrize("point", ["routing", "reported"])
def test_a_study_whose_step_fails_is_set_aside_and_can_be_read_later(tmp_path: Path, point: str) -> None:
    stream = io.StringIO()
    handlers = list(logs.logging.getLogger().handlers)
    logs.start("debug", stream)
    try:
        with broken(tmp_path, Breaks(point, lambda: ValueError(f"no such patient: {NAME}"))) as running:
            here = Site(running)
            hospital.send(here.port, [hospital.film(PatientName=NAME)])
            eventually(here.done)
            assert (here.only()["state"], here.only()["code"]) == ("quarantined", "workflow_failed")
            assert len(here.audited("quarantine")) == 1
            key = str(here.only()["study_key"])
    finally:
        logs.logging.getLogger().handlers[:] = handlers
    workflows = everything(tmp_path / "data" / "workflows.sqlite")
    assert "StepFailed" in workflows, "the library keeps errors"
    assert found_in(workflows) == []
    assert found_in(stream.getvalue()) == []
    assert "step_failed" in stream.getvalue()
    with site(tmp_path) as there:
        Desk(there.running.installation.settings).rerun(key)
        eventually(lambda: there.only()["state"] == "done")
        assert there.only()["status"] == "positive"


def test_a_step_that_finds_a_defect_of_ours_sets_its_study_aside(tmp_path: Path) -> None:
    def defect() -> RadiolucentError:
        return InvariantBroken("odd", found="a", expected="b", action="c")

    with broken(tmp_path, Breaks("reported", defect)) as running:
        here = Site(running)
        hospital.send(here.port, [hospital.film()])
        eventually(here.done)
        assert (here.only()["state"], here.only()["code"]) == ("quarantined", "workflow_failed")


@pytest.mark.parametrize("is_lost", [True, False])
def test_a_study_whose_workflow_is_nowhere_is_read(tmp_path: Path, is_lost: bool) -> None:
    with site(tmp_path) as here:
        hospital.send(here.port, [hospital.film()])
        eventually(here.done)
        key = str(here.only()["study_key"])
        claimed = "read-by-nobody" if is_lost else f"read-{key}-1"  # one that is not there, and one that is over
        with here.running.installation.journal.entry() as entry:
            mine = update(studies).where(studies.c.study_key == key)
            entry.connection.execute(mine.values(state="processing", revision=2, claimed_by=claimed))
        eventually(lambda: here.only()["state"] == "done")
        assert (here.only()["revision"], here.only()["status"]) == (3, "positive")


class Once(Breaks):
    """It goes wrong the first time only."""

    def at(self, point: str) -> None:
        if point == self._point:
            self._point = ""
            raise self._error()


def test_an_attempt_that_ends_without_saying_how_is_made_again(tmp_path: Path) -> None:
    with hospital.pacs() as pacs:
        faults = Once("noting", lambda: ValueError("odd"))
        with broken(tmp_path, faults, **sent_to(to_pacs(pacs))) as running:
            here = Site(running)
            hospital.send(here.port, [hospital.film()])
            eventually(here.done)
            assert here.deliveries() == {"pacs/result/1": "sent"}
            assert [each.details.get("code") for each in here.audited("send")] == ["workflow_failed", None]
        assert {len(contents) for contents in pacs.contents.values()} == {1}, "sent twice, the same"


def dies_at_once(*_: object) -> None:
    """In the place of a reading process."""
    os._exit(1)


def test_with_a_reader_that_cannot_start_images_still_flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("radiolucent.pipeline.reader.serve", dies_at_once)
        with site(tmp_path, reader={"max_attempts": 2}) as here:
            film = hospital.film()
            assert hospital.send(here.port, [film])[str(film.SOPInstanceUID)] == 0
            eventually(here.done)
            assert (here.only()["state"], here.only()["code"]) == ("quarantined", "reader_crashed")
            key = str(here.only()["study_key"])
    with site(tmp_path) as there:
        Desk(there.running.installation.settings).rerun(key)
        eventually(lambda: there.only()["state"] == "done")


# pynetdicom leaves the socket that it could not bind to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_door_that_cannot_be_opened_stops_the_start_and_leaves_nothing_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for door in ("dicom", "http", "mllp"):
            rows = {door: {"port": taken.getsockname()[1]}}
            with pytest.raises(SettingsError) as raised, site(tmp_path / door, **rows):
                pass
            assert raised.value.code == "port_in_use"
    assert not [each for each in threading.enumerate() if each.name in DOORS]
