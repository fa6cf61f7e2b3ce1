"""Truth out of coded reports: what final reports say of an engine's findings, by study.

A finding that a report names is present, one that it denies is absent, and of all others nothing is known: a report
need not list what is not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radiolucent.cohort.truth import read_table, wrong
from radiolucent.records.engine import EngineSpec
from radiolucent.records.reported import Reported, Statement
from radiolucent.standards.code_systems import RADLEX_OF, scheme_of

Findings = Mapping[tuple[str, str], tuple[str, ...]]
"""Finding keys by scheme and value of a code."""
COLUMNS = ("scheme", "code", "finding")
NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedTruth:
    """What reports say.

    Parameters
    ----------
    labels
        1 or 0 by finding key, by study; a study is a number of its own.
    by_uid, by_accession
        Which study a UID or accession number means.
    left_out
        Versions of reports that say nothing here, by why.
    unknown_codes
        How often a code stood in a report that no finding has, by ``scheme code``.
    contradictions
        Findings of a study that one report calls present and another absent: not known.
    """

    labels: tuple[Mapping[str, float], ...]
    by_uid: Mapping[str, int]
    by_accession: Mapping[str, int]
    left_out: Mapping[str, int]
    unknown_codes: Mapping[str, int]
    contradictions: int

    def study_of(self, study_instance_uid: str, accession_number: str) -> int | None:
        """The study of an image; its UID decides where both are known."""
        found = self.by_uid.get(study_instance_uid) if study_instance_uid else None
        return self.by_accession.get(accession_number) if found is None and accession_number else found

    def words(self) -> Iterator[str]:
        """What a reader of the report must know of its truth."""
        for why, count in self.left_out.items():
            yield f"{count} {why}"
        if self.contradictions:
            yield f"{self.contradictions} findings are present in one report and absent in another of the same study"
        if self.unknown_codes:
            most = sorted(self.unknown_codes.items(), key=lambda one: (-one[1], one[0]))
            named = ", ".join(f"{code} ({count})" for code, count in most[:NAMED])
            more = f" and {len(most) - NAMED} more" if len(most) > NAMED else ""
            yield f"{len(most)} codes of the reports belong to no finding of the engine: {named}{more}"


@dataclass(slots=True)
class _Study:
    """The versions of the reports of one study, by report."""

    uids: set[str] = field(default_factory=set)
    accessions: set[str] = field(default_factory=set)
    latest: dict[str, tuple[str, int, Reported]] = field(default_factory=dict)

    def take(self, order: int, report: Reported) -> None:
        """Keep a version where it is the latest of its report; of equal times the later one in the files counts."""
        last = self.latest.get(report.report)
        if last is None or (report.at, order) >= last[:2]:
            self.latest[report.report] = (report.at, order, report)


def codes_of(specs: Sequence[EngineSpec], path: Path | None = None) -> Findings:
    """The codes of the engines' findings, in RadLex too, and those of a site's own table (``scheme,code,finding``).

    Raises
    ------
    SettingsError
        ``truth_table``.
    """
    trained = [(f.code, f.key) for spec in specs for f in spec.findings]
    every = trained + [(d.code, d.key) for spec in specs for d in spec.derived]
    found: dict[tuple[str, str], set[str]] = {}
    for known, key in every:
        found.setdefault((known.scheme, known.value), set()).add(key)
        if known.scheme == "SCT" and known.value in RADLEX_OF:
            found.setdefault(("RADLEX", RADLEX_OF[known.value]), set()).add(key)
    for scheme, code, key in () if path is None else _own(path, {key for _, key in every}):
        found.setdefault((scheme_of(scheme), code), set()).add(key)
    return {code: tuple(sorted(keys)) for code, keys in found.items()}


def _own(path: Path, keys: set[str]) -> Iterator[tuple[str, str, str]]:
    header, rows = read_table(path)
    if missing := [column for column in COLUMNS if column not in header]:
        wrong(f"{path.name} row 1", f"no column {', '.join(missing)}", ", ".join(COLUMNS))
    for line, row in rows:
        if row["finding"] not in keys:
            wrong(f"{path.name} row {line}", f"finding {row['finding']!r}", f"one of {', '.join(sorted(keys))}")
        yield row["scheme"], row["code"], row["finding"]


def reported_truth(reports: Iterable[Reported], findings: Findings) -> ReportedTruth:
    """Labels of every study of which a final report says something in codes; of its versions the latest counts."""
    left_out: Counter[str] = Counter()
    studies = _studies(reports, left_out)
    unknown: Counter[str] = Counter()
    labels = [_labels(study, findings, left_out, unknown) for study in studies]
    return ReportedTruth(
        labels=tuple({key: value for key, value in each.items() if value is not None} for each in labels),
        by_uid={uid: i for i, study in enumerate(studies) for uid in study.uids},
        by_accession={number: i for i, study in enumerate(studies) for number in study.accessions},
        left_out=dict(left_out),
        unknown_codes=dict(unknown),
        contradictions=sum(value is None for each in labels for value in each.values()),
    )


def _studies(reports: Iterable[Reported], left_out: Counter[str]) -> list[_Study]:
    """Reports by study: those that share a UID belong together, and without one those of an accession number."""
    by_uid: dict[str, _Study] = {}
    by_accession: dict[str, _Study] = {}
    found: list[_Study] = []
    for order, report in enumerate(reports):
        if report.standing == "open":
            left_out["versions of reports that are not final"] += 1
            continue
        uids, accessions = report.study_instance_uids, report.accession_numbers
        if not uids and not accessions:
            left_out["reports that name no study"] += 1
            continue
        study = next((by_uid[uid] for uid in uids if uid in by_uid), None)
        if study is None:
            near = next((by_accession[each] for each in accessions if each in by_accession), None)
            study = near if near is not None and not (uids and near.uids) else None
        if study is None:
            study = _Study()
            found.append(study)
        study.uids.update(uids)
        study.accessions.update(accessions)
        by_uid.update(dict.fromkeys(uids, study))
        by_accession.update(dict.fromkeys(accessions, study))
        study.take(order, report)
    return found


def _labels(
    study: _Study, findings: Findings, left_out: Counter[str], unknown: Counter[str]
) -> dict[str, float | None]:
    """1, 0, or ``None`` where reports contradict one another."""
    said: dict[str, set[float]] = {}
    for _, _, report in study.latest.values():
        if report.standing == "withdrawn":
            left_out["reports that were taken back"] += 1
            continue
        for key, value in _of_one(report, findings, unknown).items():
            said.setdefault(key, set()).add(value)
    return {key: None if len(values) > 1 else next(iter(values)) for key, values in said.items()}


def _of_one(report: Reported, findings: Findings, unknown: Counter[str]) -> dict[str, float]:
    """What one report says: what is present on one side is present, whatever the other side is said to lack."""
    found: dict[str, float] = {}
    for statement in report.statements:
        keys = _keys(statement, findings)
        if not keys:
            unknown.update(f"{code.scheme} {code.value}" for code in statement.codes)
        elif statement.is_present is not None:
            found |= {key: max(found.get(key, 0.0), float(statement.is_present)) for key in keys}
    return found


def _keys(statement: Statement, findings: Findings) -> set[str]:
    return {key for code in statement.codes for key in findings.get((code.scheme, code.value), ())}
