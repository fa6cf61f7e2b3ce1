"""Two results of one patient: the word, the numbers and the reasons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from radiolucent.judge.frames import anatomy_frame, foreground_frame, overlap, picture_frame
from radiolucent.judge.prior import MEASURED, SCALE_LIMIT, SHAPE_LIMIT, compare
from radiolucent.records.comparison import Change, Comparison, FindingReading, Frame, Reading
from radiolucent.records.image import ImageFacts
from radiolucent.records.result import EngineRef

ENGINE = EngineRef(id="e", title="E", version="1", sha256="aa", device_uid="2.25.1", method="m")
SHAPE = (120, 100)
OPPOSITE: dict[Change, Change] = {
    "new": "resolved",
    "resolved": "new",
    "increased": "decreased",
    "decreased": "increased",
    "unchanged": "unchanged",
    "absent": "absent",
    "not_comparable": "not_comparable",
}


def body(
    shape: tuple[int, int] = SHAPE,
    *,
    centre: tuple[float, float] = (60, 50),
    half: tuple[float, float] = (40, 30),
) -> NDArray[np.float32]:
    """``[1, rows, columns]``: an ellipse of anatomy."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    inside = ((rows - centre[0]) / half[0]) ** 2 + ((columns - centre[1]) / half[1]) ** 2 <= 1
    return inside[None].astype(np.float32)


def blob(
    at: tuple[float, float], radius: tuple[float, float], shape: tuple[int, int] = SHAPE, peak: float = 1.0
) -> NDArray[np.float32]:
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    distance = ((rows - at[0]) / radius[0]) ** 2 + ((columns - at[1]) / radius[1]) ** 2
    return (peak * np.exp(-distance / 2) - 0.01).astype(np.float32)


def finding(map_: NDArray[np.float32] | None = None, *, logit: float = 2.0, **changes: object) -> FindingReading:
    made = FindingReading(
        key="mass",
        display="Mass",
        probability=1 / (1 + float(np.exp(-logit))),
        logit=logit,
        positive=logit > 0,
        map=map_,
        region=None if map_ is None else map_ >= 0.5 * map_.max(),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def reading(
    *findings: FindingReading, frame: Frame | None = None, sha: str = "1", engine: EngineRef = ENGINE, **facts: object
) -> Reading:
    said = ImageFacts(stem="", source_sha256=sha, rows=SHAPE[0], columns=SHAPE[1])
    said = replace(said, **facts)  # type: ignore[arg-type]
    return Reading(
        engine=engine,
        facts=said,
        frame=frame or picture_frame((said.rows, said.columns)),
        findings=findings,
    )


def word(comparison: Comparison) -> Change:
    (change,) = comparison.changes
    return change.change


def test_the_same_twice_is_unchanged() -> None:
    one = reading(finding(blob((60, 40), (8, 8))))
    got = compare(one, one)
    (change,) = got.changes
    assert change.change == "unchanged"
    assert change.figures.overlap == 1.0
    assert change.figures.peak_distance == 0.0
    assert change.figures.logit_change == 0.0
    assert any("very same file" in c for c in got.cautions)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, (0, 0)), (1.0, (12, -9)), (0.8, (5, 7)), (1.2, (-4, 2))])
def test_a_moved_and_scaled_copy_is_unchanged_after_registration(scale: float, shift: tuple[int, int]) -> None:
    """The body and the finding in it move together; by the picture's frame alone they would not lie on one another."""
    before = reading(finding(blob((66, 40), (6, 6))), frame=anatomy_frame(body(), SHAPE))
    centre = (60 + shift[0], 50 + shift[1])
    moved = body(centre=centre, half=(40 * scale, 30 * scale))
    at = (centre[0] + 6 * scale, centre[1] - 10 * scale)
    now = reading(finding(blob(at, (6 * scale, 6 * scale))), frame=anatomy_frame(moved, SHAPE), sha="2")
    got = compare(before, now)
    (change,) = got.changes
    assert change.change == "unchanged", change.reasons
    assert got.registration is not None
    assert got.registration.row_scale == pytest.approx(scale, rel=0.02)
    assert change.figures.overlap is not None
    assert change.figures.overlap > 0.85
    assert change.figures.peak_distance is not None
    assert change.figures.peak_distance < 0.02
    assert change.figures.current_area == pytest.approx(change.figures.prior_area, rel=0.12)


def test_the_picture_at_another_size_is_unchanged() -> None:
    before = reading(finding(blob((66, 40), (6, 6))))
    big = blob((132, 80), (12, 12), (240, 200))
    now = reading(finding(big), frame=picture_frame((240, 200)), sha="2", rows=240, columns=200)
    assert word(compare(before, now)) == "unchanged"
    assert "the picture's frame alone" in compare(before, now).reasons[0]


