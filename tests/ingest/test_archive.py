from __future__ import annotations

import io
import os
import struct
import time
import zipfile
from pathlib import Path

import pytest

from radiolucent.ingest.discover import discover
from radiolucent.ingest.limits import Limits
from radiolucent.records.image import Refusal, SourceFile

DICOM = b"\0" * 128 + b"DICM" + b"\2\0\0\0UL\4\0\0\0\0\0"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def run(scratch: Path, path: Path, limits: Limits | None = None) -> tuple[list[SourceFile], dict[str, str]]:
    found = list(discover([path], scratch=scratch, limits=limits))
    return [f for f in found if isinstance(f, SourceFile)], {f.label: f.code for f in found if isinstance(f, Refusal)}


def test_members_are_unpacked_under_our_names(tmp_path: Path, scratch: Path) -> None:
    members = {"../../evil.dcm": DICOM, "/abs/b.dcm": DICOM + b"1", "a/labels.csv": b"x", "c.dcm": b"<html>", "d/": b""}
    good, refused = run(scratch, zipped(tmp_path / "a.zip", members))
    assert [f.label for f in good] == ["a.zip!/../../evil.dcm", "a.zip!//abs/b.dcm"]
    assert all(f.path.parent == scratch and f.path.name.startswith("member-") for f in good)
    assert refused == {"a.zip!/c.dcm": "not_dicom"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "scratch"]
    assert len(list(scratch.iterdir())) == 2


def test_members_come_one_by_one(tmp_path: Path, scratch: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{n}.dcm": DICOM for n in range(5)})
    lazy = discover([path, path], scratch=scratch)
    next(lazy)
    assert len(list(scratch.iterdir())) == 1
    assert len(list(lazy)) == 9
    assert len(list(scratch.iterdir())) == 10


def test_a_zip_in_a_folder_is_opened_and_one_in_a_zip_is_not(tmp_path: Path, scratch: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    inner = zipped(tmp_path / "inner", {"x.dcm": DICOM}).read_bytes()
    zipped(folder / "outer.zip", {"a.dcm": DICOM, "inner.zip": inner})
    good, refused = run(scratch, folder)
    assert [f.label for f in good] == ["in/outer.zip!/a.dcm"]
    assert refused == {"in/outer.zip!/inner.zip": "nested_archive"}


def test_bombs_are_stopped_early(tmp_path: Path, scratch: Path) -> None:
    bomb = zipped(tmp_path / "a.zip", {f"{n}.dcm": DICOM + b"\0" * 40_000_000 for n in range(4)})
    started = time.monotonic()
    good, refused = run(scratch, bomb)
    assert refused == {"a.zip": "archive_too_large"}
    assert len(good) == 1
    _, refused = run(scratch, bomb, Limits(max_file_bytes=1_000_000))
    assert set(refused.values()) == {"too_large"}
    _, refused = run(scratch, bomb, Limits(max_archive_bytes=1_000_000))
    assert refused == {"a.zip": "archive_too_large"}
    assert time.monotonic() - started < 30
    assert sum(p.stat().st_size for p in scratch.iterdir()) < 100_000_000


def test_too_many_members(tmp_path: Path, scratch: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{n}.dcm": DICOM for n in range(30)})
    assert run(scratch, path, Limits(max_archive_members=29)) == ([], {"a.zip": "archive_too_large"})


def test_a_stated_number_of_members_is_believed_before_the_directory_is_read(tmp_path: Path, scratch: Path) -> None:
    data = bytearray(zipped(tmp_path / "a.zip", {"a.dcm": DICOM}).read_bytes())
    at = data.rindex(b"PK\x05\x06")
    data[at + 10 : at + 12] = struct.pack("<H", 60_000)
    (tmp_path / "a.zip").write_bytes(data)
    assert run(scratch, tmp_path / "a.zip", Limits(max_archive_members=1000))[1] == {"a.zip": "archive_too_large"}


def test_blank_images_pack_well_and_pass(tmp_path: Path, scratch: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.dcm": DICOM + b"\0" * 5_000_000})
    assert len(run(scratch, path)[0]) == 1


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_zip_is_refused(tmp_path: Path, scratch: Path, part: float) -> None:
    path = zipped(tmp_path / "a.zip", {"a.dcm": DICOM + os.urandom(5000)})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    assert run(scratch, path) == ([], {"a.zip": "corrupt_archive"})


def test_a_damaged_member_does_not_end_the_archive(tmp_path: Path, scratch: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.dcm": DICOM + b"A" * 100, "b.dcm": DICOM}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"AAAA", b"AAAB", 1))
    good, refused = run(scratch, path)
    assert [f.label for f in good] == ["a.zip!/b.dcm"]
    assert refused == {"a.zip!/a.dcm": "corrupt_archive"}


def test_an_encrypted_member_is_refused(tmp_path: Path, scratch: Path) -> None:
    data = bytearray(zipped(tmp_path / "a.zip", {"a.dcm": DICOM}, zipfile.ZIP_STORED).read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    assert run(scratch, tmp_path / "a.zip")[1] == {"a.zip!/a.dcm": "corrupt_archive"}


def test_an_empty_zip_gives_nothing(tmp_path: Path, scratch: Path) -> None:
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    (tmp_path / "a.zip").write_bytes(empty.getvalue())
    assert run(scratch, tmp_path / "a.zip") == ([], {})
