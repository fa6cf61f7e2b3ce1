"""docs/connect.md, followed with a real Orthanc and DCMTK: from its settings to a result that Orthanc renders."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from peers import orthanc_server
from pydicom import dcmread
from pydicom.uid import generate_uid

pytestmark = pytest.mark.peers
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "connect.md").read_text(encoding="utf-8")
LONGEST_S = 120


def blocks(language: str, within: str = "") -> list[str]:
    """Fenced blocks of a language, in order: every second fence opens one. ``within``: of the section so headed."""
    page = PAGE if not within else PAGE.split(f"\n## {within}\n")[1].split("\n## ")[0]
    fences = re.split(r"^```(\w*)\n", page, flags=re.MULTILINE)
    return [fences[n + 1] for n in range(1, len(fences) - 1, 4) if fences[n] == language]


def command(start: str) -> str:
    (found,) = {line for block in blocks("") for line in block.splitlines() if line.startswith(start)}
    return found


@dataclass
class Walk:
    """A folder in which the page is followed, on free ports instead of the page's."""

    folder: Path
    ports: dict[str, str] = field(
        default_factory=lambda: {said: str(orthanc_server.free_port()) for said in ("11112", "8080", "4242", "8042")}
    )

    @property
    def orthanc(self) -> str:
        return f"http://127.0.0.1:{self.ports['8042']}"

    def real(self, text: str) -> str:
        for said, port in self.ports.items():
            text = re.sub(rf"\b{said}\b", port, text)
        return text

    def run(self, line: str) -> str:
        """A command of the page, ours by this very Python."""
        words = shlex.split(self.real(line), comments=True)
        if words[0] == "radiolucent":
            words = [sys.executable, "-m", "radiolucent.cli.main", *words[1:]]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=LONGEST_S)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def script(self, text: str) -> None:
        subprocess.run(["sh", "-eu", "-c", text], cwd=self.folder, check=True, capture_output=True, timeout=LONGEST_S)

    def status(self) -> dict[str, Any]:
        """What the status command would say, asked of the server itself."""
        found: dict[str, Any] = json.loads(orthanc_server.ask(f"http://127.0.0.1:{self.ports['8080']}/api/status"))
        return found

    def done(self, studies: int) -> bool:
        found = self.status()
        sent = [{"destination": "pacs", "state": "sent", "count": studies}]
        return bool(found["studies"] == {"done": studies} and found["deliveries"] == sent)

    def in_orthanc(self) -> dict[str, dict[str, Any]]:
        """Tags of every instance in Orthanc, by its identifier there."""
        names = json.loads(orthanc_server.ask(f"{self.orthanc}/instances"))
        return {n: json.loads(orthanc_server.ask(f"{self.orthanc}/instances/{n}/simplified-tags")) for n in names}

    def results(self) -> dict[str, list[str]]:
        """Identifiers in Orthanc of our objects, by series description."""
        found: dict[str, list[str]] = {}
        for name, tags in self.in_orthanc().items():
            if tags.get("SeriesDescription", "").startswith("AI "):
                found.setdefault(tags["SeriesDescription"], []).append(name)
        return found


