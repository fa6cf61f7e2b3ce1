"""The model card, written from the figures by the command that exports the engine."""

from __future__ import annotations

import math

from training.config import Config
from training.evaluate import Scored
from training.summarise import FindingFigures, within

LEVELS = {
    "adequate": "30 or more positive patients in the test part",
    "limited": "10 to 29",
    "insufficient": "fewer than 10: not enough data to judge; such a finding is scored but never called positive",
}


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _performance(config: Config, rows: list[FindingFigures]) -> str:
    names = {f.key: f.display for f in config.findings}
    body = [
        [
            names[r.key],
            f"{r.test_positives} / {r.test_count} ({r.test_positive_groups})",
            r.auc.text(),
            r.sensitivity.text(),
            r.specificity.text(),
            r.ppv.text(),
            f"{r.threshold:.3f}",
            _number(r.calibration_error),
            _number(r.brightness_auc),
            r.evidence_level,
        ]
        for r in rows
    ]
    header = [
        "Finding",
        "Positive / n (positive patients)",
        "AUC",
        "Sensitivity",
        "Specificity",
        "PPV in this test part",
        "Threshold",
        "Calibration error",
        "AUC of brightness alone",
        "Evidence level",
    ]
    return _table(header, body)


def _maps(config: Config, rows: list[FindingFigures]) -> str:
    names = {f.key: f.display for f in config.findings}
    known = [r for r in rows if r.places]
    if not known:
        return "There are no boxes or masks for this engine's images: where its maps point was **not measured**."
    body = [
        [
            names[r.key],
            str(r.places),
            r.hit_rate.text(),
            _number(r.prior_hit_rate),
            _number(r.centre_hit_rate),
            r.mean_iou.text(),
            f"{r.region_fraction:.1f}",
        ]
        for r in known
    ]
    header = [
        "Finding",
        "Places known",
        "Hit rate (peak inside)",
        "Hit rate of the mean training mask's peak",
        "Hit rate of the image centre",
        "Mean IoU of the region",
        "Region at this share of the peak",
    ]
    return _table(header, body)


def _subgroups(config: Config, test: Scored) -> str:
    first = config.findings[0]
    keys = sorted({k for s in test.subgroups for k in s})
    parts = []
    for by in [None, *keys]:
        rows = within(config, test, first.key, by=by)
        if rows:
            body = [[part, f"{p} / {p + n}", score.text()] for part, p, n, score in rows]
            parts.append(_table([f"{first.display} by {by or 'source'}", "Positive / n", "AUC"], body))
    return "\n\n".join(parts) or "Nothing to compare."


def render(
    config: Config, rows: list[FindingFigures], test: Scored, *, sha256: str, parts: dict[str, tuple[int, int]]
) -> str:
    """The card as Markdown. ``parts`` maps a split to ``(images, groups)``."""
    sizes = ", ".join(f"{name} {images} images of {groups} groups" for name, (images, groups) in parts.items())
    population = config.population
    ages = "any age stated or not" if population.min_age_years is None else f"{population.min_age_years:g} years and up"
    listed = "\n".join(f"- {line}" for line in config.data_notes)
    limits = "\n".join(f"- {line}" for line in config.limits)
    levels = "\n".join(f"- *{name}*: {text}." for name, text in LEVELS.items())
    return f"""# {config.title} ({config.id} {config.version})

Research software, not a medical device. {population.intended_use}

Modalities {", ".join(population.modalities)}; views {", ".join(population.views) or "any"}; ages: {ages}.
Graph SHA-256 `{sha256}`.

## What it is

{config.model.backbone} (ImageNet start, Apache-2.0), last feature map at stride {config.model.output_stride}, global
average pooling, one linear layer; input {len(config.input.channels)} x {config.input.size} x {config.input.size}.
Every finding's evidence map comes out of the same pass: Grad-CAM in closed form, `sum(evidence) + bias = logit`; the
largest error on the test part is {test.completeness:.1e}. A map is evidence about the model, not proof about the
patient.

## Data

{listed}

Split by patient or group, never by image: {sizes}.
Threshold and calibration were chosen on validation; everything below was measured on test, through the shipped graph
and the shipped preparation. A threshold of 0.500 means that fewer than five positive patients were there to choose
by, so the finding is called only when it is more likely than not. Intervals are 95 % bootstrap intervals over groups,
1,000 resamples.

## How well it reads

{_performance(config, rows)}

Evidence levels:
{levels}

## Where it looks

{_maps(config, rows)}

## In which part of the data

{_subgroups(config, test)}

## Limits

{limits}

## How this card was made

`python -m training export training/configs/{config.id}.toml --data DATA --run RUN --out engines`
"""
