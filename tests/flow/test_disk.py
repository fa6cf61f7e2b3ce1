"""The data disk fills up while an installation runs: a small file system of its own, full to the last byte."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flow import hospital
from flow.hospital import eventually
from flow.test_flow import NO_RESOURCES, sent_to, site, to_pacs

pytestmark = pytest.mark.peers
SIZE_MB, BLOCK = 64, 65536


@contextmanager
def small(folder: Path) -> Iterator[Path]:
    """The folder, on a file system of 64 MB."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("root alone can mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path) -> None:
    """Take every byte that is left."""
    with path.open("wb", buffering=0) as out:
        for block in (BLOCK, 512, 1):
            try:
                while out.write(bytes(block)):
                    pass
            except OSError:
                continue


def test_what_was_taken_is_read_once_there_is_room_and_nothing_else_is_taken(tmp_path: Path) -> None:
    with (
        small(tmp_path / "data") as disk,
        hospital.pacs() as pacs,
        site(tmp_path, completion={"quiet_s": 2.0}, **sent_to(to_pacs(pacs))) as here,
    ):
        taken, refused = hospital.film(), hospital.film()
        assert hospital.send(here.port, [taken])[str(taken.SOPInstanceUID)] == 0
        fill(disk / "filler")
        assert hospital.send(here.port, [refused])[str(refused.SOPInstanceUID)] == NO_RESOURCES
        time.sleep(4.0)
        assert here.only()["state"] in ("receiving", "ready", "processing"), "rows cannot be written either"
        (disk / "filler").unlink()
        eventually(here.done)
        assert hospital.send(here.port, [refused])[str(refused.SOPInstanceUID)] == 0
        eventually(lambda: len(here.studies()) == 2 and here.done())
        assert {(row["state"], row["status"]) for row in here.studies().values()} == {("done", "positive")}
        assert pacs.of(taken.StudyInstanceUID)
        assert pacs.of(refused.StudyInstanceUID)
        assert {len(contents) for contents in pacs.contents.values()} == {1}
        assert here.running.installation.journal.log.verify().verified


def test_a_disk_of_results_that_is_full_makes_its_studies_wait(tmp_path: Path) -> None:
    with (
        small(tmp_path / "data" / "results") as disk,
        hospital.pacs() as pacs,
        site(tmp_path, **sent_to(to_pacs(pacs))) as here,
    ):
        film = hospital.film()
        fill(disk / "filler")
        assert hospital.send(here.port, [film])[str(film.SOPInstanceUID)] == 0
        eventually(lambda: here.only()["state"] == "processing")
        time.sleep(4.0)
        assert here.only()["state"] == "processing", "neither lost nor said to be unreadable"
        (disk / "filler").unlink()
        eventually(here.done)
        assert (here.only()["state"], here.only()["status"], here.only()["revision"]) == ("done", "positive", 1)
        assert pacs.of(film.StudyInstanceUID) == {o.instance.sop_instance_uid for o in here.report().objects}
