"""Targets against figures, kinds that exclude each other, groups, speed."""

from __future__ import annotations

from pathlib import Path

import cohort_cases
import numpy as np
import pytest
import tiny_engine

from radiolucent.cohort.evaluate import evaluate
from radiolucent.cohort.evaluation import Evaluation, Request
from radiolucent.cohort.figures import group_auc
from radiolucent.cohort.kinds import kinds
from radiolucent.cohort.reading import Reading
from radiolucent.cohort.speed import speed
from radiolucent.cohort.targets import figure, targets
from radiolucent.engines.checks import load
from radiolucent.engines.manifest import parse
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import EngineError
from radiolucent.prepare.resample import fit_geometry
from radiolucent.records.image import ImageFacts, Inference


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    folder = tmp_path_factory.mktemp("targets")
    engine, truth = tiny_engine.write(folder / "engines"), cohort_cases.write(folder / "cohort")
    return evaluate(PackageFiles(engine), Request(truth=truth, resamples=40, faithfulness=2))


@pytest.mark.parametrize(
    ("path", "value", "on"),
    [
        ("bright.auc", 1.0, "32 of 52"),
        ("bright.sensitivity", 1.0, "32 of 52"),
        ("bright.sensitivity_at[0.90]", 1.0, "32 of 52"),
        ("bright.group_auc", 1.0, "32 of 52 groups"),
        ("bright.hit_rate", 1.0, "32 places of 32 groups"),
        ("bright[half=1].auc", 1.0, "16 of 26"),
        ("bright[half=1].sensitivity_at[0.85]", 1.0, "16 of 26"),
        ("bright[half=0].hit_rate", 1.0, "16 places of 16 groups"),
        ("all.macro_auc", 1.0, "1 findings with 20 or more positives"),
    ],
)
def test_a_figure_is_found_by_its_path(evaluation: Evaluation, path: str, value: float, on: str) -> None:
    found = figure(evaluation, path)
    assert found.value.value == value
    assert found.on == on


@pytest.mark.parametrize("path", ["bright[half=7].auc", "bright[half=7].hit_rate", "kinds.accuracy", "anatomy[x].a"])
def test_what_test_does_not_hold_is_not_measured(evaluation: Evaluation, path: str) -> None:
    assert np.isnan(figure(evaluation, path).value.value)


def test_a_path_that_names_nothing_is_refused(evaluation: Evaluation) -> None:
    with pytest.raises(ValueError, match="not a figure"):
        figure(evaluation, "bright auc")


def test_verdicts(evaluation: Evaluation) -> None:
    wishes = [
        {"text": "a", "figure": "bright.auc", "at_least": 0.9},
        {"text": "b", "figure": "bright.auc", "at_most": 0.5},
        {"text": "c", "figure": "dark.auc", "at_least": 0.5},
    ]
    got = targets({"card": {"targets": wishes}}, evaluation)
    assert [(t.wanted, t.verdict) for t in got] == [
        ("at least 0.9", "met"),
        ("at most 0.5", "**not met**"),
        ("at least 0.5", "not measured"),
    ]
    assert targets({}, evaluation) == []


def test_an_interval_that_reaches_beyond_is_said(evaluation: Evaluation) -> None:
    assert evaluation.speed is not None
    median = evaluation.speed.image_ms.value
    wish = {"text": "a", "figure": "speed.image_ms", "at_most": median}
    assert targets({"card": {"targets": [wish]}}, evaluation)[0].verdict == "met, but the interval reaches beyond"


def test_groups_are_read_by_their_greatest_probability() -> None:
    chance = np.array([0.1, 0.9, 0.2, 0.3, 0.8])
    labels = np.array([0.0, 1.0, 0.0, 0.0, 0.0])
    groups = np.array(["a", "a", "b", "b", "c"])
    assert group_auc(chance, labels, groups, resamples=10).value == 1.0
    assert group_auc(chance, labels, np.array(["a", "b", "b", "b", "a"]), resamples=10).value == 1.0
    assert group_auc(-chance, labels, groups, resamples=10).value == 0.5, "-0.1 against -0.2 and -0.8, at worst -0.1"


def test_the_likeliest_kind_by_source(tmp_path: Path) -> None:
    text = (tiny_engine.write(tmp_path) / "engine.toml").read_text(encoding="utf-8")
    spec = parse(f'exclusive = ["bright", "dark"]\n{text}'.encode())

    def reading(source: str, bright: float, dark: float) -> Reading:
        return Reading(
            case=cohort_cases.case(source=source, labels={"bright": bright, "dark": dark}),
            facts=ImageFacts(stem="a", source_sha256="", rows=64, columns=64),
            geometry=fit_geometry((64, 64), model_shape=(64, 64)),
            inference=Inference(
                logits=np.zeros(2, np.float32),
                evidence=np.zeros((2, 8, 8), np.float32),
                embedding=np.zeros(1, np.float32),
            ),
            brightness=(0.0, 1.0),
            flags=(),
            refused=False,
        )

    readings = [reading("x", 1, 0), reading("x", 0, 1), reading("y", 1, np.nan), reading("y", 1, 1), reading("y", 0, 0)]
    chances = {"bright": np.array([0.9, 0.8, 0.3, 0.9, 0.9]), "dark": np.array([0.1, 0.7, 0.2, 0.1, 0.1])}
    got = kinds(readings, chances, spec, resamples=10)
    assert [(k.by, k.value, k.images, round(k.accuracy.value, 3)) for k in got] == [
        ("all", "", 3, 0.667),
        ("source", "x", 2, 0.5),
        ("source", "y", 1, 1.0),
    ]


def test_exclusive_findings_must_be_known(tmp_path: Path) -> None:
    text = (tiny_engine.write(tmp_path) / "engine.toml").read_text(encoding="utf-8")
    with pytest.raises(EngineError, match=r"exclusive.*keys of findings"):
        parse(f'exclusive = ["nobody"]\n{text}'.encode())


def test_speed_is_timed_in_turns(tmp_path: Path) -> None:
    package = tiny_engine.write(tmp_path)
    files = PackageFiles(package)
    found = speed(files.read("model.onnx"), load(files).spec, rounds=5)
    assert found.rounds == 5
    assert 0 < found.image_ms.low <= found.image_ms.value <= found.image_ms.high
    assert found.ratio.value > 0
