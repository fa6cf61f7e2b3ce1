from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from synthetic import decoded, image

from radiolucent.errors import InputRefused
from radiolucent.prepare.lut import full_range_display, lut_of, valid_pixels, window_display

RAMP = np.array([[0, 1, 2, 3, 4]], np.uint16)


# PS3.3 C.11.2.1.2.1 note 3: centre 2048 width 4096 is y = x / 4095; centre 2048 width 1 is a step at 2047.5.
@pytest.mark.parametrize(
    ("function", "centre", "width", "x", "y"),
    [
        ("LINEAR", 2048, 4096, [0, 4095, 2047.5], [0, 1, 0.5]),
        ("LINEAR", 2048, 1, [2047, 2048], [0, 1]),
        ("LINEAR", 40, 80, [-1, 0, 79, 39.5], [0, 0, 1, 0.5]),
        ("LINEAR_EXACT", 40, 80, [0, 40, 80, 100], [0, 0.5, 1, 1]),
        ("SIGMOID", 0, 4, [0, -1e9, 1e9, 1], [0.5, 0, 1, 0.7310586]),
    ],
)
def test_windows_by_hand(function: str, centre: float, width: float, x: list[float], y: list[float]) -> None:
    got = window_display(np.array(x, np.float32), centre=centre, width=width, function=function)  # type: ignore[arg-type]
    np.testing.assert_allclose(got, y, atol=1e-6)
    assert got.dtype == np.float32


def test_a_lut_clamps_at_both_ends_and_scales_by_its_bits() -> None:
    lut = lut_of((3, 10, 8), np.array([0, 51, 255]), is_signed=False)
    assert lut is not None
    assert lut.apply(np.array([0, 10, 11, 12, 99])).tolist() == [0, 0, 51, 255, 255]
    np.testing.assert_allclose(lut.apply_to_display(np.array([11.0, 12.4])), [0.2, 1.0])


def test_a_signed_first_value_written_as_unsigned() -> None:
    lut = lut_of((2, 65535, 16), np.array([7, 9]), is_signed=True)
    assert lut is not None
    assert lut.apply(np.array([-1, 0])).tolist() == [7, 9]


def test_a_lut_that_does_not_fit_its_descriptor_is_none() -> None:
    assert lut_of((5, 0, 8), np.array([1, 2]), is_signed=False) is None
    assert lut_of((2, 0), np.array([1, 2]), is_signed=False) is None


def test_zero_entries_mean_65536() -> None:
    lut = lut_of((0, 0, 16), np.arange(65536), is_signed=False)
    assert lut is not None
    assert lut.data.size == 65536


def test_padding_range_either_way_round() -> None:
    stored = np.array([-2000, -1500, -1000, 5])
    for padding, limit in ((-2000, -1500), (-1500, -2000)):
        found = valid_pixels(stored, padding=padding, range_limit=limit)
        assert found is not None
        assert found.tolist() == [False, False, True, True]
    assert valid_pixels(stored, padding=99) is None
    assert valid_pixels(np.zeros(3), padding=0) is None


def test_a_flat_image_is_black_not_nan() -> None:
    assert full_range_display(np.full((2, 2), 7, np.float32), None).tolist() == [[0, 0], [0, 0]]


def test_rescale_then_window(tmp_path: Path) -> None:
    frame = decoded(
        image(RAMP, RescaleSlope=2, RescaleIntercept=-4, WindowCenter=0.5, WindowWidth=9), tmp_path / "a.dcm"
    )
    assert frame.values.tolist() == [[-4, -2, 0, 2, 4]]
    np.testing.assert_allclose(frame.display, [[0, 0.25, 0.5, 0.75, 1]])
    assert frame.notes == ()


def test_monochrome1_and_inverse_are_one_inversion(tmp_path: Path) -> None:
    plain = {"WindowCenter": 2.5, "WindowWidth": 5}
    for change in (
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
    ):
        frame = decoded(image(RAMP, **plain, **change), tmp_path / "a.dcm")
        np.testing.assert_allclose(frame.display, [[1, 0.75, 0.5, 0.25, 0]])
        assert frame.values.tolist() == [[0, 1, 2, 3, 4]]
        assert frame.notes == ("inverted",)


def test_the_first_usable_window_counts(tmp_path: Path) -> None:
    frame = decoded(image(RAMP, WindowCenter=[9, 2.5, 8], WindowWidth=[0, 5, 80]), tmp_path / "a.dcm")
    np.testing.assert_allclose(frame.display, [[0, 0.25, 0.5, 0.75, 1]])
    assert set(frame.notes) == {"window_ignored", "first_of_several_windows"}


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 5, "WindowWidth": 0}, {"WindowCenter": 5}])
def test_without_a_usable_window_the_valid_range_is_shown(tmp_path: Path, window: dict[str, float]) -> None:
    frame = decoded(image(RAMP, PixelPaddingValue=0, **window), tmp_path / "a.dcm")
    np.testing.assert_allclose(frame.display, [[0, 0, 1 / 3, 2 / 3, 1]], atol=1e-6)
    assert frame.valid is not None
    assert frame.valid.tolist() == [[False, True, True, True, True]]
    assert "no_window" in frame.notes


