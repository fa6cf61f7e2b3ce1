from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radiolucent.errors import InputRefused
from radiolucent.prepare.picture import decode_picture
from radiolucent.records.image import DecodedFrame, SourceFile

RAMP = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)


def read(path: Path, **known: object) -> DecodedFrame:
    source = SourceFile(path=path, label=path.name, kind="picture", sha256="0")
    return decode_picture(source, stem="s", **known)  # type: ignore[arg-type]


def refused(path: Path) -> str:
    with pytest.raises(InputRefused) as caught:
        read(path)
    return caught.value.code


@pytest.mark.parametrize("suffix", ["png", "jpg", "avif"])
def test_grey_pictures(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    smooth = np.tile(np.linspace(0, 255, 64, dtype=np.uint8), (64, 1))
    Image.fromarray(smooth).save(path, quality=95)
    frame = read(path, age_years=40.0, patient_left_at="right")
    np.testing.assert_allclose(frame.values, smooth, atol=0 if suffix == "png" else 6)
    np.testing.assert_allclose(frame.display * 255, frame.values, atol=1e-4)
    assert (frame.facts.modality, frame.facts.age_years, frame.facts.patient_left_at) == (None, 40.0, "right")
    assert (frame.facts.rows, frame.facts.columns) == (64, 64)


def test_sixteen_bits_keep_their_depth(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 257, 32768, 65535]], np.uint16)).save(tmp_path / "a.png")
    np.testing.assert_allclose(read(tmp_path / "a.png").display, [[0, 257 / 65535, 32768 / 65535, 1]], atol=1e-7)


def test_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RAMP).save(tmp_path / "a.png", exif=exif)
    frame = read(tmp_path / "a.png")
    assert frame.values.tolist() == np.rot90(RAMP, -1).tolist()
    assert frame.notes == ("orientation_applied",)


def test_equal_channels_tint_and_colour(tmp_path: Path) -> None:
    rgb = np.repeat(RAMP[..., None], 3, axis=2)
    Image.fromarray(rgb).save(tmp_path / "grey.png")
    assert read(tmp_path / "grey.png").values.tolist() == RAMP.tolist()
    tinted = rgb.copy()
    tinted[..., 2] += 12
    Image.fromarray(tinted).save(tmp_path / "tint.png")
    assert read(tmp_path / "tint.png").notes == ("colour_converted",)
    Image.fromarray(np.dstack([RAMP, RAMP[::-1], RAMP[:, ::-1]])).save(tmp_path / "colour.png")
    assert refused(tmp_path / "colour.png") == "colour_image"


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "1"])
def test_other_modes(tmp_path: Path, mode: str) -> None:
    Image.fromarray(RAMP).convert(mode).save(tmp_path / "a.png")
    frame = read(tmp_path / "a.png")
    assert frame.values.shape == RAMP.shape
    if mode != "1":
        np.testing.assert_allclose(frame.values, RAMP, atol=1)


@pytest.mark.parametrize("suffix", ["png", "jpg", "avif"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7])
def test_a_truncated_picture_is_refused(tmp_path: Path, suffix: str, part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200), dtype=np.uint8)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    assert refused(path) in {"damaged_picture", "not_a_picture"}


@pytest.mark.parametrize("size", [(9_600, 10_500), (20_000, 20_000)])
def test_a_picture_beyond_the_cap_is_refused_undecoded(tmp_path: Path, size: tuple[int, int]) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    head = struct.pack(">LLBBBBB", *size, 8, 0, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
    assert refused(path) == "image_too_large"


def test_anything_else_is_not_a_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"hello")
    assert refused(tmp_path / "a.png") == "not_a_picture"
    assert refused(tmp_path / "none.png") == "unreadable"
