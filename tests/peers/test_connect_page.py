"""docs/connect.md, followed with a real Orthanc and DCMTK: from its settings to a result that Orthanc renders."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from peers import orthanc_server

pytestmark = pytest.mark.peers
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "connect.md").read_text(encoding="utf-8")
LONGEST_S = 120


def blocks(language: str) -> list[str]:
    """Fenced blocks of a language, in order: every second fence opens one."""
    fences = re.split(r"^```(\w*)\n", PAGE, flags=re.MULTILINE)
    return [fences[n + 1] for n in range(1, len(fences) - 1, 4) if fences[n] == language]


def commands(name: str) -> list[str]:
    return [line for block in blocks("") for line in block.splitlines() if line.startswith(name)]


def our(line: str) -> list[str]:
    """A command of the page, run by this very Python."""
    return [sys.executable, "-m", "radiolucent.cli.main", *shlex.split(line)[1:]]


def test_from_the_page_to_a_result_in_orthanc(orthanc: tuple[str, int], tmp_path: Path) -> None:
    http, pacs = orthanc
    ours, web = orthanc_server.free_port(), orthanc_server.free_port()
    told = blocks("toml")[0]
    for said, real in (("11112", ours), ("8080", web), ("4242", pacs)):
        assert said in told
        told = told.replace(said, str(real))
    (tmp_path / "radiolucent.toml").write_text(told, encoding="utf-8")
    assert json.loads(blocks("json")[0])["DicomModalities"]["radiolucent"][0] == "RADIOLUCENT"

    (phantom,) = re.findall(r"`(radiolucent phantom [^`]*)`", PAGE)
    subprocess.run(our(phantom), cwd=tmp_path, check=True, capture_output=True)
    (film,) = (tmp_path / "PHANTOMS").rglob("*.dcm")
    film.rename(tmp_path / "FILM.dcm")
    (rules,) = commands("radiolucent rules test")
    said = subprocess.run(our(rules), cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert "films: holds" in said

    (serve,) = commands("radiolucent serve")
    with subprocess.Popen(our(serve), cwd=tmp_path, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            while "started" not in server.stderr.readline():
                assert server.poll() is None
            (send,) = commands("storescu")
            subprocess.run(shlex.split(send.replace("11112", str(ours))), cwd=tmp_path, check=True)
            (status,) = commands("radiolucent status")
            deadline = time.monotonic() + LONGEST_S
            while time.monotonic() < deadline:
                shown = subprocess.run(
                    [*our(status), "--json"], cwd=tmp_path, check=True, capture_output=True, text=True
                )
                standing = json.loads(shown.stdout)
                if [d["state"] for d in standing["deliveries"]] == ["sent"]:
                    break
                time.sleep(0.2)
            assert standing["studies"] == {"done": 1}
            assert standing["deliveries"] == [{"destination": "pacs", "state": "sent", "count": 1}]
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(90) == 0

    found = [json.loads(orthanc_server.ask(f"{http}/instances/{i}/simplified-tags")) for i in _instances(http)]
    mine = {tags["SeriesDescription"]: tags for tags in found if tags.get("SeriesDescription", "").startswith("AI ")}
    assert {tags["Modality"] for tags in mine.values()} >= {"OT", "SR", "SEG"}
    overlay = mine["AI overlay, not for diagnosis"]["SOPInstanceUID"]
    capture = next(i for i in _instances(http) if _tags(http, i)["SOPInstanceUID"] == overlay)
    picture = orthanc_server.ask(f"{http}/instances/{capture}/preview")
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(picture) > 10_000
    assert list((tmp_path / "data" / "instances").iterdir())


def _instances(http: str) -> list[str]:
    found: list[str] = json.loads(orthanc_server.ask(f"{http}/instances"))
    return found


def _tags(http: str, instance: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(orthanc_server.ask(f"{http}/instances/{instance}/simplified-tags"))
    return found
