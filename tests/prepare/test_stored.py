"""One table over the images that come with pydicom; values cross-checked with pydicom's own reference or GDCM."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from radiolucent.errors import InputRefused
from radiolucent.prepare.decode import decode, frames
from radiolucent.prepare.facts import facts
from radiolucent.prepare.header import read_header

MR = {(0, 31): 422, (0, 32): 319, (31, 0): 366, (31, 2): 322, (63, 61): 1369, (63, 63): 862}


@dataclass(frozen=True)
class Reference:
    name: str
    shape: tuple[int, int]
    values: dict[tuple[int, int], float]
    frames: int = 1
    notes: tuple[str, ...] = ()
    tolerance: float = 0.0


REFERENCES = [
    Reference("MR_small.dcm", (64, 64), MR),
    Reference("MR_small_implicit.dcm", (64, 64), MR),
    Reference("MR_small_bigendian.dcm", (64, 64), MR),
    Reference("MR_small_expb.dcm", (64, 64), MR),
    Reference("MR_small_RLE.dcm", (64, 64), MR),
    Reference("MR_small_jp2klossless.dcm", (64, 64), MR),
    Reference("MR_small_jpeg_ls_lossless.dcm", (64, 64), MR),
    Reference("MR_small_padded.dcm", (64, 64), MR, notes=("excess_pixel_data",)),
    Reference("CT_small.dcm", (128, 128), {(0, 0): 175 - 1024, (0, 1): 180 - 1024}, notes=("no_window",)),
    Reference("image_dfl.dcm", (512, 512), {(128, 128): 41, (256, 256): 65}, notes=("no_window",)),
    # JPEG 2000 codestream unsigned, Pixel Representation signed: air around the head is about -1000 HU (padding -2000).
    Reference(
        "J2K_pixelrep_mismatch.dcm",
        (512, 512),
        {(128, 128): -57, (256, 256): 27, (384, 256): 14},
        notes=("first_of_several_windows",),
    ),
    Reference("693_J2KI.dcm", (512, 512), {(256, 256): 32, (128, 128): -952}, tolerance=1),
    Reference("JPEGLSNearLossless_08.dcm", (45, 10), {(11, 2): 65, (22, 5): 15}, notes=("no_window",)),
    Reference("JPEGLSNearLossless_16.dcm", (50, 10), {(12, 2): 16385, (25, 5): 255}, notes=("no_window",)),
    # 12-bit JPEG Extended: GDCM itself, pydicom's plugin declines it.
    Reference("JPGExtended.dcm", (1024, 256), {(256, 64): 23, (512, 128): 14}, notes=("no_window",), tolerance=1),
    Reference("JPEG-lossy.dcm", (1024, 256), {(256, 64): 23, (512, 128): 14}, notes=("no_window",), tolerance=1),
    Reference("examples_overlay.dcm", (300, 484), {(75, 121): 146}, notes=("first_of_several_windows",)),
    Reference("examples_palette.dcm", (350, 800), {(87, 200): 256}, notes=("colour_converted",)),
    Reference("SC_rgb_jpeg.dcm", (256, 256), {(64, 64): 244}, notes=("colour_converted",)),
    Reference("examples_ybr_color.dcm", (240, 320), {(60, 80): 0}, frames=30, notes=("colour_converted",)),
]


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: r.name)
def test_reference(reference: Reference) -> None:
    instance = read_header(file(reference.name))
    assert instance.layout.frames == reference.frames
    frame = next(frames(instance, stem="s", sha256="0"))
    assert frame.values.shape == frame.display.shape == reference.shape
    assert frame.values.dtype == frame.display.dtype == np.float32
    assert 0 <= frame.display.min() < frame.display.max() <= 1
    assert frame.notes == reference.notes
    for (row, column), value in reference.values.items():
        assert abs(frame.values[row, column] - value) <= reference.tolerance


REFUSED = {
    "colour_image": "SC_rgb_rle.dcm SC_rgb_rle_16bit_2frame.dcm SC_rgb_jls_lossy_line.dcm examples_rgb_color.dcm "
    "SC_rgb_small_odd_big_endian.dcm examples_jpeg2k.dcm GDCMJ2K_TextGBR.dcm SC_ybr_full_422_uncompressed.dcm "
    "SC_rgb_dcmtk_+eb+cy+np.dcm ExplVR_BigEnd.dcm",
    "not_a_source_image": "liver_1frame.dcm rtdose.dcm rtdose_rle.dcm rtplan.dcm test-SR.dcm waveform_ecg.dcm "
    "badVR.dcm reportsi.dcm ExplVR_LitEndNoMeta.dcm DICOMDIR",
    "no_pixel_data": "UN_sequence.dcm priv_SQ.dcm empty_charset_LEI.dcm",
    "truncated_file": "MR_truncated.dcm rtplan_truncated.dcm",
    "invalid_uid": "nested_priv_SQ.dcm meta_missing_tsyntax.dcm",
    "pixel_data_mismatch": "JPEG2000-embedded-sequence-delimiter.dcm",
    "unsupported_pixel_format": "SC_rgb_rle_32bit.dcm",
}


@pytest.mark.parametrize(("name", "code"), [(n, c) for c, names in REFUSED.items() for n in names.split()])
def test_refused(name: str, code: str) -> None:
    with pytest.raises(InputRefused) as caught:
        next(frames(read_header(file(name)), stem="s", sha256="0"))
    assert caught.value.code == code


def file(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path)


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "693_J2KI.dcm", "MR_small_jpeg_ls_lossless.dcm"])
def test_gdcm_reading_the_whole_file_agrees(name: str) -> None:
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(file(name)))
    assert reader.Read()
    image = reader.GetImage()
    kind = "<i2" if image.GetPixelFormat().GetPixelRepresentation() else "<u2"
    stored = np.frombuffer(image.GetBuffer().encode("utf-8", "surrogateescape"), kind)
    frame = next(frames(read_header(file(name)), stem="s", sha256="0"))
    theirs = stored.reshape(frame.values.shape) * image.GetSlope() + image.GetIntercept()
    np.testing.assert_allclose(frame.values, theirs, atol=1)


@pytest.mark.parametrize("name", ["MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "JPGExtended.dcm"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_compressed_file_cut_short_is_refused(tmp_path: Path, name: str, part: float) -> None:
    data = file(name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(InputRefused) as caught:
        next(frames(read_header(path), stem="s", sha256="0"))
    assert caught.value.code in {"truncated_file", "no_pixel_data"}


def test_a_codestream_of_another_size_never_reaches_its_codec(tmp_path: Path) -> None:
    data = bytearray(file("MR_small_jp2klossless.dcm").read_bytes())
    at = data.index(b"\xff\x4f\xff\x51") + 8
    data[at : at + 8] = b"\x00\x00\xff\xff\x00\x00\xff\xff"
    path = tmp_path / "bomb.dcm"
    path.write_bytes(data)
    with pytest.raises(InputRefused) as caught:
        next(frames(read_header(path), stem="s", sha256="0"))
    assert caught.value.code == "pixel_data_mismatch"


def test_threads_get_what_one_thread_gets_and_warnings_stay_contained() -> None:
    names = [r.name for r in REFERENCES if r.frames == 1] * 4
    before = list(warnings.filters)

    def mean(name: str) -> float:
        return float(next(frames(read_header(file(name)), stem="s", sha256="0")).display.mean())

    alone = [mean(name) for name in names]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(mean, names))
    assert together == alone
    assert list(warnings.filters) == before


def test_threads_share_one_instance() -> None:
    instance = read_header(file("examples_ybr_color.dcm"))
    said = facts(instance.dataset, stem="s", sha256="0")

    def mean(number: int) -> float:
        return float(decode(instance, facts=said, frame_number=number).display.mean())

    alone = [mean(n) for n in range(1, 31)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(mean, range(1, 31))) == alone
