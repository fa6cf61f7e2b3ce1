"""The gate for a map, on made-up hits; agreement with anatomy."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_engine
from cohort_cases import case

from radiolucent.cohort.measure import NAN, Interval
from radiolucent.cohort.places import Place, gate, measure_anatomy, summarise_places
from radiolucent.cohort.reading import Reading
from radiolucent.engines.manifest import parse
from radiolucent.prepare.resample import fit_geometry
from radiolucent.records.engine import Anatomy
from radiolucent.records.image import ImageFacts, Inference


def made(hits: list[int], *, prior: list[float], centre: float = 0.0, groups: int | None = None) -> list[Place]:
    return [
        Place(
            case=case(str(i % (groups or len(hits))), source="odd" if i % 2 else "even"),
            hit=hit,
            prior_hit=prior[i % len(prior)],
            centre_hit=centre,
            overlap=0.5,
            inside_truth=0.25,
            inside_expected=NAN,
            peak_expected=NAN,
        )
        for i, hit in enumerate(hits)
    ]


def test_a_map_that_beats_the_prior_is_validated() -> None:
    found = summarise_places(made([1] * 15 + [0] * 5, prior=[0.0]), prior_from="training", resamples=200)
    assert found.map_status == "validated"
    assert found.hit_rate.value == 0.75
    assert found.gain.value == 0.75
    assert found.mean_iou == Interval(0.5, 0.5, 0.5)
    assert math.isnan(found.evidence_expected.value)
    assert [(s.by, s.value, s.places, s.groups, round(s.hit_rate.value, 2)) for s in found.slices] == [
        ("source", "even", 10, 10, 0.8),
        ("source", "odd", 10, 10, 0.7),
    ]


def test_a_map_no_better_than_the_prior_or_the_centre_is_not() -> None:
    hits = [1, 0] * 10
    assert summarise_places(made(hits, prior=[0.0, 1.0]), prior_from="training", resamples=200).map_status == (
        "not_validated"
    )
    by_centre = summarise_places(made(hits, prior=[0.0], centre=1.0), prior_from="training", resamples=200)
    assert by_centre.gain.value == -0.5, "the better baseline counts"
    assert by_centre.map_status == "not_validated"


def test_one_hit_more_is_not_enough() -> None:
    found = summarise_places(made([1] + [0] * 19, prior=[0.0]), prior_from="training", resamples=500)
    assert found.gain.value == 0.05
    assert found.map_status == "not_validated"


def test_places_of_few_patients_measure_nothing() -> None:
    found = summarise_places(made([1] * 40, prior=[0.0], groups=9), prior_from="training", resamples=100)
    assert found.groups == 9
    assert found.map_status == "unmeasured"
    assert summarise_places([], prior_from=None, resamples=100).map_status == "unmeasured"


def test_without_a_prior_no_map_is_validated() -> None:
    better = summarise_places(made([1] * 20, prior=[NAN]), prior_from=None, resamples=100)
    assert math.isnan(better.prior_hit_rate.value)
    assert better.map_status == "unmeasured"
    worse = summarise_places(made([0] * 20, prior=[NAN]), prior_from=None, resamples=100)
    assert worse.map_status == "not_validated"


@pytest.mark.parametrize(("low", "status"), [(0.0, "not_validated"), (0.01, "validated"), (NAN, "not_validated")])
def test_the_lower_bound_decides(low: float, status: str) -> None:
    assert gate(10, Interval(0.3, low, 0.5), has_prior=True) == status


def test_agreement_with_anatomy_is_over_all_positives_whose_region_was_drawn(tmp_path: Path) -> None:
    """Evidence in one cell of four: inside the region in one case, outside in the other; a negative does not count."""
    spec = replace(
        parse((tiny_engine.write(tmp_path) / "engine.toml").read_bytes()),
        anatomy=Anatomy(regions=("left half",), groups={}, margin=0),
    )
    spec = replace(spec, findings=(replace(spec.findings[0], expected_regions=("left half",)),))
    drawn = np.zeros((1, 8, 8), np.float32)
    drawn[:, :, :4] = 1.0

    def reading(column: int, label: float, anatomy: np.ndarray | None = drawn) -> Reading:
        evidence = np.full((1, 8, 8), -0.1, np.float32)
        evidence[0, 3, column] = 1.0
        made = Inference(
            logits=np.zeros(1, np.float32), evidence=evidence, embedding=np.zeros(1, np.float32), anatomy=anatomy
        )
        return Reading(
            case=case(str(column), labels={"bright": label}),
            facts=ImageFacts(stem="a", source_sha256="", rows=64, columns=64),
            geometry=fit_geometry((64, 64), model_shape=(64, 64)),
            inference=made,
            brightness=(0.0, 1.0),
            flags=(),
            refused=False,
        )

    readings = [reading(1, 1.0), reading(6, 1.0), reading(2, 0.0), reading(3, 1.0, None)]
    found = measure_anatomy(readings, 0, spec=spec, resamples=50)
    assert (found.images, found.groups) == (2, 2)
    assert found.evidence_expected.value == found.peaks_expected.value == 0.5
