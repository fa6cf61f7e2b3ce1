"""Evidence among regions, and what regions measure, on drawn rectangles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from radiolucent.explain.anatomy import Drawn, _median, coverage, crop_to_source, expected_region, measure, share_inside
from radiolucent.explain.marker import marker_under
from radiolucent.explain.zones import zone
from radiolucent.records.engine import Anatomy, ChannelSpec, Code, EngineSpec, FindingSpec, InputSpec, Population
from radiolucent.records.geometry import Geometry, Pad, Scale
from radiolucent.records.image import ImageFacts, Inference

GRID = 64
FACTS = ImageFacts(stem="x", source_sha256="0", rows=256, columns=256, patient_left_at="right", view="PA")
FINDING = FindingSpec(
    key="pneumothorax",
    display="P",
    code=Code(scheme="S", value="V", meaning="M"),
    rank=1,
    critical=True,
    is_localisable=True,
    expected_regions=("lung",),
    display_class="locate",
    bias=0.0,
    calibration=(1.0, 0.0),
    threshold=0.5,
    map_scale=1.0,
    region_fraction=0.5,
    evidence_level="adequate",
)
ENGINE = EngineSpec(
    id="e",
    title="E",
    version="1",
    sha256="0",
    license="x",
    method="m",
    population=Population(modalities=("CR",), body_parts=()),
    input=InputSpec(rows=256, columns=256, channels=(ChannelSpec(source="voi"),), mean=0.0, std=1.0),
    findings=(FINDING,),
    zones="chest",
    device_uid="2.25.1",
    anatomy=Anatomy(
        regions=("right_lung", "left_lung", "heart_mediastinum"), groups={"lung": ("right_lung", "left_lung")}, margin=0
    ),
)


def chest(*, heart: tuple[int, int] = (24, 44), evidence: np.ndarray | None = None) -> Inference:
    """Lungs from column 4 to 22 (the patient's right) and 38 to 60; rows 8 to 56; a heart below."""
    anatomy = np.zeros((3, GRID, GRID), dtype=np.float32)
    anatomy[0, 8:56, 4:22] = 1
    anatomy[1, 8:56, 38:60] = 1
    anatomy[2, 30:56, heart[0] : heart[1]] = 1
    grid = np.zeros((1, 32, 32), dtype=np.float32) if evidence is None else evidence[None].astype(np.float32)
    return Inference(
        logits=np.zeros(1, dtype=np.float32), evidence=grid, embedding=np.zeros(2, np.float32), anatomy=anatomy
    )


def test_a_share_is_counted_over_positive_evidence_alone() -> None:
    evidence = np.zeros((32, 32), dtype=np.float32)
    evidence[10, 5], evidence[10, 14], evidence[20, 20] = 3.0, 1.0, -50.0
    inside = expected_region(chest(), ENGINE, ("lung",))
    assert inside is not None
    cover = coverage(inside, evidence.shape)
    assert share_inside(evidence, cover) == pytest.approx(0.75)
    assert share_inside(-np.ones((32, 32), np.float32), cover) is None


def test_cells_on_an_edge_count_by_their_cover() -> None:
    region = np.zeros((64, 64), dtype=bool)
    region[:, :5] = True
    assert coverage(region, (32, 32))[0, :4].tolist() == [1.0, 1.0, 0.5, 0.0]


def test_no_region_means_no_agreement() -> None:
    blank = replace(chest(), anatomy=np.zeros((3, GRID, GRID), dtype=np.float32))
    assert expected_region(blank, ENGINE, ("lung",)) is None
    assert expected_region(chest(), ENGINE, ("spleen",)) is None
    assert expected_region(replace(chest(), anatomy=None), ENGINE, ("lung",)) is None
    assert expected_region(chest(), replace(ENGINE, anatomy=None), ("lung",)) is None


def test_noise_is_no_anatomy() -> None:
    noise = np.random.default_rng(1).random((3, GRID, GRID)).astype(np.float32)
    speckled = replace(chest(), anatomy=noise)
    assert expected_region(speckled, ENGINE, ("lung",)) is None
    assert Drawn(speckled, ENGINE).frame(Geometry(source_shape=(256, 256))) is None
    assert measure(speckled, ENGINE, facts=FACTS).cardiothoracic_ratio is None


def test_ratios_by_hand() -> None:
    evidence = np.zeros((32, 32))
    evidence[10, 5] = 1.0
    got = measure(chest(evidence=evidence), ENGINE, facts=FACTS)
    assert got.cardiothoracic_ratio == pytest.approx(20 / 56, abs=0.02)
    assert got.mediastinal_ratio == pytest.approx(16 / 56, abs=0.02)
    assert got.shift == pytest.approx((34 - 32) / 56, abs=0.01)
    assert got.sides["pneumothorax"] == (1.0, 0.0)


def test_a_mirrored_film_mirrors_the_shift() -> None:
    mirrored = measure(chest(), ENGINE, facts=replace(FACTS, patient_left_at="left"))
    plain = measure(chest(), ENGINE, facts=FACTS)
    assert mirrored.shift == pytest.approx(-plain.shift)  # type: ignore[operator]


def test_without_lungs_nothing_is_measured() -> None:
    blank = replace(chest(), anatomy=np.zeros((3, GRID, GRID), dtype=np.float32))
    got = measure(blank, ENGINE, facts=FACTS)
    assert (got.cardiothoracic_ratio, got.mediastinal_ratio, got.shift) == (None, None, None)
    head = Anatomy(regions=("head", "brain", "skull"), groups={}, margin=0)
    assert measure(chest(), replace(ENGINE, anatomy=head), facts=FACTS).sides == {}


def test_zones_are_thirds_of_the_anatomy_not_of_the_picture() -> None:
    geometry = Geometry(source_shape=(256, 256))
    box = Drawn(chest(), ENGINE).frame(geometry)
    assert box == (32.0, 16.0, 224.0, 240.0)
    at = (90, 30)
    assert zone(at, shape=(256, 256), zones="chest", patient_left_at="right") == "right mid zone"
    assert zone(at, shape=(256, 256), zones="chest", patient_left_at="right", frame=box) == "right upper zone"


def test_padding_is_cut_from_the_regions() -> None:
    geometry = Geometry(
        source_shape=(100, 200),
        steps=(Scale(height=128, width=256), Pad(top=64, bottom=64, left=0, right=0)),
    )
    anatomy = np.zeros((1, 64, 64), dtype=np.float32)
    anatomy[:, 16:48] = 1.0
    cut = crop_to_source(anatomy, geometry)
    assert cut.shape == (1, 32, 64)
    assert (cut == 1).all()


def test_a_letter_under_the_peak_is_seen_and_bone_is_not() -> None:
    film = np.full((200, 200), 60, dtype=np.uint8)
    film[20:32, 20:24] = 255
    film[20:24, 20:30] = 255
    assert marker_under((25, 24), film)
    assert not marker_under((150, 150), film)
    bone = np.full((200, 200), 60, dtype=np.uint8)
    bone[:, 80:120] = np.linspace(180, 254, 40).astype(np.uint8)
    assert not marker_under((100, 110), bone)


@pytest.mark.parametrize("seed", range(40))
def test_the_median_of_a_mask_is_scipys(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random((random.integers(3, 40), random.integers(3, 40))) < random.random()
    theirs = ndimage.median_filter(mask.astype(np.uint8), 3).astype(bool)
    np.testing.assert_array_equal(_median(mask), theirs)