def test_a_blob_that_grew_is_increased_and_the_other_way_decreased() -> None:
    small, large = finding(blob((60, 40), (6, 6))), finding(blob((60, 40), (11, 11)))
    grown = compare(reading(small), reading(large, sha="2")).changes[0]
    assert grown.change == "increased"
    assert grown.reasons[-1] == "beyond the margin: area of the region and positive evidence"
    assert any("times 3." in reason for reason in grown.reasons)
    assert word(compare(reading(large), reading(small, sha="2"))) == "decreased"


def test_the_score_alone_decides_without_maps() -> None:
    low, high = finding(logit=0.5), finding(logit=0.5 + 2 * MEASURED.logit)
    got = compare(reading(low), reading(high, sha="2")).changes[0]
    assert got.change == "increased"
    assert got.figures.prior_area is None
    assert "without a map at both dates: judged by the score alone" in got.cautions
    assert word(compare(reading(low), reading(finding(logit=0.6), sha="2"))) == "unchanged"


def test_new_resolved_and_absent() -> None:
    negative, positive = finding(logit=-3.0), finding(blob((60, 40), (6, 6)), logit=3.0)
    came = compare(reading(negative), reading(positive, sha="2")).changes[0]
    assert came.change == "new"
    assert came.reasons[0] == "negative before, positive now: probability 0.05, then 0.95"
    assert word(compare(reading(positive), reading(negative, sha="2"))) == "resolved"
    nothing = compare(reading(negative), reading(finding(logit=-1.0), sha="2")).changes[0]
    assert (nothing.change, nothing.cautions) == ("absent", ())


def test_a_crossing_within_the_noise_says_so() -> None:
    got = compare(reading(finding(logit=-0.1)), reading(finding(logit=0.1), sha="2")).changes[0]
    assert got.change == "new"
    assert "within the noise of the score" in got.cautions[0]


def test_figures_that_contradict_are_not_turned_into_a_word() -> None:
    flat, sharp = finding(blob((60, 40), (12, 12))), finding(blob((60, 40), (5, 5)), logit=9.0)
    got = compare(reading(flat), reading(sharp, sha="2")).changes[0]
    assert got.change == "not_comparable"
    assert "contradict" in got.reasons[-1]


def test_another_place_is_told() -> None:
    here, there = finding(blob((30, 25), (6, 6))), finding(blob((95, 75), (6, 6)))
    got = compare(reading(here), reading(there, sha="2")).changes[0]
    assert got.change == "unchanged"
    assert got.figures.overlap == 0.0
    assert any(c.startswith("another place") for c in got.cautions)


@pytest.mark.parametrize(
    ("changes", "caution"),
    [
        ({"is_localisable": False}, "a diffuse finding"),
        ({"map_status": "not_validated"}, "no better than a position prior"),
    ],
)
def test_a_map_that_is_no_location_gives_no_area(changes: dict[str, object], caution: str) -> None:
    one = finding(blob((60, 40), (6, 6)), **changes)
    two = finding(blob((60, 40), (7, 7)), **changes)
    got = compare(reading(one), reading(two, sha="2")).changes[0]
    assert (got.figures.prior_area, got.figures.overlap, got.figures.peak_distance) == (None, None, None)
    assert got.figures.prior_evidence is not None
    assert any(caution in c for c in got.cautions)


def test_an_all_negative_map_gives_no_area() -> None:
    nowhere = finding(-np.ones(SHAPE, dtype=np.float32))
    got = compare(reading(nowhere), reading(finding(blob((60, 40), (6, 6))), sha="2")).changes[0]
    assert got.figures.prior_area is None
    assert got.figures.prior_evidence == 0.0
    assert any("no place speaks for it" in c for c in got.cautions)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"engine": replace(ENGINE, id="f")}, "different engines: e 1, then f 1"),
        ({"engine": replace(ENGINE, version="2")}, "different engines: e 1, then e 2"),
        ({"engine": replace(ENGINE, sha256="bb")}, "their hashes differ"),
        ({"view": "LATERAL"}, "different views: PA, then LATERAL"),
        ({"modality": "MR"}, "different modalities: CR, then MR"),
        ({"laterality": "R"}, "different sides of the body: L, then R"),
        ({"patient_left_at": "left"}, "mirror image"),
        ({"rows": 400, "columns": 100}, "fills the picture differently"),
        ({"rows": 100, "columns": 120}, "differ in shape"),
    ],
)
def test_what_cannot_be_compared_says_why_and_no_more(changes: dict[str, object], reason: str) -> None:
    common: dict[str, object] = {"view": "PA", "modality": "CR", "laterality": "L", "patient_left_at": "right"}
    one = reading(finding(), **common)  # type: ignore[arg-type]
    two = reading(finding(), sha="2", **(common | changes))  # type: ignore[arg-type]
    for got in (compare(one, two), compare(two, one)):
        assert not got.comparable
        assert (got.changes, got.engine, got.registration) == ((), None, None)
        assert len(got.reasons) == 1
    assert reason in compare(one, two).reasons[0]


