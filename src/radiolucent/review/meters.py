"""How readers and engines agree: counts with intervals, from signed decisions and first opinions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from scipy.stats import binomtest

from radiolucent.records.decision import Decision, Opinion
from radiolucent.records.study import StudyReport

Interval = tuple[float, float, float]
FEWEST = 10
"""Of fewer cases whose truth is known no share is told."""


def wilson(hits: int, of: int) -> Interval | None:
    """A share with its 95 % interval (Wilson 1927); ``None`` of nothing."""
    if of == 0:
        return None
    found = binomtest(hits, of).proportion_ci(method="wilson")
    return hits / of, float(found.low), float(found.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One decision with what it was about; ``ready_at``: seconds since 1970 when the result was there.

    ``truth``: whether findings are there, by key, as far as it is known.
    """

    decision: Decision
    report: StudyReport
    opinion: Opinion | None
    ready_at: float
    truth: Mapping[str, bool] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Reliance:
    """Of decisions on what the engine said, present or absent, where the truth is known: how often they say the same.

    Readers who rely on the engine as they should agree where it is right and do not where it is wrong. ``false_alarms``
    are those of ``wrong`` that it called, the others are misses.
    """

    right: int = 0
    right_agreed: int = 0
    wrong: int = 0
    wrong_agreed: int = 0
    false_alarms: int = 0
    false_alarms_agreed: int = 0

    @property
    def agreed_right(self) -> Interval | None:
        """Agreement where the engine was right; ``None``: too few to say."""
        return wilson(self.right_agreed, self.right) if self.right >= FEWEST else None

    @property
    def agreed_wrong(self) -> Interval | None:
        """Agreement where the engine was wrong, which is overreliance; ``None``: too few to say."""
        return wilson(self.wrong_agreed, self.wrong) if self.wrong >= FEWEST else None

    def count(self, *, is_called: bool, is_there: bool, is_agreed: bool) -> None:
        """One decision more."""
        kinds = ("right",) if is_called == is_there else ("wrong", "false_alarms") if is_called else ("wrong",)
        for kind in kinds:
            setattr(self, kind, getattr(self, kind) + 1)
            setattr(self, f"{kind}_agreed", getattr(self, f"{kind}_agreed") + is_agreed)

    def __add__(self, other: Reliance) -> Reliance:
        """Both together."""
        return Reliance(**{name: getattr(self, name) + getattr(other, name) for name in Reliance.__slots__})


@dataclass(slots=True, kw_only=True)
class Row:
    """Decisions on one finding of one engine version by one reader at one word of confidence.

    A row may hold no decision on a positive finding: where the truth is known, what the engine did not call counts too.
    """

    engine: str
    version: str
    finding: str
    reader: str
    confidence: str
    accepted: int = 0
    modified: int = 0
    rejected: int = 0
    missed: int = 0
    seconds: list[float] = field(default_factory=list)
    reliance: Reliance = field(default_factory=Reliance)

    @property
    def n(self) -> int:
        """Positive findings that were decided."""
        return self.accepted + self.modified + self.rejected

    @property
    def override_rate(self) -> Interval | None:
        """Share of the engine's positive findings that the reader did not let stand as they were."""
        return wilson(self.modified + self.rejected, self.n)

    @property
    def median_decision_s(self) -> float | None:
        """From the result to the signature."""
        return median(self.seconds) if self.seconds else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bias:
    """First opinions against engine and decision, finding by finding.

    Parameters
    ----------
    moved_to_engine
        Of findings on which reader and engine first disagreed: how often the decision is the engine's.
    agreed_first
        How often they agreed before the reader saw the engine.
    """

    moved_to_engine: Interval | None
    agreed_first: Interval | None


def rows(cases: Sequence[Case]) -> list[Row]:
    """The table of agreement; what readers added counts as missed under ``engine`` empty where no engine knows it."""
    found: dict[tuple[str, ...], Row] = {}
    for case in cases:
        reader, decision = case.decision.reader.name, case.decision
        said = {(f.engine.id, f.key): f for f in case.report.findings}
        for each in decision.draft.findings:
            finding = said.get((each.engine, each.key))
            if finding is None or not finding.positive:
                continue
            row = _row(found, (each.engine, finding.engine.version, each.key, reader, finding.confidence))
            setattr(row, each.assessment, getattr(row, each.assessment) + 1)
            row.seconds.append(max(0.0, decision.signed_at.timestamp() - case.ready_at))
        for added in decision.draft.added:
            engine = next((f.engine for f in case.report.findings if f.key == added.key), None)
            words = ("", "") if engine is None else (engine.id, engine.version)
            _row(found, (*words, added.key or added.display, reader, added.confidence or "")).missed += 1
        final = _held(case) if case.truth else set()
        for finding in case.report.findings:
            if (truth := case.truth.get(finding.key)) is not None:
                key = (finding.engine.id, finding.engine.version, finding.key, reader, finding.confidence)
                is_agreed = (finding.key in final) == finding.positive
                _row(found, key).reliance.count(is_called=finding.positive, is_there=truth, is_agreed=is_agreed)
    return [found[key] for key in sorted(found)]


def _row(found: dict[tuple[str, ...], Row], key: tuple[str, str, str, str, str]) -> Row:
    engine, version, finding, reader, confidence = key
    if key not in found:
        found[key] = Row(engine=engine, version=version, finding=finding, reader=reader, confidence=confidence)
    return found[key]


def reliance(table: Sequence[Row], *names: str) -> dict[tuple[str, ...], Reliance]:
    """Rows whose truth is known, put together by these of their fields: ``("engine", "version")``."""
    found: dict[tuple[str, ...], Reliance] = {}
    for row in table:
        if row.reliance.right + row.reliance.wrong:
            key = tuple(getattr(row, name) for name in names)
            found[key] = found.get(key, Reliance()) + row.reliance
    return found


def bias(cases: Sequence[Case]) -> Bias:
    """Whether readers move to the engine once they have seen it."""
    disagreed = moved = agreed = looked = 0
    for case in cases:
        if case.opinion is None:
            continue
        final = _held(case)
        for key, positive in _called(case.report).items():
            first = key in case.opinion.findings
            looked += 1
            agreed += first == positive
            if first != positive:
                disagreed += 1
                moved += (key in final) == positive
    return Bias(moved_to_engine=wilson(moved, disagreed), agreed_first=wilson(agreed, looked))


def _called(report: StudyReport) -> Mapping[str, bool]:
    called: dict[str, bool] = {}
    for finding in report.findings:
        called[finding.key] = called.get(finding.key, False) or finding.positive
    return called


def _held(case: Case) -> set[str]:
    """Keys of the findings that hold after the decision."""
    draft = case.decision.draft
    positive = {(f.engine.id, f.key) for f in case.report.positives}
    kept = {f.key for f in draft.findings if f.assessment == "accepted" and (f.engine, f.key) in positive}
    changed = {f.changed.key for f in draft.findings if f.changed is not None and f.changed.key is not None}
    return kept | changed | {each.key for each in draft.added if each.key is not None}