def eventually(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not holds():
        assert time.monotonic() < deadline, "never came about"
        time.sleep(0.2)


@contextmanager
def orthanc_of(walk: Walk) -> Iterator[None]:
    """The page's Orthanc, with a folder of its own for what it stores."""
    (told,) = blocks("json")
    store = walk.folder / "orthanc"
    store.mkdir()
    settings = json.loads(walk.real(told)) | {"StorageDirectory": str(store), "IndexDirectory": str(store)}
    (walk.folder / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
    (script,) = blocks("lua")
    (walk.folder / "route.lua").write_text(script, encoding="utf-8")
    with (store / "log.txt").open("wb") as log:
        process = subprocess.Popen(["Orthanc", "orthanc.json"], cwd=walk.folder, stdout=log, stderr=log)
        try:
            orthanc_server._wait(f"{walk.orthanc}/system")
            yield
        finally:
            process.terminate()
            process.wait(timeout=20)


@contextmanager
def serving(walk: Walk, settings: str) -> Iterator[None]:
    (walk.folder / "radiolucent.toml").write_text(walk.real(settings), encoding="utf-8")
    words = [sys.executable, "-m", "radiolucent.cli.main", *shlex.split(command("radiolucent serve"))[1:]]
    with subprocess.Popen(words, cwd=walk.folder, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            while '"http_open"' not in server.stderr.readline():
                assert server.poll() is None
            yield
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=90)
    assert server.returncode == 0


def film(walk: Walk) -> None:
    for start in ("radiolucent phantom", "cp PHANTOMS"):
        walk.run(command(start))


def assert_rendered(walk: Walk, studies: int) -> None:
    mine = walk.results()
    assert {walk.in_orthanc()[names[0]]["Modality"] for names in mine.values()} >= {"OT", "SR", "SEG"}
    overlays = mine["AI overlay, not for diagnosis"]
    assert len(overlays) == studies
    for name in overlays:
        picture = orthanc_server.ask(f"{walk.orthanc}/instances/{name}/preview")
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        assert len(picture) > 10_000


def test_from_nothing_to_a_result_in_orthanc(tmp_path: Path) -> None:
    walk = Walk(tmp_path)
    film(walk)
    settings = blocks("toml")[0]
    (tmp_path / "radiolucent.toml").write_text(walk.real(settings), encoding="utf-8")
    assert "films: holds" in walk.run(command("radiolucent rules test"))
    with orthanc_of(walk), serving(walk, settings):
        walk.run(command("storescu -aec"))
        eventually(lambda: walk.done(1))
        assert "1 done" in walk.run(command("radiolucent status"))
        assert_rendered(walk, 1)

        # By the PACS's own routing, and no further: neither our results nor what they cause come round again.
        other = dcmread(tmp_path / "FILM.dcm")
        other.StudyInstanceUID, other.SeriesInstanceUID, other.SOPInstanceUID = (generate_uid() for _ in range(3))
        other.Manufacturer = "Maker of modalities"
        other.file_meta.MediaStorageSOPInstanceUID = other.SOPInstanceUID
        other.save_as(tmp_path / "OTHER.dcm")
        orthanc_server.ask(f"{walk.orthanc}/instances", (tmp_path / "OTHER.dcm").read_bytes())
        eventually(lambda: walk.done(2))
        assert_rendered(walk, 2)
        ours = sum(map(len, walk.results().values()))
        eventually(lambda: _stable_series(walk) > ours)
        # Even a PACS that sends us everything it has does not make us read our own results.
        before = revisions(walk)
        everything = json.loads(orthanc_server.ask(f"{walk.orthanc}/studies"))
        for study in everything:
            asked = json.dumps({"Resources": [study], "Permissive": True}).encode()
            orthanc_server.ask(f"{walk.orthanc}/modalities/radiolucent/store", asked)
        eventually(lambda: walk.done(2))
        assert revisions(walk) == before
        assert set(before.values()) == {1}


def revisions(walk: Walk) -> dict[str, int]:
    return {row["study_key"]: row["revision"] for row in walk.status()["recent"]}


def _stable_series(walk: Walk) -> int:
    changes = json.loads(orthanc_server.ask(f"{walk.orthanc}/changes?limit=1000"))["Changes"]
    return len({each["ID"] for each in changes if each["ChangeType"] == "StableSeries"})


def test_by_stow_and_tls(tmp_path: Path) -> None:
    walk = Walk(tmp_path)
    film(walk)
    (certificates,) = blocks("sh", "TLS")
    walk.script(certificates)
    (stow,) = blocks("toml", "STOW-RS instead of C-STORE")
    (tls,) = blocks("toml", "TLS")
    settings = blocks("toml")[0].split("[[destinations]]")[0] + stow + tls
    with orthanc_of(walk), serving(walk, settings):
        plain = shlex.split(walk.real(command("storescu -aec")))
        assert subprocess.run(plain, cwd=tmp_path, capture_output=True, timeout=LONGEST_S).returncode != 0
        walk.run(command("storescu +tls"))
        eventually(lambda: walk.done(1))
        assert_rendered(walk, 1)
