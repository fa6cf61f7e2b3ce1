from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from radiolucent.prepare.intensity import stretch
from radiolucent.prepare.model_input import model_input
from radiolucent.prepare.picture import decode_picture
from radiolucent.prepare.resample import fit_geometry, resample
from radiolucent.records.engine import ChannelSpec, InputSpec
from radiolucent.records.geometry import Crop, Geometry, Pad, Scale
from radiolucent.records.image import DecodedFrame, ImageFacts, SourceFile

VOI = ChannelSpec(source="voi")
BRAIN = ChannelSpec(source="hu_window", centre=40, width=80)
BONE = ChannelSpec(source="hu_window", centre=600, width=2800)


def spec(*channels: ChannelSpec, size: int = 8, mean: float = 0.0, std: float = 1.0) -> InputSpec:
    return InputSpec(rows=size, columns=size, channels=channels, mean=mean, std=std)


def ct(values: np.ndarray, **more: object) -> DecodedFrame:
    said = ImageFacts(
        stem="s", source_sha256="0", rows=values.shape[0], columns=values.shape[1], modality="CT", sop_instance_uid="1"
    )
    display = np.full(values.shape, 0.25, np.float32)
    return DecodedFrame(facts=said, values=values.astype(np.float32), display=display, **more)  # type: ignore[arg-type]


def test_each_channel_takes_its_source_and_is_normalised() -> None:
    made = model_input(ct(np.full((8, 8), 20.0)), spec(VOI, BRAIN, BONE, mean=0.45, std=0.225))
    raw = made.array * 0.225 + 0.45
    np.testing.assert_allclose(raw[:, 4, 4], [0.25, 0.25, (20 + 800) / 2800], atol=1e-6)
    assert made.array.dtype == np.float32


def test_a_picture_fills_the_first_channel_only(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 51, np.uint8)).save(tmp_path / "a.png")
    source = SourceFile(path=tmp_path / "a.png", label="a", kind="picture", sha256="0")
    made = model_input(decode_picture(source, stem="s"), spec(BRAIN, BONE))
    np.testing.assert_allclose(made.array[:, 0, 0], [0.2, 0.0], atol=1e-6)


def test_padding_pixels_are_black_as_training_saw_them() -> None:
    values = np.tile(np.linspace(0, 80, 8), (8, 1))
    valid = np.ones((8, 8), bool)
    values[:, :2], valid[:, :2] = 3000, False
    stretched = ChannelSpec(source="hu_window", centre=40, width=80, stretch=(0, 100))
    made = model_input(ct(values, valid=valid), spec(stretched))
    assert made.array[0, :, :2].max() == 0
    np.testing.assert_allclose(made.array[0, 0, 2:], np.linspace(0, 80, 8)[2:] / 80, atol=1e-6)


def test_pixels_that_are_not_square_are_made_square() -> None:
    frame = ct(np.zeros((8, 8)))
    from dataclasses import replace

    wide = replace(frame, facts=replace(frame.facts, pixel_spacing_mm=(0.5, 1.0)))
    assert model_input(wide, spec(VOI)).geometry.steps[0] == Scale(height=4, width=8)
    ratio = replace(frame, facts=replace(frame.facts, pixel_aspect_ratio=(2.0, 1.0)))
    assert model_input(ratio, spec(VOI)).geometry.steps[0] == Scale(height=8, width=4)