def test_a_window_that_is_no_number_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    from synthetic import save

    save(image(RAMP, WindowCenter="12345", WindowWidth="67890"), path)
    path.write_bytes(path.read_bytes().replace(b"12345", b"a#b!?"))
    from radiolucent.prepare.decode import frames
    from radiolucent.prepare.header import read_header

    (frame,) = frames(read_header(path), stem="s", sha256="0")
    assert frame.notes == ("window_ignored", "no_window")


def test_padding_stays_black_under_inversion(tmp_path: Path) -> None:
    frame = decoded(image(RAMP, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0), tmp_path / "a.dcm")
    assert frame.display[0, 0] == 0


def lut_item(first: int, data: list[int], bits: int = 8) -> Dataset:
    item = Dataset()
    item.add_new(0x00283002, "US", [len(data), first, bits])
    item.add_new(0x00283006, "US", data)
    return item


def test_modality_lut_and_voi_lut_sequences(tmp_path: Path) -> None:
    dataset = image(RAMP)
    dataset.ModalityLUTSequence = Sequence([lut_item(0, [10, 11, 12, 13, 14])])
    dataset.VOILUTSequence = Sequence([lut_item(10, [255, 204, 153, 102, 51])])
    frame = decoded(dataset, tmp_path / "a.dcm")
    assert frame.values.tolist() == [[10, 11, 12, 13, 14]]
    np.testing.assert_allclose(frame.display, [[1, 0.8, 0.6, 0.4, 0.2]], atol=1e-6)


def test_garbage_above_bits_stored_does_not_count(tmp_path: Path) -> None:
    dirty = np.array([[0xF001, 0xF7FF, 0x0800, 0xFFFF]], np.uint16)
    unsigned = decoded(image(dirty, BitsStored=12, HighBit=11), tmp_path / "a.dcm")
    assert unsigned.values.tolist() == [[1, 2047, 2048, 4095]]
    signed = decoded(image(dirty, BitsStored=12, HighBit=11, PixelRepresentation=1), tmp_path / "b.dcm")
    assert signed.values.tolist() == [[1, 2047, -2048, -1]]


def test_a_high_bit_above_bits_stored_is_shifted_down(tmp_path: Path) -> None:
    frame = decoded(image(np.array([[0x0010, 0xFFF5]], np.uint16), BitsStored=12, HighBit=15), tmp_path / "a.dcm")
    assert frame.values.tolist() == [[1, 4095]]


@pytest.mark.parametrize("kind", ["u1", "i1", "<u2", "<i2", "<u4", "<i4"])
def test_every_integer_kind(tmp_path: Path, kind: str) -> None:
    info = np.iinfo(kind)
    frame = decoded(image(np.array([[info.min, 0, 1, info.max]], kind)), tmp_path / "a.dcm")
    assert frame.values[0].tolist() == [np.float32(info.min), 0, 1, np.float32(info.max)]
    assert frame.display.min() == 0
    assert frame.display.max() == 1


def test_grey_in_colour_is_read_and_colour_is_refused(tmp_path: Path) -> None:
    grey = np.repeat(np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6, 1), 3, axis=2)
    frame = decoded(image(grey), tmp_path / "a.dcm")
    assert frame.values[3, 5] == 230
    assert frame.notes == ("colour_converted",)
    np.testing.assert_allclose(frame.display * 255, grey[..., 0], atol=1e-4)
    overlaid = np.repeat(grey, 100, axis=0)
    overlaid[:5, :, 1:] = 0
    overlaid[:5, :, 0] = 255
    with pytest.raises(InputRefused) as caught:
        decoded(image(overlaid), tmp_path / "b.dcm")
    assert caught.value.code == "colour_image"


def test_one_frame_of_many_is_read_alone(tmp_path: Path) -> None:
    stack = np.arange(24, dtype=np.int16).reshape(3, 2, 4)
    for number in (1, 2, 3):
        frame = decoded(image(stack), tmp_path / "a.dcm", frame_number=number)
        assert frame.values.tolist() == stack[number - 1].tolist()
        assert (frame.facts.frame_number, frame.facts.number_of_frames) == (number, 3)
    with pytest.raises(InputRefused) as caught:
        decoded(image(stack), tmp_path / "a.dcm", frame_number=4)
    assert caught.value.code == "no_such_frame"
