"""Manifest and card of an imported network: everything said, nothing measured."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any

import tomli_w

from radiolucent.importing.fuse import Fused
from radiolucent.importing.plan import PlannedFinding
from radiolucent.importing.sources import Loaded

METHOD = "Grad-CAM in closed form (global average pooling and one linear layer; equals CAM and HiResCAM)"
UNMEASURED = "No figure was measured here: no AUC, no sensitivity, no predictive value, no map."
HALF = 0.5


def summary(loaded: Loaded) -> str:
    """Where the weights come from, in one line."""
    return (
        f"Imported from {loaded.source} with {loaded.library} {loaded.library_version}; weights {loaded.checkpoint}, "
        f"SHA-256 {loaded.checkpoint_sha256}. {UNMEASURED}"
    )


def engine_toml(loaded: Loaded, fused: Fused, path: Path, *, scales: list[float]) -> bytes:
    """The manifest; ``scales`` are evidence (logits per cell) at the top of each finding's colour scale."""
    plan = loaded.plan
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"radiolucent:{plan.id}:{plan.version}:{sha256}")
    population: dict[str, Any] = {
        "modalities": list(plan.population.modalities),
        "body_parts": list(plan.population.body_parts),
        "views": list(plan.population.views),
        "intended_use": plan.population.intended_use,
    }
    for key in ("min_age_years", "max_age_years"):
        if (age := getattr(plan.population, key)) is not None:
            population[key] = age
    content: dict[str, Any] = {
        "format": "radiolucent.engine/1",
        "id": plan.id,
        "title": plan.title,
        "version": plan.version,
        "license": plan.license,
        "method": METHOD,
        "zones": plan.zones,
        "device_uid": f"2.25.{name.int}",
        "graph": {"file": path.name, "sha256": sha256, "outputs": ["logits", "evidence", "embedding"]},
        "population": population,
        "input": {
            "rows": plan.input.size,
            "columns": plan.input.size,
            "mean": plan.input.mean,
            "std": plan.input.std,
            "channels": [dict(plan.input.channel)],
        },
        "findings": [
            _finding(finding, bias, scale)
            for finding, bias, scale in zip(plan.findings, fused.bias, scales, strict=True)
        ],
        "card": {"data_notes": [summary(loaded), *plan.notes], "limits": list(plan.limits)},
        "training": {
            "summary": summary(loaded),
            "backbone": loaded.source,
            "library": loaded.library,
            "library_version": loaded.library_version,
            "checkpoint": loaded.checkpoint,
            "checkpoint_sha256": loaded.checkpoint_sha256,
        },
    }
    return tomli_w.dumps(content).encode("utf-8")


def _finding(finding: PlannedFinding, bias: float, scale: float) -> dict[str, Any]:
    return {
        "key": finding.key,
        "display": finding.display,
        "rank": finding.rank,
        "critical": finding.critical,
        "kind": finding.kind,
        "expected_regions": list(finding.expected_regions),
        "display_class": "locate",
        "bias": bias,
        "threshold": HALF if finding.threshold is None else finding.threshold,
        "map_scale": scale,
        "map_status": "unmeasured",
        "region_fraction": 0.5,
        "evidence_level": "untested",
        "code": {"scheme": finding.code.scheme, "value": finding.code.value, "meaning": finding.code.meaning},
        "calibration": {"method": "none", "slope": 1.0, "intercept": 0.0},
        "metrics": {"test_positives": 0},
    }


def card(loaded: Loaded, fused: Fused, path: Path, *, logit_error: float) -> str:
    """The card as Markdown; ``logit_error`` is the largest difference from the library's own logits."""
    plan = loaded.plan
    population = plan.population
    rows = "\n".join(
        f"| {f.display} | `{f.key}` | {f.kind} | "
        f"{f'{HALF} (none stated)' if f.threshold is None else f'{f.threshold:.6g}'} | {f.code.scheme} {f.code.value} |"
        for f in plan.findings
    )
    notes = "".join(f"- {line}\n" for line in (summary(loaded), *plan.notes))
    limits = "".join(f"- {line}\n" for line in plan.limits)
    return f"""# {plan.title} ({plan.id} {plan.version})

Research software, not a medical device. {population.intended_use}

**{UNMEASURED}** This is a network of others in a package of Radiolucent. Every finding is marked
*untested*, and its map *unmeasured*.
To measure it on images whose truth you know:

    radiolucent engines evaluate PATH-OF-THIS-FOLDER --truth truth.csv --write

Modalities {", ".join(population.modalities)}; body parts {", ".join(population.body_parts)}; views
{", ".join(population.views) or "any"}. Licence: {plan.license}.

## What it is

{loaded.source} ({loaded.library} {loaded.library_version}): one linear layer on the mean of its last feature map,
left as it was. Input 1 x {plan.input.size} x {plan.input.size}; evidence grid {fused.grid[0]} x {fused.grid[1]}.
{METHOD}.
`sum(evidence) + bias = logit`. On probe images (waves, discs, noise) the logits of `model.onnx` differ from those of
the library's own network by at most {logit_error:.1e}. A map is evidence about the model, not proof about the patient.

## Data

{notes}
## Findings

| Finding | Key | Kind | Threshold | Code |
|---|---|---|---|---|
{rows}

Probability is the sigmoid of the logit; it was not calibrated here.

## Limits

{limits}- The evidence grid is {fused.grid[0]} x {fused.grid[1]} cells: a map says where about, not where exactly.
- The colour scale of each map is provisional: it comes from probe images, not from films, until `engines evaluate` ran.
- Thresholds are not checked on any patient here. Do not act on a call before they are.

Graph SHA-256 `{hashlib.sha256(path.read_bytes()).hexdigest()}`.
"""
