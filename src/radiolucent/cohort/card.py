"""The model card, written from a manifest and the figures of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from radiolucent.cohort.card_maps import anatomy, faithful, maps
from radiolucent.cohort.evaluation import Evaluation, FindingFigures
from radiolucent.cohort.figures import Scores
from radiolucent.cohort.markdown import Names, number, short, table
from radiolucent.cohort.targets import targets
from radiolucent.cohort.trust import WORDS, TrustFigures
from radiolucent.judge.guards import SURE

LEVELS = {
    "adequate": "30 or more positive patients in the test part",
    "limited": "10 to 29",
    "insufficient": "fewer than 10, or an AUC whose interval reaches 0.5: scored but never called positive",
}


def _performance(rows: Sequence[tuple[str, Scores]], names: Names) -> str:
    header = [
        "Finding",
        "Positive / n (positive patients)",
        "AUC",
        "AUC by patient or group",
        "Sensitivity",
        "Specificity",
        "PPV in this test part",
        "Threshold",
        "Calibration error",
        "AUC of brightness alone",
        "Evidence level",
    ]
    body = []
    for key, s in rows:
        point = s.points[0]
        body.append(
            [
                names[key],
                f"{s.positives} / {s.images} ({s.positive_groups})",
                s.auc.text(),
                s.group_auc.text() if s.groups < s.images else "the same",
                point.sensitivity.text(),
                point.specificity.text(),
                point.ppv.text(),
                f"{point.threshold:.3f}",
                s.calibration_error.text(),
                number(s.brightness_auc),
                s.evidence_level,
            ]
        )
    return table(header, body)


def _points(rows: Sequence[tuple[str, Scores]], names: Names) -> str:
    header = ["Finding", "Operating point", "Threshold", "Sensitivity", "Specificity", "PPV", "PPV at prevalence"]
    body = [
        [
            names[key],
            p.name.replace("_", " "),
            f"{p.threshold:.3f}",
            p.sensitivity.text(),
            p.specificity.text(),
            p.ppv.text(),
            f"{short(p.ppv_stated)} at {s.stated_prevalence:.3f}",
        ]
        for key, s in rows
        for p in s.points
        if s.positives
    ]
    return table(header, body) if body else "Nothing to measure."


def _uncertain(rows: Sequence[FindingFigures], names: Names) -> str:
    known = [(r.key, r.choice.sets, r.scores.conformal) for r in rows if r.scores.conformal is not None]
    if not known:
        return "Too few validation patients for conformal sets."
    body = []
    for key, sets, c in known:
        band = None if sets is None else sets.band
        body.append(
            [
                names[key],
                "none" if band is None else f"{band[0]:.3f} to {band[1]:.3f}",
                short(c.coverage_positive),
                short(c.coverage_negative),
                short(c.uncertain),
            ]
        )
    header = ["Finding", "Band", "Positives covered", "Negatives covered", "Share of images inside the band"]
    return table(header, body)


def _trust(rows: Sequence[FindingFigures], whole: TrustFigures, names: Names) -> str:
    entries = [("All findings", whole)] + [(names[r.key], r.trust) for r in rows]
    body = [
        [
            name,
            *(f"{t.calls[word]}: {short(t.ppv[word])}" if t.calls[word] else "0" for word in WORDS),
            short(t.high_minus_moderate),
            short(t.moderate_minus_low),
            f"{short(t.warned_false)} of {t.false_calls}" if t.false_calls else "no false call",
            short(t.warned_true),
        ]
        for name, t in entries
        if any(t.calls.values())
    ]
    header = [
        "Finding",
        *(f"Calls and PPV, {word}" for word in WORDS),
        "High minus moderate",
        "Moderate minus low",
        "False calls with a flag or the word low",
        "Right calls with one",
    ]
    return table(header, body) if body else "Nothing was called positive."


def _targets(manifest: Mapping[str, Any], evaluation: Evaluation) -> str:
    """What was aimed at and what came of it, the command in the head of the section."""
    rows = [[t.text, t.wanted, short(t.figure.value), t.figure.on, t.verdict] for t in targets(manifest, evaluation)]
    if not rows:
        return "None were set."
    return table(["Target", "Wanted", "Measured", "On", "Verdict"], rows)


def _subgroups(rows: Sequence[FindingFigures], names: Names) -> str:
    first, parts = rows[0], []
    hits = {(s.by, s.value): f"{short(s.hit_rate)} of {s.places}" for s in first.places.slices}
    for by in dict.fromkeys(s.by for s in first.slices):
        body = [
            [
                s.value,
                f"{s.positives} / {s.positives + s.negatives}",
                s.auc.text(),
                short(s.sensitivity),
                short(s.specificity),
                hits.get((by, s.value), "no place known"),
            ]
            for s in first.slices
            if s.by == by
        ]
        header = [f"{names[first.key]} by {by}", "Positive / n", "AUC", "Sensitivity", "Specificity", "Hit rate"]
        parts.append(table(header, body))
    return "\n\n".join(parts) or "Nothing to compare."


def _kinds(evaluation: Evaluation, names: Names, keys: Sequence[str]) -> str:
    if not evaluation.kinds:
        return ""
    body = [[f"{k.by} {k.value}".strip(), f"{k.images} ({k.groups})", k.accuracy.text()] for k in evaluation.kinds]
    kinds = ", ".join(names[key].lower() for key in keys)
    body_table = table(["Where", "Images (groups)", "Accuracy"], body)
    return f"\n\nThe likeliest of {kinds} is the true one, among images that show exactly one of them:\n\n{body_table}"


def _guards(manifest: Mapping[str, Any]) -> str:
    """Guards on content and the limit of novelty, as the export measured them on pictures kept aside."""
    rows = []
    for guard in manifest.get("guards", ()):
        figures = guard.get("metrics")
        caught = "not measured" if figures is None else f"{figures['caught']:.2f} of {figures['caught_of']}"
        stopped = (
            "not measured" if figures is None else f"{figures['false_alarms']:.3f} of {figures['false_alarms_of']}"
        )
        rows.append([guard["name"], guard["action"], f"{guard['threshold']:.3f}", caught, stopped])
    if not rows:
        return "This engine has no guard on content."
    header = ["What is noticed", "How", "Threshold", "Caught, of its kind kept aside", "Validation images caught"]
    words = f"Flagged from the threshold on; where it may be refused, refused from a probability of {SURE} on.\n\n"
    return words + table(header, rows)


def _rules(manifest: Mapping[str, Any]) -> str:
    """Derived findings with the figures their rules use."""
    rows = [
        [
            rule["display"],
            rule["rule"],
            f"{rule['calibration']['slope']:.3g}, {rule['calibration']['intercept']:.3g}",
            f"{rule['threshold']:.3f}",
            str(rule.get("learnt_from", "-")),
            rule["evidence_level"],
        ]
        for rule in manifest.get("derived", ())
    ]
    if not rows:
        return "None."
    header = [
        "Finding",
        "Rule (judge/derived.py)",
        "Slope, intercept",
        "Threshold",
        "Training images",
        "Evidence level",
    ]
    return table(header, rows)


def _speed(evaluation: Evaluation) -> str:
    found = evaluation.speed
    if found is None:
        return "Not measured."
    return (
        f"One image with every output: {found.image_ms.value:.1f} ms ({found.image_ms.low:.1f} to "
        f"{found.image_ms.high:.1f}, 5th and 95th percentile of {found.rounds} rounds, {found.threads} threads); "
        f"{found.ratio.text()} times the same graph with logits alone. More in benchmarks/README.md."
    )


def _listed(manifest: Mapping[str, Any], name: str, otherwise: str) -> str:
    lines = manifest.get("card", {}).get(name, []) or [otherwise]
    return "\n".join(f"- {line}" for line in lines)


def _sizes(manifest: Mapping[str, Any], evaluation: Evaluation) -> str:
    train = manifest.get("training", {}).get("parts", {}).get("train")
    parts = {} if train is None else {"train": (train["images"], train["groups"])}
    parts |= evaluation.parts
    return ", ".join(f"{name} {images} images of {groups} groups" for name, (images, groups) in parts.items())


def render(manifest: Mapping[str, Any], evaluation: Evaluation) -> str:
    """The card as Markdown.

    Parameters
    ----------
    manifest
        The raw ``engine.toml``; its ``[card]`` table holds ``data_notes`` and ``limits``.
    """
    names = {t["key"]: t["display"] for t in (*manifest["findings"], *manifest.get("derived", ()))}
    population, source = manifest["population"], manifest["input"]
    training = manifest.get("training", {})
    ages = f"{population['min_age_years']:g} years and up" if "min_age_years" in population else "any, stated or not"
    rows = evaluation.findings
    scored = [*((r.key, r.scores) for r in rows), *((d.key, d.scores) for d in evaluation.derived)]
    levels = "\n".join(f"- *{name}*: {text}." for name, text in LEVELS.items())
    return f"""# {manifest["title"]} ({manifest["id"]} {manifest["version"]})

