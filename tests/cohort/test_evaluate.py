"""The whole evaluation on a cohort that can be worked out by hand, and what it writes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import cohort_cases
import numpy as np
import pytest
import tiny_engine

from radiolucent import wiring
from radiolucent.cohort import needs, package
from radiolucent.cohort.evaluate import evaluate
from radiolucent.cohort.evaluation import Request
from radiolucent.cohort.package import replace_file, write_package
from radiolucent.engines.checks import load
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import SettingsError


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    return tiny_engine.write(tmp_path / "engines")


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return cohort_cases.write(tmp_path / "cohort")


def request_of(truth: Path, **more: object) -> Request:
    return Request(**{"truth": truth, "resamples": 40, "faithfulness": 4, **more})  # type: ignore[arg-type]


def test_a_perfect_reader_by_hand(engine: Path, truth: Path) -> None:
    found = evaluate(PackageFiles(engine), request_of(truth, prevalence=0.01))
    bright, dark = found.findings
    scores, point = bright.scores, bright.scores.points[0]
    assert (scores.images, scores.positives, scores.positive_groups, scores.evidence_level) == (52, 32, 32, "adequate")
    assert scores.auc.value == scores.auc.low == 1.0
    assert point.sensitivity.value == point.specificity.value == point.ppv.value == point.ppv_stated.value == 1.0
    assert scores.stated_prevalence == 0.01
    assert [p.name for p in scores.points] == ["balanced", "high_sensitivity"]
    assert bright.choice.sets is not None
    assert bright.choice.sets.band is None, "nothing overlaps"
    assert np.isnan(scores.brightness_auc), "no brightness.npz: not measured"
    assert (bright.places.places, bright.places.groups) == (32, 32)
    assert bright.places.hit_rate.value == 1.0
    assert bright.places.centre_hit_rate.value == 0.0
    assert bright.places.evidence_inside.value == pytest.approx(0.7, abs=0.2)
    assert bright.places.prior_from == "validation"
    assert bright.places.map_status == "validated"
    assert dark.scores.images == 0
    assert dark.scores.evidence_level == "insufficient"
    assert dark.places.map_status == "unmeasured"
    assert sum(bright.trust.calls.values()) == 32
    assert bright.trust.false_calls == 0
    assert [(s.by, s.value) for s in bright.slices] == [("source", "made"), ("half", "0"), ("half", "1")]
    assert found.completeness_error < 1e-4
    assert found.faithfulness is not None
    assert found.faithfulness.probes == 4
    assert found.faithfulness.deletion_gain["random"].value > 0
    assert {r.what for r in found.randomisation} == {"readout", "readout_and_convolutions"}


def test_baselines_of_training_are_read(engine: Path, truth: Path) -> None:
    prior = np.zeros((16, 16), np.float32)
    prior[:4, :4] = 1
    np.savez(truth.parent / "priors.npz", bright=prior)
    features, labels = np.random.default_rng(0).random((40, 2)).astype(np.float32), np.repeat([0.0, 1.0], 20)
    features[:, 0] += 3 * labels
    np.savez(truth.parent / "brightness.npz", **{"brightness": features, "label:bright": labels})
    bright = evaluate(PackageFiles(engine), request_of(truth, faithfulness=0)).findings[0]
    assert bright.places.prior_from == "training"
    assert bright.places.prior_hit_rate.value == pytest.approx(4 / 32), "one corner in eight"
    assert bright.places.gain.value == pytest.approx(28 / 32)
    assert bright.scores.brightness_auc == 1.0


def test_few_positive_patients_are_scored_but_never_called(engine: Path, tmp_path: Path) -> None:
    truth = cohort_cases.write(tmp_path / "few", positives=9, val=4)
    bright = evaluate(PackageFiles(engine), request_of(truth, faithfulness=0)).findings[0]
    assert bright.scores.evidence_level == "insufficient"
    assert bright.scores.points[0].threshold == 0.5
    assert len(bright.scores.points) == 1
    assert bright.choice.sets is None
    assert bright.places.map_status == "unmeasured"
    assert sum(bright.trust.calls.values()) == 0


def test_the_package_is_written_whole_and_loads_again(engine: Path, truth: Path, tmp_path: Path) -> None:
    before = tomllib.loads((engine / "engine.toml").read_text(encoding="utf-8"))
    found = wiring.evaluate(str(engine), request_of(truth), out=tmp_path / "out", write=True)
    assert sorted(p.name for p in engine.iterdir()) == ["CARD.md", "engine.toml", "model.onnx"], "nothing half-written"
    spec = load(PackageFiles(engine)).spec
    bright = spec.finding("bright")
    choice = found.findings[0].choice
    assert bright.calibration == choice.calibration
    assert bright.threshold == choice.points[0][1]
    assert bright.map_scale == choice.map_scale
    assert bright.region_fraction == choice.region_fraction
    assert (bright.evidence_level, bright.map_status, bright.test_positives) == ("adequate", "validated", 32)
    assert (bright.auc, bright.sensitivity, bright.hit_rate) == (1.0, 1.0, 1.0)
    assert [p.name for p in bright.operating_points] == ["balanced", "high_sensitivity"]
    assert bright.operating_points[1].specificity == 1.0
    after = tomllib.loads((engine / "engine.toml").read_text(encoding="utf-8"))
    assert {k: after[k] for k in before if k != "findings"} == {k: before[k] for k in before if k != "findings"}
    assert after["findings"][0]["metrics"]["auc_95"] == [1.0, 1.0]
    card = (engine / "CARD.md").read_text(encoding="utf-8")
    assert "# Tiny (tiny 1.0.0)" in card
    assert "| Bright | 32 / 52 (32) | 1.00 (1.00 to 1.00) |" in card
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert document["format"] == "radiolucent.evaluation/1"
    assert document["findings"][0]["scores"]["auc"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert document["findings"][1]["scores"]["auc"] is None


def test_a_second_evaluation_gives_the_same_manifest(engine: Path, truth: Path) -> None:
    files = PackageFiles(engine)
    write_package(files, evaluate(files, request_of(truth)))
    first = (engine / "engine.toml").read_bytes()
    write_package(files, evaluate(files, request_of(truth)))
    assert (engine / "engine.toml").read_bytes() == first


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "engine.toml"
    path.write_text("old", encoding="utf-8")

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(package.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        replace_file(path, b"new")
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["engine.toml"]


def test_a_zip_is_measured_but_not_written(engine: Path, truth: Path, tmp_path: Path) -> None:
    archive = tmp_path / "tiny.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for path in engine.iterdir():
            made.write(path, path.name)
    request = request_of(truth, faithfulness=0)
    with pytest.raises(SettingsError, match="engine_not_writable"):
        wiring.evaluate(str(archive), request, out=tmp_path / "out", write=True)
    assert wiring.evaluate(str(archive), request, out=tmp_path / "out").findings[0].scores.auc.value == 1.0


def test_a_damaged_image_names_its_row(engine: Path, truth: Path) -> None:
    (truth.parent / "val1.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(SettingsError, match=r"truth_image.*row 3"):
        evaluate(PackageFiles(engine), request_of(truth))


def test_options_out_of_range(engine: Path, truth: Path) -> None:
    for wrong in ({"resamples": 0}, {"faithfulness": -1}, {"prevalence": 1.5}):
        with pytest.raises(SettingsError, match="evaluate_option"):
            evaluate(PackageFiles(engine), request_of(truth, **wrong))


def test_a_missing_extra_is_named(engine: Path, truth: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(needs.importlib, "import_module", missing)
    with pytest.raises(SettingsError, match=r"validate_extra.*sklearn.*radiolucent\[validate\]"):
        evaluate(PackageFiles(engine), request_of(truth))


def test_the_command(engine: Path, truth: Path, tmp_path: Path) -> None:
    def command(*more: str) -> subprocess.CompletedProcess[str]:
        told = [
            sys.executable,
            "-m",
            "radiolucent.cli.main",
            "engines",
            "evaluate",
            *more,
            "--out",
            str(tmp_path / "o"),
        ]
        return subprocess.run(told, capture_output=True, text=True, timeout=240)

    options = ["--truth", str(truth), "--resamples", "20", "--faithfulness", "0"]
    done = command("tiny", *options, "--engines", str(engine.parent))
    assert done.returncode == 0, done.stderr
    assert "evaluation.json" in done.stdout
    assert "bright" in done.stdout
    shutil.rmtree(truth.parent)
    done = command(str(engine), *options)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("truth_table: Found ")
