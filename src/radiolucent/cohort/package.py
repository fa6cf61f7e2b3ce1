"""What an evaluation writes: ``evaluation.json``, and the figures in a package's ``engine.toml`` and ``CARD.md``."""

from __future__ import annotations

import json
import math
import os
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from radiolucent.cohort.card import render
from radiolucent.cohort.evaluation import DerivedFigures, Evaluation, FindingFigures
from radiolucent.cohort.figures import PointFigures, Scores
from radiolucent.cohort.measure import Interval
from radiolucent.cohort.needs import need
from radiolucent.engines.manifest import parse
from radiolucent.engines.package import CARD, MANIFEST, PackageFiles
from radiolucent.errors import SettingsError

FORMAT = "radiolucent.evaluation/1"
DIGITS = 4
Tables = dict[str, Any]


def plain(value: object) -> object:
    """A record as JSON can hold it; what is not a number becomes ``None``."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Interval) and math.isnan(value.value):
        return None
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def dumps(evaluation: Evaluation) -> str:
    """All figures as JSON; an interval is ``{value, low, high}``, what was not measured is null."""
    document = plain(evaluation)
    assert isinstance(document, dict)
    return json.dumps({"format": FORMAT, **document}, indent=1, allow_nan=False) + "\n"


def updated(manifest: Mapping[str, Any], evaluation: Evaluation) -> Tables:
    """A manifest with the figures of an evaluation; everything else stays."""
    by_key = {f.key: f for f in evaluation.findings}
    rules = {d.key: d for d in evaluation.derived}
    out = dict(manifest)
    out["findings"] = [{**table, **_finding(by_key[table["key"]])} for table in manifest["findings"]]
    for table in out["findings"]:
        if _band(by_key[table["key"]]) is None:
            table.pop("uncertain", None)
    if "derived" in manifest:
        out["derived"] = [
            {**table, **(_derived(rules[table["key"]]) if table["key"] in rules else {})}
            for table in manifest["derived"]
        ]
    out["evaluation"] = _summary(evaluation)
    return out


def _band(figures: FindingFigures) -> tuple[float, float] | None:
    return None if figures.choice.sets is None else figures.choice.sets.band


def _finding(figures: FindingFigures) -> Tables:
    choice, scores, places = figures.choice, figures.scores, figures.places
    metrics = _metrics(scores)
    _add(metrics, "hit_rate", places.hit_rate)
    _add(metrics, "mean_iou", places.mean_iou)
    band = _band(figures)
    return {
        "threshold": choice.points[0][1],
        "map_scale": choice.map_scale,
        "region_fraction": choice.region_fraction,
        "evidence_level": scores.evidence_level,
        "map_status": places.map_status,
        **({} if band is None else {"uncertain": list(band)}),
        "calibration": {"method": "platt", "slope": choice.calibration[0], "intercept": choice.calibration[1]},
        "operating_points": [_point(p) for p in scores.points],
        "metrics": metrics,
    }


def _derived(figures: DerivedFigures) -> Tables:
    return {
        "evidence_level": figures.scores.evidence_level,
        "test_positives": figures.scores.positives,
        "metrics": _metrics(figures.scores),
    }


def _metrics(scores: Scores) -> Tables:
    metrics: Tables = {"test_positives": scores.positives, "test_images": scores.images}
    point = scores.points[0]
    _add(metrics, "auc", scores.auc)
    for name in ("sensitivity", "specificity", "ppv"):
        _add(metrics, name, getattr(point, name))
    _add(metrics, "calibration_error", scores.calibration_error)
    return metrics


def _add(metrics: Tables, name: str, interval: Interval) -> None:
    if not math.isnan(interval.value):
        metrics[name] = round(interval.value, DIGITS)
        if not math.isnan(interval.low):
            metrics[f"{name}_95"] = [round(interval.low, DIGITS), round(interval.high, DIGITS)]


def _point(point: PointFigures) -> Tables:
    measured = {name: getattr(point, name).value for name in ("sensitivity", "specificity", "ppv")}
    known = {name: round(value, DIGITS) for name, value in measured.items() if not math.isnan(value)}
    return {"name": point.name, "threshold": point.threshold, **known}


def _summary(evaluation: Evaluation) -> Tables:
    out: Tables = {
        "truth_sha256": evaluation.truth_sha256,
        "resamples": evaluation.resamples,
        "completeness_error": evaluation.completeness_error,
        "parts": {part: {"images": n, "groups": g} for part, (n, g) in evaluation.parts.items()},
    }
    if (found := evaluation.faithfulness) is not None:
        out["faithfulness"] = {"probes": found.probes}
        for name in ("random", "centre"):
            _add(out["faithfulness"], f"deletion_gain_{name}", found.deletion_gain[name])
            _add(out["faithfulness"], f"insertion_gain_{name}", found.insertion_gain[name])
        _add(out["faithfulness"], "noise_correlation", found.noise_correlation)
        _add(out["faithfulness"], "shift_correlation", found.shift_correlation)
        for row in evaluation.randomisation:
            _add(out["faithfulness"], f"random_{row.what}_correlation", row.correlation)
    return out


def check_writable(files: PackageFiles) -> None:
    """A package that figures can be written into is a folder.

    Raises
    ------
    SettingsError
        ``engine_not_writable`` for a zip or a folder without write permission; ``validate_extra``.
    """
    need("tomli_w")
    if not files.path.is_dir() or not os.access(files.path, os.W_OK):
        raise SettingsError(
            "engine_not_writable",
            found=f"the package {files.path.name}, which cannot be written",
            expected="a folder with write permission",
            action="Unpack or copy the package, and evaluate the copy with --write.",
        )


def write_package(files: PackageFiles, evaluation: Evaluation) -> None:
    """Write the figures into ``engine.toml`` and ``CARD.md``; each file is replaced whole.

    Raises
    ------
    SettingsError
        ``engine_not_writable``, ``validate_extra``.
    EngineError
        ``engine_manifest`` if the figures make no sound manifest; nothing is written then.
    """
    check_writable(files)
    manifest = updated(tomllib.loads(files.read(MANIFEST).decode("utf-8")), evaluation)
    text = need("tomli_w").dumps(manifest).encode("utf-8")
    parse(text)
    replace_file(files.path / CARD, render(manifest, evaluation).encode("utf-8"))
    replace_file(files.path / MANIFEST, text)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there: a reader finds the old or the new one, never half."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
