from __future__ import annotations

import os
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import EncapsulatedPDFStorage, MRImageStorage, SegmentationStorage
from synthetic import UID, decoded, element, image, raw_file, save

from radiolucent.errors import InputRefused
from radiolucent.prepare.header import read_header

PIXELS = np.arange(12, dtype=np.uint16).reshape(3, 4)


def refused(path: Path) -> str:
    with pytest.raises(InputRefused) as caught:
        read_header(path)
    assert "Secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value.code


def test_a_sound_file_gives_its_layout(tmp_path: Path) -> None:
    instance = read_header(save(image(PIXELS), tmp_path / "a.dcm"))
    assert (instance.layout.rows, instance.layout.columns, instance.layout.frames) == (3, 4, 1)
    assert "PixelData" not in instance.dataset
    assert instance.notes == ()


CHANGES = [
    ({"SOPInstanceUID": None}, "invalid_uid"),
    ({"SOPInstanceUID": "../../etc/passwd"}, "invalid_uid"),
    ({"SOPInstanceUID": "1." * 40 + "1"}, "invalid_uid"),
    ({"SOPInstanceUID": "1.2.x"}, "invalid_uid"),
    ({"SOPInstanceUID": "1..2"}, "invalid_uid"),
    ({"SeriesInstanceUID": "../up"}, "invalid_uid"),
    ({"PixelData": None}, "no_pixel_data"),
    ({"Rows": None}, "bad_dimensions"),
    ({"Columns": 0}, "bad_dimensions"),
    ({"Rows": 65535, "Columns": 65535}, "image_too_large"),
    ({"NumberOfFrames": 10**6}, "image_too_large"),
    ({"NumberOfFrames": 2}, "pixel_data_mismatch"),
    ({"Rows": 4}, "pixel_data_mismatch"),
    ({"BitsAllocated": 1, "BitsStored": 1}, "unsupported_pixel_format"),
    ({"BitsAllocated": None}, "unsupported_pixel_format"),
    ({"SamplesPerPixel": 4}, "unsupported_pixel_format"),
    ({"PhotometricInterpretation": "CMYK"}, "unsupported_pixel_format"),
    ({"SOPClassUID": SegmentationStorage}, "not_a_source_image"),
    ({"SOPClassUID": EncapsulatedPDFStorage}, "not_a_source_image"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.30"}, "not_a_source_image"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2"}, "not_a_source_image"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.6"}, "not_a_source_image"),
    ({"Modality": "SEG"}, "not_a_source_image"),
    ({"Manufacturer": "Radiolucent"}, "not_a_source_image"),
]


@pytest.mark.parametrize(("change", "code"), CHANGES)
def test_a_bad_header_is_refused(tmp_path: Path, change: dict[str, object], code: str) -> None:
    import pydicom

    with pydicom.config.disable_value_validation():
        path = save(image(PIXELS, **change), tmp_path / "a.dcm")
    assert refused(path) == code


def test_rows_that_halve_the_image_do_not_pass(tmp_path: Path) -> None:
    big = np.zeros((128, 128), np.uint16)
    assert refused(save(image(big, Rows=64), tmp_path / "a.dcm")) == "pixel_data_mismatch"


def test_float_pixels_are_a_map_not_an_image(tmp_path: Path) -> None:
    dataset = image(PIXELS, PixelData=None, BitsAllocated=32)
    dataset.FloatPixelData = np.zeros(12, np.float32).tobytes()
    assert refused(save(dataset, tmp_path / "a.dcm")) == "not_a_source_image"


def test_an_unknown_transfer_syntax_is_named(tmp_path: Path) -> None:
    path = save(image(PIXELS), tmp_path / "a.dcm")
    data = path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.113619.5.2\0\0")
    path.write_bytes(data)
    with pytest.raises(InputRefused, match=r"1\.2\.840\.113619\.5\.2") as caught:
        read_header(path)
    assert caught.value.code == "cannot_decode"


