"""Files shaped after published attacks, through every door that takes files.

CVE-2026-56445: a UID that climbs out of the folder whose name it becomes. CVE-2026-32711: a DICOMDIR whose records name
files outside of it. CVE-2019-11687: a preamble that makes a program of an image.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from dicom_factory import save
from flow import hospital
from flow.hospital import eventually
from flow.test_flow import Site, site
from pydicom import config
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage
from typer.testing import CliRunner

from radiolucent.cli.main import app

EVIL = b"../../../../../../evil"
PROGRAM = b"MZ\x90\x00" + b"evil" * 31
SECRET = "kept elsewhere"
BOUNDARY = "xyz"


def climbing(folder: Path) -> bytes:
    """A film whose identity is a path, in the meta information and in the dataset."""
    film = hospital.film()
    plain = "1.2.840.99999.123.4567"
    assert len(plain) == len(EVIL)
    film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = plain
    data = save(film, folder / "climbing.dcm").read_bytes().replace(plain.encode(), EVIL)
    assert data.count(EVIL) == 2
    return data


def directory(folder: Path) -> bytes:
    """A DICOMDIR that names a file outside."""
    record = Dataset()
    record.OffsetOfTheNextDirectoryRecord = record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
    record.RecordInUseFlag, record.DirectoryRecordType = 0xFFFF, "IMAGE"
    with config.disable_value_validation():
        record.ReferencedFileID = ["..", "..", "SECRET"]
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = MediaStorageDirectoryStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "1.2.3.4.5"
    made.StudyInstanceUID = made.SeriesInstanceUID = "1.2.3.4"
    made.FileSetID = "X"
    made.DirectoryRecordSequence = [record]
    return save(made, folder / "directory.dcm").read_bytes()


def program(folder: Path) -> bytes:
    """An image that is a program as well."""
    data = save(hospital.film(), folder / "program.dcm").read_bytes()
    return PROGRAM + data[128:]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "SECRET").write_text(SECRET, encoding="utf-8")
    rows = {"watch": {"folder": folder / "in", "interval_s": 0.1}, "reader": {"enabled": False}}
    with site(folder, completion={"quiet_s": 3600.0}, **rows) as made:
        yield made


def by_stow(here: Site, data: bytes) -> bool:
    """Whether it was stored."""
    assert here.running.http is not None
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    answer = httpx.post(
        f"http://127.0.0.1:{here.running.http.port}/dicom-web/studies",
        content=head + data + f"\r\n--{BOUNDARY}--\r\n".encode(),
        headers={"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'},
    )
    return answer.status_code == 200


def by_folder(here: Site, data: bytes) -> bool:
    """Whether it was taken: what is refused is put aside."""
    folder = here.running.installation.settings.watch.folder
    assert folder is not None
    path = folder / f"offered-{time.monotonic_ns()}.dcm"
    path.write_bytes(data)
    os.utime(path, (1, 1))
    eventually(lambda: not path.exists())
    return not (folder / "refused" / path.name).exists()


def files(here: Site) -> set[Path]:
    """Everything around the installation, but for its rows and what was put aside."""
    root = here.running.installation.settings.data.parent
    passing = {"refused", "audit"}
    return {p for p in root.rglob("*") if p.is_file() and not passing & set(p.parts) and "sqlite" not in p.name}


DOORS = [by_stow, by_folder]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("shape", [climbing, directory])
def test_it_is_refused_and_nothing_is_written(here: Site, tmp_path: Path, shape, door) -> None:
    before = files(here)
    assert not door(here, shape(tmp_path))
    assert files(here) == before
    assert not [p for p in before if "evil" in p.name]


@pytest.mark.parametrize("door", DOORS)
def test_what_is_kept_is_no_program(here: Site, tmp_path: Path, door) -> None:
    before = files(here)
    data = program(tmp_path)
    assert door(here, data)
    (kept,) = files(here) - before
    assert kept.read_bytes()[:132] == bytes(128) + b"DICM"
    assert data[-1000:] in kept.read_bytes()


@pytest.mark.parametrize("shape", [climbing, directory])
def test_the_command_line_reads_nothing_of_it(tmp_path: Path, shape) -> None:
    given = tmp_path / "a" / "b"
    given.mkdir(parents=True)
    (tmp_path / "SECRET").write_text(SECRET, encoding="utf-8")
    (given / "image.dcm").write_bytes(shape(tmp_path))
    engines = hospital.engines(tmp_path / "engines")
    out = tmp_path / "deep" / "er" / "out"
    words = ["analyze", str(given), "--out", str(out), "--engines", str(engines)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1, done.output
    assert SECRET not in done.output
    written = [p for p in tmp_path.rglob("*") if p.is_file() and out not in p.parents]
    assert not [p for p in [*written, *out.rglob("*")] if "evil" in p.name]
    assert not list(out.rglob("dicom/*.dcm"))
