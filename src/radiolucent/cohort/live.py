"""What a report of a running installation adds to the drift charts."""

from __future__ import annotations

import math
from collections.abc import Iterator

from radiolucent.cohort.drift import Value
from radiolucent.records.study import StudyFinding, StudyReport

DAY_S = 86_400.0


def chart_name(engine: str, version: str, what: str) -> str:
    """``chest-film 0.2.0: pneumonia score``; a new version begins charts of its own."""
    return f"{engine} {version}: {what}"


def values_of(report: StudyReport, produced_at: float) -> Iterator[Value]:
    """One study's values.

    Of an engine's report: the score of each finding (log-odds of its probability); of called ones the share of
    evidence in the expected region, and whether the word is low; whether an image was refused. Of a report that a
    person signed: whether a called finding was rejected or changed. A retraction adds nothing.
    """
    day = int(produced_at // DAY_S)
    if report.state == "retracted":
        return
    if report.is_signed:
        for finding in report.positives:
            yield _value(finding, "overridden", not finding.holds, day)
        return
    for finding in report.findings:
        yield _value(finding, f"{finding.key} score", _log_odds(finding.probability), day)
        if finding.positive:
            yield _value(finding, "low confidence", finding.confidence == "low", day)
            if finding.in_expected_region is not None:
                yield _value(finding, f"{finding.key} in expected region", finding.in_expected_region, day)
    for engine in report.engines:
        name = chart_name(engine.id, engine.version, "refused images")
        yield Value(chart=name, day=day, value=float(bool(report.refusals)))


def _log_odds(probability: float) -> float:
    held = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(held / (1 - held))


def _value(finding: StudyFinding, what: str, value: float, day: int) -> Value:
    return Value(chart=chart_name(finding.engine.id, finding.engine.version, what), day=day, value=float(value))