def test_without_preamble_and_meta_the_transfer_syntax_is_guessed(tmp_path: Path) -> None:
    dataset = image(PIXELS)
    del dataset.file_meta
    path = tmp_path / "bare"
    dataset.save_as(path, implicit_vr=False, little_endian=True)
    assert read_header(path).notes == ("transfer_syntax_guessed",)


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html><html>" + b"x" * 400, b"", b"\0" * 2000, b"\x89PNG\r\n\x1a\n" + b"\0" * 300]
)
def test_anything_else_is_not_dicom(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    assert refused(path) == "not_dicom"


def test_a_missing_file_and_a_pipe_are_unreadable(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.dcm") == "unreadable"
    os.mkfifo(tmp_path / "pipe")
    started = time.monotonic()
    assert refused(tmp_path / "pipe") == "unreadable"
    assert refused(Path(os.devnull)) == "unreadable"
    assert time.monotonic() - started < 5


def nested(depth: int, *, defined: bool) -> bytes:
    content = b""
    for _ in range(depth):
        if defined:
            item = struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content
            content = element(0x0040, 0xA730, b"SQ", item)
        else:
            open_item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
            close = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
            content = element(0x0040, 0xA730, b"SQ", open_item + content + close, 0xFFFFFFFF)
    return content


@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("depth", [40, 900, 10_000])
def test_deep_nesting_is_refused(tmp_path: Path, depth: int, defined: bool) -> None:
    path = tmp_path / "deep.dcm"
    path.write_bytes(raw_file(element(8, 0x0018, b"UI", b"1.2\0"), nested(depth, defined=defined)))
    assert refused(path) == "too_deeply_nested"


def test_a_private_sequence_of_normal_depth_passes(tmp_path: Path) -> None:
    path = tmp_path / "deep.dcm"
    path.write_bytes(raw_file(element(8, 0x0018, b"UI", b"1.2\0"), nested(20, defined=True)))
    assert refused(path) == "no_pixel_data"


@pytest.mark.parametrize("vr", [b"OB", b"UN", b"UT", b"SQ"])
def test_a_length_of_4_gb_neither_passes_nor_allocates(tmp_path: Path, vr: bytes) -> None:
    path = tmp_path / "long.dcm"
    inner = element(0x0008, 0x0100, vr, b"", 0xFFFFFFF0)
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFF0) + inner
    tracemalloc.start()
    for body in (inner, element(0x0040, 0xA730, b"SQ", item, 0xFFFFFFFF)):
        path.write_bytes(raw_file(element(8, 0x0018, b"UI", b"1.2\0"), body))
        assert refused(path) in {"truncated_file", "unreadable_header", "no_pixel_data"}
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def test_absurd_sizes_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = save(image(PIXELS, Rows=10_001, Columns=10_000), tmp_path / "a.dcm")
    tracemalloc.start()
    assert refused(path) == "image_too_large"
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 10_000))
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path, cut: int) -> None:
    whole = save(image(PIXELS, StudyDescription="x" * 50), tmp_path / "whole.dcm").read_bytes()
    path = tmp_path / "cut.dcm"
    path.write_bytes(whole[: cut % len(whole)])
    assert refused(path) in {"truncated_file", "not_dicom", "unreadable_header", "no_pixel_data", "invalid_uid"}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255), count=st.integers(1, 8))
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, at: int, byte: int, count: int) -> None:
    whole = bytearray(save(image(PIXELS), tmp_path / "whole.dcm").read_bytes())
    at = 132 + at % (len(whole) - 140)
    whole[at : at + count] = bytes([byte]) * count
    path = tmp_path / "damaged.dcm"
    path.write_bytes(whole)
    said = ""
    try:
        read_header(path)
    except InputRefused as error:
        said = str(error)
    assert "Secret" not in said


def test_a_deflate_bomb_is_refused() -> None:
    import zlib

    from radiolucent.prepare import bounded

    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(b"\0" * 50_000_000) + packer.flush()
    with pytest.raises(InputRefused) as caught:
        bounded.inflate(packed, limit=10_000_000)
    assert caught.value.code == "image_too_large"


def test_an_mr_image_of_another_maker_is_a_source(tmp_path: Path) -> None:
    frame = decoded(image(PIXELS, SOPClassUID=MRImageStorage, Modality="MR"), tmp_path / "a.dcm")
    assert frame.facts.sop_instance_uid == UID
