"""Back up and restore as docs/operate.md says: the restored store verifies, goes on, and serves what it had."""

from __future__ import annotations

import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import httpx
import postgres_server
import pytest
from flow import hospital
from flow.hospital import eventually
from flow.test_flow import Site, site
from pydicom.dataset import Dataset
from sqlalchemy import make_url

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8").split("## Back up and restore")[1].split("\n## ")[0]


def commands(start: str) -> list[str]:
    return [line for line in PAGE.splitlines() if line.startswith(start)]


def back_up(data: Path, backup: Path) -> None:
    (line,) = commands("python3 deploy/backup.py")
    words = [{"DATA": str(data), "BACKUP": str(backup)}.get(word, word) for word in shlex.split(line, comments=True)]
    subprocess.run([sys.executable, *words[1:]], cwd=ROOT, check=True, timeout=120)


def restore(backup: Path, data: Path) -> None:
    data.parent.mkdir()
    shutil.copytree(backup, data)


def assert_whole(here: Site, films: Sequence[Dataset]) -> None:
    """Every film is known, read to its end, and served with its results; every file that a row names is there."""
    eventually(here.done)
    assert {row["state"] for row in here.studies().values()} == {"done"}
    assert here.running.http is not None
    for film in films:
        address = f"http://127.0.0.1:{here.running.http.port}/dicom-web/studies/{film.StudyInstanceUID}"
        found = httpx.get(f"{address}/instances", timeout=30).json()
        assert len(found) > 1
        for row in found:
            uids = row["0020000E"]["Value"][0], row["00080018"]["Value"][0]
            whole = httpx.get(
                f"{address}/series/{uids[0]}/instances/{uids[1]}",
                headers={"Accept": "application/dicom; transfer-syntax=*"},
                timeout=30,
            )
            assert whole.content[128:132] == b"DICM"
    assert here.running.installation.journal.log.verify().verified


def test_a_backup_under_load_is_restored_whole(tmp_path: Path) -> None:
    before, meanwhile, after = hospital.film(), [hospital.film() for _ in range(8)], hospital.film()
    backup = tmp_path / "backup"
    with site(tmp_path) as here:
        hospital.send(here.port, [before])
        eventually(here.done)
        back_up(tmp_path / "data", backup)  # an earlier one, which the next brings up to date
        here.running.installation.checkpoint()
        sending = threading.Thread(target=hospital.send, args=(here.port, meanwhile))
        sending.start()
        back_up(tmp_path / "data", backup)
        sending.join()
        assert backup.stat().st_mode & 0o077 == 0
        with closing(sqlite3.connect(backup / "radiolucent.sqlite")) as rows:
            named = [path for (path,) in rows.execute("SELECT path FROM instances")]
            known = {uid for (uid,) in rows.execute("SELECT study_instance_uid FROM studies")}
        assert len(named) > 1
        assert [path for path in named if not (backup / path).is_file()] == []
        hospital.send(here.port, [after])
        eventually(lambda: len(here.studies()) == 10 and here.done())

    restore(backup, tmp_path / "again" / "data")
    assert verify(tmp_path / "again" / "data") == 0
    with site(tmp_path / "again") as restored:
        assert_whole(restored, [film for film in (before, *meanwhile) if film.StudyInstanceUID in known])
        hospital.send(restored.port, [*meanwhile, after])
        eventually(lambda: len(restored.studies()) == 10 and restored.done())
    assert verify(tmp_path / "again" / "data") == 0


def test_an_older_log_is_told_from_a_whole_one_by_the_checkpoints(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    with site(tmp_path) as here:
        back_up(tmp_path / "data", backup)
        hospital.send(here.port, [hospital.film()])
        eventually(here.done)
    restore(backup, tmp_path / "again" / "data")
    assert verify(tmp_path / "again" / "data") == 0
    assert verify(tmp_path / "again" / "data", checkpoints=tmp_path / "data" / "audit" / "checkpoints.jsonl") != 0


def verify(data: Path, *, checkpoints: Path | None = None) -> int:
    """The page's own command, as an exit code."""
    (line,) = commands("radiolucent audit verify")
    more = [] if checkpoints is None else ["--checkpoints", str(checkpoints)]
    words = [*shlex.split(line, comments=True)[1:3], "--data", str(data), *more]
    done = subprocess.run([sys.executable, "-m", "radiolucent.cli.main", *words], capture_output=True, timeout=120)
    return done.returncode


@pytest.mark.peers
def test_postgresql_is_restored_whole(tmp_path: Path) -> None:
    if not postgres_server.is_installed():
        pytest.fail("no PostgreSQL server here; see tests/peers/install.sh")
    films = [hospital.film(), hospital.film()]
    with postgres_server.running() as server:
        first, second = server.new_database(), server.new_database()
        with site(tmp_path, database_url=first) as here:
            hospital.send(here.port, films)
            eventually(lambda: len(here.studies()) == 2 and here.done())
            script = re.search(r"```sh\n(checkpoints=.*?)```", PAGE, flags=re.DOTALL)
            assert script is not None
            told = script[1].replace("DATA", str(tmp_path / "data")).replace("BACKUP", str(tmp_path / "backup"))
            (tmp_path / "backup").mkdir()
            run(told.replace("URL", address(first)))
        (line,) = commands("pg_restore")
        run(line.replace("BACKUP", str(tmp_path / "backup")).replace("URL", address(second)))
        (tmp_path / "backup" / "rows.dump").unlink()
        restore(tmp_path / "backup", tmp_path / "again" / "data")
        with site(tmp_path / "again", database_url=second) as restored:
            assert_whole(restored, films)


def address(url: str) -> str:
    """As libpq takes it."""
    return f"'{make_url(url).render_as_string(hide_password=False)}'"


def run(script: str) -> None:
    done = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
