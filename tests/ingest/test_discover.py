from __future__ import annotations

import hashlib
import os
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radiolucent.ingest.content import content_of, stem_of
from radiolucent.ingest.discover import discover
from radiolucent.ingest.limits import Limits
from radiolucent.records.image import Refusal, SourceFile

DICOM = b"\0" * 128 + b"DICM" + b"\2\0\0\0UL\4\0\0\0\0\0"
BARE = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def run(scratch: Path, *paths: Path, limits: Limits | None = None) -> tuple[list[str], dict[str, str], list[str]]:
    """Labels of what was found, codes of what was refused by label, labels of what was skipped."""
    skipped: list[str] = []
    found = list(discover(paths, scratch=scratch, limits=limits, on_skip=skipped.append))
    good = [f.label for f in found if isinstance(f, SourceFile)]
    return good, {f.label: f.code for f in found if isinstance(f, Refusal)}, skipped


def test_content_decides_not_the_name(folder: Path, scratch: Path) -> None:
    (folder / "a.txt.dat").write_bytes(DICOM)
    (folder / "b").write_bytes(BARE)
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(folder / "c.dcm", format="PNG")
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(folder / "d.bin", format="AVIF")
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(folder / "e.jpg")
    (folder / "page.dcm").write_bytes(b"<!DOCTYPE html>" + b" " * 300)
    found = list(discover([folder], scratch=scratch))
    kinds = [f.kind if isinstance(f, SourceFile) else f.code for f in found]
    assert kinds == ["dicom", "dicom", "picture", "picture", "picture", "not_dicom"]
    first = found[0]
    assert isinstance(first, SourceFile)
    assert first.sha256 == hashlib.sha256(DICOM).hexdigest()
    assert found[-1].sha256 == hashlib.sha256((folder / "page.dcm").read_bytes()).hexdigest()


def test_a_picture_in_the_preamble_is_still_dicom() -> None:
    assert content_of(b"\x89PNG\r\n\x1a\n".ljust(128, b"\0") + b"DICM") == "dicom"
    assert content_of(b"\x08\x00 all text") == "other"
    assert content_of(b"") == "other"


def test_folders_are_walked_sorted_and_pass_over_what_is_no_image(folder: Path, scratch: Path) -> None:
    for name in ("b/2", "b/10", "a/x", "c", "b/labels.csv", "DICOMDIR", ".hidden", ".git/x", "b/report.pdf"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(DICOM)
    good, refused, skipped = run(scratch, folder)
    assert good == ["in/a/x", "in/b/10", "in/b/2", "in/c"]
    assert refused == {}
    assert sorted(skipped) == ["in/.git", "in/.hidden", "in/DICOMDIR", "in/b/labels.csv", "in/b/report.pdf"]


def test_a_named_file_is_never_skipped(folder: Path, scratch: Path) -> None:
    (folder / "notes.txt").write_bytes(b"hello")
    (folder / "DICOMDIR").write_bytes(DICOM)
    good, refused, skipped = run(scratch, folder / "notes.txt", folder / "DICOMDIR", folder / "missing")
    assert (good, refused, skipped) == (["DICOMDIR"], {"notes.txt": "not_dicom", "missing": "unreadable"}, [])


def test_what_cannot_be_read_is_refused_without_waiting(folder: Path, scratch: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to(folder / "nowhere")
    (folder / "null").symlink_to(os.devnull)
    (folder / "empty.dcm").touch()
    (folder / "large.dcm").write_bytes(DICOM + b"\0" * 1000)
    _, refused, _ = run(scratch, folder, limits=Limits(max_file_bytes=500))
    assert refused == {
        "in/dangling": "unreadable",
        "in/empty.dcm": "empty_file",
        "in/large.dcm": "too_large",
        "in/null": "unreadable",
        "in/pipe": "unreadable",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_and_folders_without_permission(folder: Path, scratch: Path) -> None:
    (folder / "a").write_bytes(DICOM)
    (folder / "a").chmod(0)
    (folder / "sub").mkdir(mode=0)
    _, refused, _ = run(scratch, folder)
    (folder / "sub").chmod(0o700)
    assert refused == {"in/a": "unreadable", "in/sub": "unreadable"}


def test_loops_of_links_end(folder: Path, scratch: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "a").write_bytes(DICOM)
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")
    good, refused, skipped = run(scratch, folder)
    assert good == ["in/sub/a"]
    assert refused == {"in/self": "unreadable"}
    assert skipped == ["in/sub/up"]


def test_labels_have_no_control_characters(folder: Path, scratch: Path) -> None:
    (folder / "a\n\x1b[31m.dcm").write_bytes(DICOM)
    good, _, _ = run(scratch, folder)
    assert good == ["in/a??[31m.dcm"]


@pytest.mark.parametrize(
    ("label", "stem"),
    [
        ("in/IM 01.dcm", "IM_01"),
        ("x/1.2.840.5", "1.2.840.5"),
        ("1.2.3.dcm", "1.2.3"),
        ("a.zip!/../../etc/passwd", "passwd"),
        ("..", "image"),
        ("ä", "image"),
        ("x" * 300, "x" * 150),
    ],
)
def test_stems_are_safe_names(label: str, stem: str) -> None:
    assert stem_of(label) == stem


def test_memory_stays_flat_and_the_first_comes_at_once(folder: Path, scratch: Path) -> None:
    for part in range(20):
        (folder / f"{part:02d}").mkdir()
        for number in range(100):
            (folder / f"{part:02d}" / f"{number:04d}.dcm").write_bytes(DICOM)
    tracemalloc.start()
    assert sum(1 for _ in discover([folder], scratch=scratch)) == 2000
    assert tracemalloc.get_traced_memory()[1] < 3_000_000
    tracemalloc.stop()
    lazy = discover([folder], scratch=scratch)
    next(lazy)
    shutil.rmtree(folder / "19")
    rest = list(lazy)
    assert sum(isinstance(f, SourceFile) for f in rest) == 1899
    assert [f.label for f in rest if isinstance(f, Refusal)] == ["in/19"]