Research software, not a medical device. {population["intended_use"]}

Modalities {", ".join(population["modalities"])}; views {", ".join(population.get("views", ())) or "any"}; ages: {ages}.
Graph SHA-256 `{evaluation.sha256}`.

## What it is

Backbone: {training.get("backbone", "not stated")}; global average pooling, one linear layer; input
{len(source["channels"])} x {source["rows"]} x {source["columns"]}. {manifest["method"]}.
`sum(evidence) + bias = logit`; the largest error on the test part is {evaluation.completeness_error:.1e}. A map is
evidence about the model, not proof about the patient.

## Data

{_listed(manifest, "data_notes", training.get("summary", "Not stated in this package."))}

Split by patient or group, never by image: {_sizes(manifest, evaluation)}.
Threshold and calibration were chosen on validation; everything below was measured on test, through the graph and the
preparation that run on any image. A threshold of 0.500 means that fewer than five positive patients were there to
choose by, so the finding is called only when it is more likely than not. Intervals are 95 % bootstrap intervals over
groups, {evaluation.resamples:,} resamples.

## What was aimed at

Measured by `radiolucent engines evaluate {manifest["id"]} --truth TRUTH.csv --write` on the test part.

{_targets(manifest, evaluation)}

## How well it reads

{_performance(scored, names)}{_kinds(evaluation, names, manifest.get("exclusive", ()))}

Evidence levels:
{levels}

## Operating points

{_points(scored, names)}

## Where both answers remain possible

Class-conditional conformal sets at 10 %, chosen on validation. Inside the band the score decides nothing.

{_uncertain(rows, names)}

## How far its words hold

{_trust(rows, evaluation.trust, names)}

## Where it looks

{maps(rows, names)}

{anatomy(rows, names)}

A map is *validated* when places of ten or more patients are known and its peak hits them more often than the better of
the position prior and the image centre (95 % interval above 0).

## How fast

{_speed(evaluation)}

## Whether its maps say what it uses

{faithful(evaluation)}

## What it refuses or flags

{_guards(manifest)}

## Findings by rule

{_rules(manifest)}

## In which part of the data

{_subgroups(rows, names)}

## Limits

{_listed(manifest, "limits", "Not stated in this package.")}

## How this card was made

`radiolucent engines evaluate {manifest["id"]} --truth TRUTH.csv --write`; truth table SHA-256
`{evaluation.truth_sha256}`. What each figure means: docs/evaluate.md.
"""
