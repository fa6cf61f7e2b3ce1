"""Results to report on: positive, negative, refused, one frame of several, and a stack."""

from dataclasses import replace

import numpy as np

from radiolucent.records.engine import Code, EngineSpec, FindingSpec, InputSpec, Population
from radiolucent.records.image import ImageFacts
from radiolucent.records.result import (
    EngineRef,
    Explanation,
    Finding,
    ImageResult,
    Reason,
    SeriesFinding,
    SeriesResult,
    SliceScore,
)

ROWS, COLUMNS = 300, 400
ENGINE = EngineRef(
    id="chest-film", title="Chest film", version="1.2.0", sha256="ab" * 32, device_uid="2.25.7", method="Grad-CAM"
)
FACTS = ImageFacts(
    stem="film", source_sha256="cd" * 32, rows=ROWS, columns=COLUMNS, sop_instance_uid="2.25.1",
    series_instance_uid="2.25.2", study_instance_uid="2.25.3", instance_number=4, modality="DX", body_part="CHEST",
    view="PA", age_years=62.0, sex="F", pixel_spacing_mm=(0.2, 0.2), patient_left_at="right",
)  # fmt: skip


def explanation(map_=None, *, scale=0.5, region=None, peak=None):
    """One pixel-sharp map: zero but for a block of full-scale evidence at rows 100..119, columns 250..289."""
    if map_ is None:
        map_ = np.zeros((ROWS, COLUMNS), dtype=np.float32)
        map_[100:120, 250:290] = scale
    region = map_ >= 0.5 * scale if region is None else region
    rows, columns = np.nonzero(region)
    box = (0, 0, 0, 0)
    if rows.size:
        box = (int(rows.min()), int(columns.min()), int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1)
    peak = peak or tuple(int(v) for v in np.unravel_index(int(map_.argmax()), map_.shape))
    return Explanation(
        map=map_, scale=scale, peak_row_col=peak, region=region, region_box=box, zone="left lower zone",
        in_expected_region=0.93, completeness_error=1e-6,
    )  # fmt: skip


def finding(key="effusion", *, positive=True, critical=False, **changes):
    base = Finding(
        key=key, display=key.capitalize(), code=Code(scheme="SCT", value="60046008", meaning="Pleural effusion"),
        rank=1, critical=critical, alert=critical,
        logit=1.5, probability=0.81 if positive else 0.1, threshold=0.4, positive=positive,
        confidence="moderate", reasons=("far above its threshold",), flags=("near_image_edge",),
        display_class="locate", is_localisable=True, explanation=explanation() if positive else None,
    )  # fmt: skip
    return replace(base, **changes)


def positive():
    return ImageResult(
        status="processed", reason=None, engine=ENGINE, image=FACTS, primary="pneumothorax",
        findings=(finding("pneumothorax", critical=True), finding("effusion"), finding("nodule", positive=False)),
        impression="Pneumothorax is likely.", notes=("first_of_several_windows",),
    )  # fmt: skip


def negative():
    return ImageResult(
        status="processed", reason=None, engine=ENGINE, image=FACTS, primary=None,
        findings=(finding("pneumothorax", positive=False), finding("effusion", positive=False)),
        impression="No finding reached its threshold.",
    )  # fmt: skip


def refused():
    text = "Found an age of 4 years; expected 16 years or more. Have the film read by a person."
    return ImageResult(
        status="refused", reason=Reason(code="population_age", text=text), engine=None, findings=(), primary=None,
        image=ImageFacts(stem="x", source_sha256="", rows=0, columns=0), impression="",
    )  # fmt: skip


def multiframe():
    return replace(positive(), image=replace(FACTS, frame_number=3, number_of_frames=9))


def series():
    slices = tuple(
        SliceScore(
            image=replace(FACTS, instance_number=n, sop_instance_uid=f"2.25.1{n}"),
            probabilities={"any": n / 10}, positives=frozenset({"any"} if n > 2 else ()),
        )
        for n in range(1, 5)
    )  # fmt: skip
    found = SeriesFinding(
        key="any", display="Any hemorrhage", critical=True,
        code=Code(scheme="SCT", value="1386000", meaning="Intracranial hemorrhage"),
        probability=0.4, positive=True, positive_slices=2, key_slices=(slices[3], slices[2]),
    )  # fmt: skip
    return SeriesResult(
        series_instance_uid="2.25.2", engine=ENGINE, slices=slices, refused=1, findings=(found,), primary="any",
        impression="Hemorrhage is likely.",
    )  # fmt: skip


def spec():
    return EngineSpec(
        id="chest-film", title="Chest film", version="1.2.0", sha256="ab" * 32, license="Apache-2.0",
        method="Grad-CAM", zones="chest", device_uid="2.25.7", training_summary="Public films; see the card.",
        population=Population(
            modalities=("CR", "DX"), body_parts=("CHEST",), views=("PA", "AP"), min_age_years=16.0,
            intended_use="Frontal chest films of adults, as a second look.",
        ),
        input=InputSpec(rows=256, columns=256, channels=(), mean=0.5, std=0.25),
        findings=(
            FindingSpec(
                key="pneumothorax", display="Pneumothorax", code=Code(scheme="SCT", value="36118008", meaning="x"),
                rank=1, critical=True, is_localisable=True, expected_regions=(), display_class="locate", bias=0.0,
                calibration=(1.0, 0.0), threshold=0.4, map_scale=0.5, region_fraction=0.5,
                evidence_level="limited", test_positives=31, sensitivity=0.89, specificity=0.92,
            ),
        ),
    )  # fmt: skip


IMAGES = {"positive": positive, "negative": negative, "refused": refused, "multiframe": multiframe}
