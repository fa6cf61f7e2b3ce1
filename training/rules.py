"""Figures that the derived findings' rules need, from training films and the regions an engine draws on them.

No label of validation or test is touched; how a rule does is measured afterwards by the evaluation, where the data
hold a reference for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from radiolucent.cohort.measure import sigmoid
from radiolucent.cohort.reading import read
from radiolucent.cohort.truth import Case
from radiolucent.engines.checks import Engine
from radiolucent.explain.anatomy import measure
from radiolucent.records.anatomy import AnatomyMeasures
from training.config import Config, Derived
from training.data import Sample

USUAL = 95.0
"""A ratio counts as enlarged beyond this percentile of films on which nothing was reported."""

Rows = list[tuple[Sample, AnatomyMeasures]]


def _measured(engine: Engine, samples: list[Sample]) -> Rows:
    cases = [
        Case(
            row=index,
            image=sample.channels[0],  # type: ignore[arg-type]
            second=sample.channels[1] if len(sample.channels) == 2 else None,
            group=sample.group,
            part="val",
            source=sample.source,
            labels={},
            masks={},
            boxes={},
            subgroups={},
        )
        for index, sample in enumerate(samples)
    ]
    readings = read(cases, engine)
    return [
        (sample, measure(r.inference, engine.spec, facts=r.facts)) for sample, r in zip(samples, readings, strict=True)
    ]


def _clear(rows: Rows) -> Rows:
    """Frontal PA films on which nothing was reported: what a normal chest measures."""
    return [(s, m) for s, m in rows if s.subgroup.get("view") == "PA" and not any(v == 1 for v in s.labels.values())]


def _rule(rule: Derived, rows: Rows) -> dict[str, Any]:
    """``calibration``, ``threshold`` and the number of films behind them."""
    if rule.rule == "cardiothoracic_ratio":
        known = [
            (m.cardiothoracic_ratio, s.labels[rule.label])
            for s, m in rows
            if rule.label and m.cardiothoracic_ratio is not None and not np.isnan(s.labels.get(rule.label, np.nan))
        ]
        ratio, label = (np.array(column, dtype=np.float64) for column in zip(*known, strict=True))
        fitted = LogisticRegression(C=1e4).fit(ratio[:, None], label)
        slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
        usual = [m.cardiothoracic_ratio for _, m in _clear(rows) if m.cardiothoracic_ratio is not None]
        edge = np.array([slope * np.percentile(usual, USUAL) + intercept])
        return {
            "calibration": {"slope": slope, "intercept": intercept},
            "threshold": float(np.clip(sigmoid(edge)[0], 1e-3, 0.999)),
            "learnt_from": len(known),
        }
    if rule.rule in {"mediastinal_width", "tension"}:
        values = [m.mediastinal_ratio if rule.rule == "mediastinal_width" else m.shift for _, m in _clear(rows)]
        normal = np.array([v for v in values if v is not None], dtype=np.float64)
        mean, sd = float(np.median(normal)), float(normal.std())
        scale, offset = (2.0, -4.0) if rule.rule == "mediastinal_width" else (1.0, 0.0)
        return {
            "calibration": {"slope": scale / sd, "intercept": offset - scale * mean / sd},
            "threshold": 0.5,
            "learnt_from": len(normal),
        }
    return {"calibration": {"slope": 1.0, "intercept": 0.0}, "threshold": 0.5, "learnt_from": 0}


def derived(config: Config, engine: Engine, samples: list[Sample]) -> list[dict[str, Any]]:
    """The manifest's ``[[derived]]`` tables, from training ``samples``."""
    rows = _measured(engine, samples) if any(d.rule in MEASURED for d in config.derived) else []
    return [table(rule, _rule(rule, rows)) for rule in config.derived]


MEASURED = {"cardiothoracic_ratio", "mediastinal_width", "tension"}
"""Rules that need the regions of training films."""


def table(rule: Derived, figures: dict[str, Any]) -> dict[str, Any]:
    """One ``[[derived]]`` table, insufficient until the evaluation has measured it."""
    return {
        "key": rule.key,
        "display": rule.display,
        "rank": rule.rank,
        "critical": rule.critical,
        "rule": rule.rule,
        **({} if rule.base is None else {"base": rule.base}),
        "evidence_level": "insufficient",
        "test_positives": 0,
        "code": dict(zip(("scheme", "value", "meaning"), rule.code, strict=True)),
        **figures,
    }
