"""Back up and restore as docs/operate.md says: the restored store verifies, and serves what it had."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import httpx
from flow import hospital
from flow.hospital import eventually
from flow.test_flow import site

from radiolucent.wiring.operator import Desk


def back_up(data: Path, backup: Path) -> None:
    """Files, databases, files again."""
    for _ in range(2):
        for name in ("instances", "results", "audit"):
            shutil.copytree(data / name, backup / name, dirs_exist_ok=True)
        for name in ("radiolucent.sqlite", "workflows.sqlite"):
            if not (backup / name).exists():
                with sqlite3.connect(data / name) as connection:
                    connection.execute("VACUUM INTO ?", (str(backup / name),))


def test_a_restored_store_verifies_and_serves(tmp_path: Path) -> None:
    film, later = hospital.film(), hospital.film()
    with site(tmp_path) as here:
        hospital.send(here.port, [film])
        eventually(here.done)
        back_up(tmp_path / "data", tmp_path / "again" / "data")
        hospital.send(here.port, [later])
        eventually(lambda: len(here.studies()) == 2 and here.done())
    with site(tmp_path / "again") as restored:
        assert restored.only()["status"] == "positive"
        assert restored.running.http is not None
        address = f"http://127.0.0.1:{restored.running.http.port}/dicom-web/studies/{film.StudyInstanceUID}/instances"
        found = httpx.get(address, timeout=30).json()
        assert len(found) == 1 + len(restored.report().objects)
        hospital.send(restored.port, [later])
        eventually(lambda: len(restored.studies()) == 2 and restored.done())
        settings = restored.running.installation.settings
    assert Desk(settings)._journal.log.verify().verified
