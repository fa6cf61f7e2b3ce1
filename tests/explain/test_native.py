"""Evidence lands on the source pixels that it came from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolucent.explain.explain import completeness_error, explain
from radiolucent.explain.native import native_map
from radiolucent.explain.region import box, peak, region_at_peak
from radiolucent.explain.zones import zone
from radiolucent.prepare.resample import fit_geometry
from radiolucent.records.engine import ChannelSpec, Code, EngineSpec, FindingSpec, InputSpec, Population
from radiolucent.records.geometry import Crop, Geometry, Pad, Scale
from radiolucent.records.image import ImageFacts, Inference


def test_two_cells_interpolate_by_hand() -> None:
    geometry = Geometry(source_shape=(1, 4), steps=(Pad(top=0, bottom=0, left=0, right=0),))
    native = native_map(np.array([[0.0, 4.0]], dtype=np.float32), geometry)
    assert native.tolist() == [[0.0, 1.0, 3.0, 4.0]]


def test_identity_geometry_keeps_cells() -> None:
    evidence = np.arange(12, dtype=np.float32).reshape(3, 4)
    geometry = Geometry(source_shape=(3, 4), steps=(Scale(height=3, width=4),))
    assert np.array_equal(native_map(evidence, geometry), evidence)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    rows, columns = draw(st.integers(20, 90)), draw(st.integers(20, 90))
    top, left = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    geometry = Geometry(source_shape=(rows, columns)).then(
        Crop(row=top, column=left, height=rows - top - draw(st.integers(0, 6)), width=columns - left - 3)
    )
    geometry = geometry.then(Scale(height=draw(st.integers(40, 80)), width=draw(st.integers(40, 80))))
    return geometry.then(Pad(top=draw(st.integers(0, 30)), bottom=7, left=draw(st.integers(0, 30)), right=2))


@given(geometries(), st.data())
def test_a_lit_cell_peaks_on_its_own_source_pixels(geometry: Geometry, data: st.DataObject) -> None:
    height, width = geometry.model_shape
    source = np.array(
        [
            data.draw(st.integers(8, geometry.source_shape[0] - 9)) + 0.5,
            data.draw(st.integers(8, geometry.source_shape[1] - 9)) + 0.5,
        ]
    )
    row, column = np.floor(geometry.to_model(source) / np.array([height, width]) * np.array([10, 12])).astype(int)
    evidence = np.zeros((10, 12), dtype=np.float32)
    evidence[row, column] = 1.0
    at = peak(native_map(evidence, geometry))
    beyond_the_model_the_nearest_cell_counts = np.clip(geometry.to_model(np.array(at) + 0.5), 0, [height, width])
    model = beyond_the_model_the_nearest_cell_counts
    (row_scale, _), (column_scale, _) = geometry.affine
    assert abs(model[0] * 10 / height - (row + 0.5)) <= 0.5 + row_scale * 10 / height
    assert abs(model[1] * 12 / width - (column + 0.5)) <= 0.5 + column_scale * 12 / width


@given(st.integers(600, 1400), st.integers(600, 1400), st.floats(0.7, 1.4))
def test_an_asymmetric_l_survives_the_round_trip(rows: int, columns: int, ratio: float) -> None:
    geometry = fit_geometry((rows, columns), model_shape=(224, 224), pixel_spacing=(ratio, 1.0))
    grid = np.zeros((14, 14), dtype=np.float32)
    grid[5:9, 6] = 1.0
    grid[8, 6:8] = 1.0
    native = native_map(grid, geometry)
    corner = geometry.to_source(np.array([8.5, 6.5]) * 16)
    mirrored = geometry.to_source(np.array([5.5, 7.5]) * 16)
    assert native[int(corner[0]), int(corner[1])] > 0.9
    assert native[int(mirrored[0]), int(mirrored[1])] < 0.2


def test_region_hangs_together_with_the_peak() -> None:
    native = np.array([[9, 8, 0, 7], [0, 5, 0, 7], [0, 0, 0, 7]], dtype=np.float32)
    region = region_at_peak(native, at=peak(native), fraction=0.5)
    assert region.tolist() == [[True, True, False, False], [False, True, False, False], [False] * 4]
    assert box(region) == (0, 0, 2, 2)


def test_region_of_a_large_map_is_judged_on_a_thin_copy() -> None:
    native = np.zeros((1500, 1100), dtype=np.float32)
    native[200:400, 300:500] = 2.0
    native[301, 401] = 3.0
    native[900:1000, 900:1000] = 2.5
    region = region_at_peak(native, at=peak(native), fraction=0.5)
    assert box(region) == (200, 300, 200, 200)


def test_a_map_without_positive_evidence_has_only_its_peak() -> None:
    native = np.full((4, 5), -1.0, dtype=np.float32)
    native[2, 3] = -0.5
    region = region_at_peak(native, at=peak(native), fraction=0.5)
    assert region.sum() == 1
    assert region[2, 3]


@pytest.mark.parametrize(
    ("at", "left_at", "words"),
    [
        ((10, 10), "right", "right upper zone"),
        ((90, 90), "right", "left lower zone"),
        ((90, 90), "left", "right lower zone"),
        ((50, 50), "right", "central mid zone"),
        ((90, 5), None, "left of the picture, lower zone"),
    ],
)
def test_left_is_the_patients_left(at: tuple[int, int], left_at: str | None, words: str) -> None:
    assert zone(at, shape=(100, 100), zones="chest", patient_left_at=left_at) == words  # type: ignore[arg-type]


def test_one_explanation_by_hand() -> None:
    evidence = np.zeros((1, 4, 4), dtype=np.float32)
    evidence[0, 1, 3] = 2.0
    evidence[0, 0, 0] = -0.5
    inference = Inference(
        logits=np.array([1.0], dtype=np.float32), evidence=evidence, embedding=np.zeros(1, dtype=np.float32)
    )
    spec = FindingSpec(
        key="k",
        display="K",
        code=Code(scheme="S", value="V", meaning="M"),
        rank=1,
        critical=True,
        is_localisable=True,
        expected_regions=(),
        display_class="locate",
        bias=-0.5,
        calibration=(1.0, 0.0),
        threshold=0.5,
        map_scale=2.0,
        region_fraction=0.5,
        evidence_level="adequate",
    )
    geometry = Geometry(source_shape=(40, 40), steps=(Scale(height=64, width=64),))
    facts = ImageFacts(stem="x", source_sha256="0", rows=40, columns=40, patient_left_at="right")
    engine = EngineSpec(
        id="e",
        title="E",
        version="1",
        sha256="0",
        license="x",
        method="m",
        population=Population(modalities=("CR",), body_parts=()),
        input=InputSpec(rows=64, columns=64, channels=(ChannelSpec(source="voi"),), mean=0.0, std=1.0),
        findings=(spec,),
        zones="chest",
        device_uid="2.25.1",
    )
    got = explain(inference, [0], engine=engine, geometry=geometry, facts=facts)[0]
    assert got.completeness_error < 1e-9
    assert completeness_error(inference, 0, -0.4) == pytest.approx(0.1)
    assert 10 <= got.peak_row_col[0] < 20
    assert got.peak_row_col[1] >= 30
    assert got.zone == "left mid zone"
    assert got.map.shape == (40, 40)
    row, column, height, width = got.region_box
    assert row >= 5
    assert column >= 25
    assert row + height <= 25
    assert column + width == 40


@pytest.mark.parametrize(
    ("left_at", "words"),
    [("right", "wrist, patient's left, upper third of the film"), (None, "wrist, upper third, right of the picture")],
)
def test_a_limb_names_its_part_first(left_at: str | None, words: str) -> None:
    got = zone((10, 90), shape=(100, 100), zones="image", patient_left_at=left_at, body_part="WRIST")  # type: ignore[arg-type]
    assert got == words
    assert (
        zone((10, 90), shape=(100, 100), zones="chest", patient_left_at="right", body_part="CHEST") == "left upper zone"
    )