def test_a_refused_image_is_not_comparable() -> None:
    said = ImageFacts(stem="", source_sha256="1", rows=0, columns=0)
    no = Reading(engine=None, facts=said, frame=None, refusal="wrong_view")
    got = compare(no, reading(finding(), sha="2"))
    assert got.reasons == ("the prior image was refused (wrong_view)",)
    assert compare(no, no).reasons[1] == "the current image was refused (wrong_view)"


def test_a_body_that_was_not_found_is_not_comparable() -> None:
    lost = replace(reading(finding()), frame=None)
    assert compare(lost, reading(finding(), sha="2")).reasons == ("the body was not found in the prior image",)
    assert compare(lost, lost).reasons == ("the body was not found in both images",)


def test_pa_and_ap_are_compared_with_a_caution() -> None:
    got = compare(reading(finding(), view="PA"), reading(finding(), view="AP", sha="2"))
    assert got.comparable
    assert any("PA and one AP" in c for c in got.cautions)
    half = compare(reading(finding(), view="PA"), reading(finding(), sha="2"))
    assert half.comparable
    assert "the view is stated for one image only" in half.cautions


def test_frames_of_different_kinds_fall_back_to_the_picture() -> None:
    drawn = reading(finding(blob((60, 40), (6, 6))), frame=anatomy_frame(body(), SHAPE))
    got = compare(drawn, reading(finding(blob((60, 40), (6, 6))), sha="2"))
    assert got.registration is not None
    assert got.registration.by == "picture"
    assert any("found in different ways" in c for c in got.cautions)


def test_margins_of_another_engine_are_told() -> None:
    one = reading(finding())
    assert any("noise margins were measured on" in c for c in compare(one, one).cautions)
    own = replace(MEASURED, measured_on="e 1")
    assert not any("noise margins" in c for c in compare(one, one, margins=own).cautions)


def test_a_picture_frame_has_the_area_of_the_picture() -> None:
    assert picture_frame((300, 400)).area == pytest.approx(120_000)
    full = anatomy_frame(np.ones((2, 15, 20), dtype=np.float32), (300, 400))
    assert full is not None
    assert full.area == pytest.approx(120_000)
    assert full.centre == pytest.approx((150, 200))


def test_frames_need_enough_of_the_body() -> None:
    assert anatomy_frame(np.zeros((2, 20, 20), dtype=np.float32), SHAPE) is None
    assert foreground_frame(np.zeros((40, 40), dtype=np.float32)) is None


def test_the_foreground_is_the_largest_bright_thing_with_its_holes() -> None:
    picture = np.zeros((100, 100), dtype=np.float32)
    picture[20:60, 30:70] = 0.8
    picture[35:45, 45:55] = 0.0
    picture[90:95, 2:6] = 1.0
    frame = foreground_frame(picture)
    assert frame is not None
    assert frame.centre == pytest.approx((40, 50))
    assert frame.area == pytest.approx(1600)


def test_dice_by_hand() -> None:
    one, two = np.zeros((40, 40), dtype=bool), np.zeros((40, 40), dtype=bool)
    one[8:16, 8:16], two[12:20, 8:16] = True, True
    frame = picture_frame((40, 40))
    assert overlap(one, two, (frame, frame)) == pytest.approx(0.5, abs=0.02)
    assert overlap(one, np.zeros_like(one), (frame, frame)) == 0.0


CASES = st.tuples(
    st.floats(-6, 6),
    st.floats(3, 14),
    st.floats(0.1, 3),
    st.floats(20, 100),
    st.floats(20, 80),
    st.floats(0.75, 1.2),
    st.booleans(),
)


def _case(values: tuple[float, float, float, float, float, float, bool], sha: str) -> Reading:
    logit, radius, peak, row, column, scale, has_map = values
    frame = anatomy_frame(body(half=(40 * scale, 30 * scale)), SHAPE)
    map_ = blob((row, column), (radius, radius), peak=peak) if has_map else None
    return reading(finding(map_, logit=logit), frame=frame, sha=sha)


@given(CASES, CASES)
@settings(max_examples=60, deadline=None)
def test_swapping_prior_and_current_swaps_the_words(
    first: tuple[float, float, float, float, float, float, bool],
    second: tuple[float, float, float, float, float, float, bool],
) -> None:
    one, two = _case(first, "1"), _case(second, "2")
    there, back = compare(one, two), compare(two, one)
    assert there.comparable == back.comparable
    for a, b in zip(there.changes, back.changes, strict=True):
        assert a.change == OPPOSITE[b.change]
        assert a.figures.logit_change == -b.figures.logit_change
        assert (a.figures.prior_area, a.figures.overlap) == (b.figures.current_area, b.figures.overlap)
        assert len(a.cautions) == len(b.cautions)
        assert (a.figures.peak_distance is None) == (b.figures.peak_distance is None)
        if a.figures.peak_distance is not None:
            assert a.figures.peak_distance == pytest.approx(b.figures.peak_distance, abs=1e-9)


def test_limits_are_factors() -> None:
    assert min(SCALE_LIMIT, SHAPE_LIMIT, MEASURED.area, MEASURED.evidence) > 1
