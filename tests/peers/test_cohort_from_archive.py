"""A cohort out of a real Orthanc: pulled by C-GET, C-MOVE or DICOMweb, measured on, and gone again."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tiny_engine
from dicom_factory import save
from flow import hospital
from peers import dicom_peers
from peers.orthanc_server import free_port
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from typer.testing import CliRunner

from radiolucent.audit.canonical import parse
from radiolucent.cli.main import app
from radiolucent.deliver import cstore
from radiolucent.settings import read
from radiolucent.store.database import Database
from radiolucent.wiring.operator import Desk

pytestmark = pytest.mark.peers


@dataclass(frozen=True)
class Archive:
    server: dicom_peers.Orthanc
    films: dict[str, Dataset]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Twelve films of twelve adults, bright or not in turn; a child; a hand; a result of ours beside a film."""
    films = [
        hospital.film(
            bright=n % 2 == 0,
            PatientID=f"P{n}",
            PatientAge="040Y" if n else "004Y",
            StudyDate=f"202603{10 + n // 3}",
            StudyTime="080000",
            StudyDescription="Hand" if n == 1 else "Chest PA",
            BurnedInAnnotation="NO",
            ImageComments=str(n),
        )
        for n in range(14)
    ]
    for number, each in enumerate(films):
        each.PixelData = bytes([number]) + each.PixelData[1:]
    result = copy.deepcopy(films[5])
    result.SOPInstanceUID = result.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    result.SeriesInstanceUID = generate_uid()
    result.SOPClassUID = result.file_meta.MediaStorageSOPClassUID = hospital.OBJECTS[2]
    with dicom_peers.orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        folder = tmp_path_factory.mktemp("films")
        paths = [save(each, folder / f"{number}.dcm") for number, each in enumerate([*films, result])]
        assert cstore.store(paths, server.peer()).is_complete
        yield Archive(server=server, films={str(each.SOPInstanceUID): each for each in films})


def settings_file(folder: Path, archive: Archive, way: str) -> Path:
    """Settings that name the archive; for C-MOVE it is told of our door."""
    port = free_port()
    server = archive.server
    rows = f'host = "127.0.0.1"\nport = {server.dicom_port}\nae_title = "ORTHANC"\nkind = "dimse"\n'
    if way == "dicomweb":
        rows = f'kind = "dicomweb"\nurl = "{server.web.url}"\n'
    if way == "move":
        rows += 'retrieve = "move"\n'
        server.knows("COHORT", port)
    made = folder / "radiolucent.toml"
    made.write_text(
        f'data = "{folder / "data"}"\n[dicom]\nport = {port}\nae_title = "COHORT"\n'
        f'[[archives]]\nname = "pacs"\ninterval_s = 0.001\n{rows}'
    )
    return made


def validate(engine: Path, config: Path, out: Path, *more: str) -> Any:
    asked = ["validate", "--engine", str(engine), "--pacs", "pacs", "--config", str(config), "--out", str(out)]
    fast = ["--rate", "1000", "--resamples", "9", "--permutations", "9"]
    return CliRunner().invoke(app, [*asked, *fast, *more])


@pytest.mark.parametrize("way", ["get", "move", "dicomweb"])
def test_a_cohort_is_pulled_measured_and_gone(way: str, archive: Archive, tmp_path: Path) -> None:
    engine = tiny_engine.write(tmp_path / "engines")
    config = settings_file(tmp_path, archive, way)
    truth = tmp_path / "truth.csv"
    lines = [f"{uid},{1 - int(film.ImageComments) % 2}" for uid, film in archive.films.items()]
    truth.write_text("\n".join(["image,bright", *lines]))
    picked = ("--since", "2026-03-01", "--until", "2026-03-31", "--description", "chest", "--ages", "18-90")
    done = validate(engine, config, tmp_path / "out", "--truth", str(truth), *picked)
    assert done.exit_code == 0, done.output
    said = json.loads((tmp_path / "out" / "validation.json").read_text())
    assert (said["cohort"]["read"], said["cohort"]["patients"]) == (12, 12), said["cohort"]
    assert said["findings"][0]["positives"] == 6
    assert said["findings"][0]["auc"]["value"] == 1.0
    assert said["cohort"]["studies_left_out"] == {"of another age": 1, "of another description": 1}
    assert "studies left out: of another age" in (tmp_path / "out" / "report.html").read_text()
    assert not (tmp_path / "out" / "pulled").exists(), "no image of a patient is left"
    assert [p for p in (tmp_path / "out").rglob("*") if p.suffix == ".dcm"] == []


def test_what_was_pulled_is_kept_when_asked_and_not_pulled_again(archive: Archive, tmp_path: Path) -> None:
    engine = tiny_engine.write(tmp_path / "engines")
    config = settings_file(tmp_path, archive, "get")
    begun = read(config, data=None)
    begun.data.mkdir()
    Database(begun.database).close()
    kept = ("--keep-images", "--limit", "3")
    assert validate(engine, config, tmp_path / "out", *kept).exit_code == 0
    pulled = tmp_path / "out" / "pulled"
    assert pulled.stat().st_mode & 0o077 == 0
    first = {path: path.stat().st_mtime_ns for path in pulled.rglob("*.dcm")}
    assert len(first) == 3
    assert validate(engine, config, tmp_path / "out", "--keep-images", "--limit", "5").exit_code == 0
    second = {path: path.stat().st_mtime_ns for path in pulled.rglob("*.dcm")}
    assert len(second) == 5
    assert first.items() <= second.items()
    said = [parse(entry.text) for entry in Desk(read(config, data=None)).audit_entries()]
    asked = [each for each in said if each.action == "query"]
    assert [(e.actor, e.details["archive"], e.details["fetched"]) for e in asked] == [
        ("command line", "pacs", "3"),
        ("command line", "pacs", "5"),
    ]


def test_an_archive_that_refuses_is_one_line_and_what_came_stays(archive: Archive, tmp_path: Path) -> None:
    engine = tiny_engine.write(tmp_path / "engines")
    config = settings_file(tmp_path, archive, "move")
    config.write_text(config.read_text().replace('ae_title = "COHORT"', 'ae_title = "NOBODY"'))
    done = validate(engine, config, tmp_path / "out", "--limit", "2")
    assert done.exit_code != 0
    assert "14 studies refused by the archive (request_refused)" in str(done.exception)
