"""Several processes over one PostgreSQL share the work; that of one that dies goes to another; nothing is doubled."""

from __future__ import annotations

import gc
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import postgres_server
import psycopg
import pytest
from flow import crash_runner, hospital
from flow.hospital import eventually
from flow.test_flow import NO_RESOURCES, sent_to, site, to_ehr, to_pacs

from radiolucent.audit.canonical import parse
from radiolucent.settings import Settings
from radiolucent.wiring.operator import Desk

pytestmark = pytest.mark.peers
STUDIES = 8


@pytest.fixture(scope="module")
def server() -> Iterator[postgres_server.Server]:
    if not postgres_server.is_installed():
        pytest.fail("no PostgreSQL server here: apt-get install postgresql")
    with postgres_server.running() as made:
        yield made


class Ward:
    """Workers of one installation, each a process of its own with its own door."""

    def __init__(self, folder: Path, url: str, pacs: hospital.Pacs, ehr: hospital.Listener) -> None:
        self._folder = folder
        self.settings = hospital.settings(
            folder / "data",
            database_url=url,
            http={"enabled": False},
            mllp={"enabled": False},
            reader={"engines": [str(hospital.engines(folder / "engines"))]},
            **sent_to(to_pacs(pacs), to_ehr(ehr)),
        )
        self.children: dict[str, crash_runner.Child] = {}

    def start(self, name: str, *faults: str) -> int:
        """Start a worker; its DICOM port."""
        own = Settings.model_validate({**self.settings.model_dump(), "worker_id": name})
        path = self._folder / f"{name}.json"
        path.write_text(own.model_dump_json(), encoding="utf-8")
        # A modality of its own that has nothing to send hears of the port.
        heard = crash_runner.Modality(crash_runner.Tally(), random.Random(0))
        self.children[name] = crash_runner.Child(path, heard, faults)
        eventually(lambda: heard.port)
        port = heard.port
        heard.stop()
        return port

    def desk(self) -> Desk:
        return Desk(self.settings)


@contextmanager
def ward(folder: Path, url: str, pacs: hospital.Pacs, ehr: hospital.Listener) -> Iterator[Ward]:
    made = Ward(folder, url, pacs, ehr)
    try:
        yield made
    finally:
        for child in made.children.values():
            child.kill()


def is_done(desk: Desk, studies: int) -> bool:
    found = desk.status(limit=1)
    return found["studies"] == {"done": studies} and {row["state"] for row in found["deliveries"]} == {"sent"}


def takers(url: str) -> Counter[str]:
    """How many studies each worker read."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT executor_id, count(*) FROM dbos.workflow_status WHERE name = 'read_study' GROUP BY executor_id"
        )
        return Counter({str(name): int(count) for name, count in rows})


def results(desk: Desk) -> Counter[tuple[str, str]]:
    """How often each result is on record, by study and revision."""
    told = (parse(entry.text) for entry in desk.audit_entries())
    return Counter((e.study_instance_uid, e.details["revision"]) for e in told if e.action == "result")


def send(port: int, count: int) -> None:
    for _ in range(count):
        assert set(hospital.send(port, hospital.study_of(2)).values()) == {0}


def test_two_workers_share_a_queue_and_one_goes_on_alone(server: postgres_server.Server, tmp_path: Path) -> None:
    url = server.new_database()
    with hospital.pacs() as pacs, hospital.listener() as ehr, ward(tmp_path, url, pacs, ehr) as here:
        door = here.start("one")
        here.start("two")
        desk = here.desk()
        eventually(lambda: set(desk.status(limit=1)["workers"]) == {"one", "two"})
        send(door, STUDIES)
        eventually(lambda: is_done(desk, STUDIES), within_s=120)
        shares = takers(url)
        assert sum(shares.values()) == STUDIES
        assert set(shares) == {"one", "two"}, "both took studies, though only one was sent any"

        other = here.start("three", "reported", "1")  # dies over the first study that it takes
        here.children.pop("one").kill()
        here.children.pop("two").kill()
        send(other, 1)
        assert here.children["three"].wait(60), "it died over its study"
        here.children.pop("three").kill()
        here.start("four")
        eventually(lambda: is_done(desk, STUDIES + 1), within_s=120)
        assert desk.status(limit=1)["workers"] == ["four"], "the dead are buried"
        assert set(results(desk).values()) == {1}
        assert len(results(desk)) == STUDIES + 1
        assert {len(contents) for contents in pacs.contents.values()} == {1}
        assert {len(contents) for contents in ehr.by_control().values()} == {1}
        assert len(ehr.by_control()) == STUDIES + 1
        assert not [e for e in map(parse, (x.text for x in desk.audit_entries())) if e.action == "quarantine"]


# SQLAlchemy leaves a connection whose server went away to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_database_that_is_away_for_a_while_loses_nothing(server: postgres_server.Server, tmp_path: Path) -> None:
    url = server.new_database()
    with (
        hospital.pacs() as pacs,
        hospital.listener() as ehr,
        site(tmp_path, database_url=url, **sent_to(to_pacs(pacs), to_ehr(ehr))) as here,
    ):
        first, second = hospital.film(), hospital.film()
        assert hospital.send(here.port, [first])[str(first.SOPInstanceUID)] == 0
        server.stop()
        assert hospital.send(here.port, [second])[str(second.SOPInstanceUID)] == NO_RESOURCES
        server.start()
        eventually(lambda: hospital.send(here.port, [second])[str(second.SOPInstanceUID)] == 0)
        eventually(here.done, within_s=120)
        for film in (first, second):
            assert pacs.of(film.StudyInstanceUID)
        assert len(ehr.by_control()) == 2
        assert here.running.installation.journal.log.verify().verified
    gc.collect()


def test_a_database_that_falls_asleep_answers_nobody_until_it_wakes(
    server: postgres_server.Server, tmp_path: Path
) -> None:
    url = server.new_database()
    with hospital.pacs() as pacs, site(tmp_path, database_url=url, **sent_to(to_pacs(pacs))) as here:
        film = hospital.film()
        answers: dict[str, int | None] = {}
        sending = threading.Thread(target=lambda: answers.update(hospital.send(here.port, [film])))
        with server.asleep():
            sending.start()
            sending.join(5.0)
            assert answers == {}, "nothing is said before it is kept"
        sending.join()
        assert answers == {str(film.SOPInstanceUID): 0}
        eventually(here.done, within_s=120)
        assert len(here.studies()) == 1
        assert {len(contents) for contents in pacs.contents.values()} == {1}
        assert here.running.installation.journal.log.verify().verified