@pytest.mark.parametrize("percentiles", [None, (1.0, 99.0)])
def test_it_is_what_training_saw(tmp_path: Path, percentiles: tuple[float, float] | None) -> None:
    """The steps of ``training/data.py``, ``load_channels``, which quantises to 8 bits at its end."""
    rng = np.random.default_rng(1)
    picture = (rng.random((70, 45)) ** 2 * 255).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    display = np.asarray(Image.open(tmp_path / "a.png").convert("L"), dtype=np.float32) / 255.0
    if percentiles is not None:
        display = stretch(display, percentiles=percentiles)
    seen = np.clip(np.round(resample(display, fit_geometry((70, 45), model_shape=(32, 32))) * 255), 0, 255) / 255
    source = SourceFile(path=tmp_path / "a.png", label="a", kind="picture", sha256="0")
    made = model_input(decode_picture(source, stem="s"), spec(ChannelSpec(source="voi", stretch=percentiles), size=32))
    assert np.abs(made.array[0] - seen).max() <= 0.5 / 255 + 1e-6


# An L: its corner is where the long arm (down) and the short arm (right) meet, so no flip or transpose looks the same.
@st.composite
def ways(draw: st.DrawFn) -> Geometry:
    rows, columns = draw(st.integers(40, 90)), draw(st.integers(40, 90))
    way = Geometry(source_shape=(rows, columns))
    for kind in draw(st.lists(st.sampled_from(["crop", "pad", "scale"]), min_size=1, max_size=4)):
        height, width = way.model_shape
        if kind == "crop":
            top, left = draw(st.integers(0, 4)), draw(st.integers(0, 4))
            step: Crop | Pad | Scale = Crop(
                row=top,
                column=left,
                height=height - top - draw(st.integers(0, 4)),
                width=width - left - draw(st.integers(0, 4)),
            )
        elif kind == "pad":
            sides = draw(st.tuples(*[st.integers(0, 9)] * 4))
            step = Pad(top=sides[0], bottom=sides[1], left=sides[2], right=sides[3])
        else:
            scale = st.floats(0.7, 2.5)
            step = Scale(height=round(height * draw(scale)), width=round(width * draw(scale)))
        way = way.then(step)
    return way


@settings(deadline=None, max_examples=100)
@given(way=ways(), points=st.lists(st.tuples(st.floats(-9, 99), st.floats(-9, 99)), min_size=1, max_size=5))
def test_there_and_back_is_where_one_was(way: Geometry, points: list[tuple[float, float]]) -> None:
    source = np.array(points)
    np.testing.assert_allclose(way.to_source(way.to_model(source)), source, atol=1e-6)


@settings(deadline=None, max_examples=100)
@given(way=ways(), data=st.data())
def test_a_marker_lands_where_the_geometry_says(way: Geometry, data: st.DataObject) -> None:
    rows, columns = way.source_shape
    top, left = data.draw(st.integers(17, rows - 22)), data.draw(st.integers(17, columns - 22))
    image = np.zeros((rows, columns), np.float32)
    arms = {"long": (top, left, 6, 2), "short": (top + 4, left + 2, 2, 3)}
    for r, c, height, width in arms.values():
        image[r : r + height, c : c + width] = 1
    landed = resample(image, way)
    assert landed.shape == way.model_shape
    total = landed.sum()
    (row_scale, _), (column_scale, _) = way.affine
    # 17 pixels of margin keep it from being cropped: its weight stays, up to the phase of repeated shrinking.
    np.testing.assert_allclose(total, image.sum() * row_scale * column_scale, rtol=0.3)
    grid = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in landed.shape), indexing="ij"), axis=-1)
    mean = (grid * landed[..., None]).sum((0, 1)) / total
    source_grid = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in image.shape), indexing="ij"), axis=-1)
    expected = way.to_model((source_grid * image[..., None]).sum((0, 1)) / image.sum())
    # A shift by half a pixel, of the source or of the model, whichever is larger, would show.
    assert (np.abs(mean - expected) < 0.25 * np.maximum(1, (row_scale, column_scale))).all()
    # The asymmetry itself: the skew of the L along both axes keeps its sign.
    for axis in (0, 1):
        off, source_off = grid[..., axis] - mean[axis], source_grid[..., axis] - way.to_source(mean)[axis]
        assert np.sign((off**3 * landed).sum()) == np.sign((source_off**3 * image).sum())
