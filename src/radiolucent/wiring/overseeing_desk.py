"""Meters of agreement and the audit log, out of the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from radiolucent.audit import checkpoint
from radiolucent.audit.chain import Verification
from radiolucent.audit.key import PublicKeys
from radiolucent.pipeline.journal import Journal
from radiolucent.records.audit import AuditEntry
from radiolucent.records.decision import Decision
from radiolucent.records.person import Sight
from radiolucent.records.study import StudyReport
from radiolucent.review import meters
from radiolucent.store import archive, decisions, truths, work
from radiolucent.web.api.caller import Caller
from radiolucent.web.api.ports import Meant

Json = dict[str, Any]
MOST_SHOWN_PROBLEMS = 20


class OverseeingDesk:
    """What quality officers and auditors see.

    Parameters
    ----------
    checkpoints
        The signed ends of the chain, and how to read the keys that signed them.
    """

    def __init__(self, journal: Journal, *, checkpoints: Path, keys: Callable[[], PublicKeys]) -> None:
        self._journal, self._checkpoints, self._keys = journal, checkpoints, keys

    def oversight(self, caller: Caller, wanted: Meant) -> Json:
        """Rows of agreement, totals, whether readers move to the engine, and rely on it where it is wrong."""
        since, until = self._span(wanted.since, wanted.until)
        with self._journal.reading() as connection:
            cases = [each for each in _cases(connection, since, until, caller.sight) if _is_meant(each, wanted)]
        with self._journal.entry() as entry:
            entry.audit("access", actor=caller.name, peer=caller.peer, resource="oversight", decisions=len(cases))
        rows = [row for row in meters.rows(cases) if _is_row(row, wanted)]
        moved = meters.bias(cases)
        return {
            "rows": [_row(row) for row in rows],
            "totals": _totals(rows),
            "bias": {"moved_to_engine": moved.moved_to_engine, "agreed_first": moved.agreed_first},
            "reliance": {
                "engines": _reliance(rows, "engine", "version"),
                "rows": _reliance(rows, "engine", "version", "finding", "reader"),
            },
        }

    def _span(self, since: date | None, until: date | None) -> tuple[float, float]:
        zone = self._journal.clock().tzinfo
        first = 0.0 if since is None else datetime.combine(since, time(), zone).timestamp()
        end = until or date(9999, 1, 1)
        return first, datetime.combine(end, time(), zone).timestamp() + timedelta(days=1).total_seconds()

    def audit(self, caller: Caller, from_sequence: int | None, limit: int) -> list[Json]:
        """Entries of the log from a sequence number on, or its last ones; not those of studies out of sight."""
        with self._journal.entry() as entry:
            last = entry.audit("access", actor=caller.name, peer=caller.peer, resource="audit_log")
        after = max(0, last - limit) if from_sequence is None else from_sequence - 1
        found: list[Json] = []
        entries = iter(self._journal.log.entries(after))
        while len(found) < limit and (read := [_entry(each) for each in islice(entries, limit)]):
            found += self._in_sight(read, caller.sight)
        return found[:limit]

    def _in_sight(self, read: list[Json], sight: Sight) -> list[Json]:
        named = {uid for each in read if (uid := each["study_instance_uid"])}
        with self._journal.reading() as connection:
            seen = archive.are_in_sight(connection, named, sight)
        return [each for each in read if not each["study_instance_uid"] or each["study_instance_uid"] in seen]

    def verify(self, caller: Caller) -> Json:
        """Whether every entry is as it was written."""
        with self._journal.entry() as entry:
            entry.audit("access", actor=caller.name, peer=caller.peer, resource="audit_log", act="verify")
        signed = checkpoint.read(self._checkpoints, self._keys()) if self._checkpoints.is_file() else None
        found: Verification = self._journal.log.verify(signed)
        return {
            "verified": found.verified,
            "entries": found.entries,
            "checkpoints": found.checkpoints,
            "anchored_to": found.anchored_to,
            "problems": [f"entry {p.sequence}: {p.kind}" for p in found.problems[:MOST_SHOWN_PROBLEMS]],
        }


def _cases(connection: Any, since: float, until: float, sight: Sight) -> Iterator[meters.Case]:
    opinions, known = decisions.first_opinions(connection), truths.by_study(connection)
    for made in decisions.between(connection, since, until, sight):
        about = _report(connection, made)
        if about is not None:
            opinion = opinions.get((made.study_key, made.report_id, made.reader.name))
            yield meters.Case(
                decision=made,
                report=about,
                opinion=opinion,
                ready_at=about.produced_at.timestamp(),
                truth=known.get(made.study_key, {}),
            )


def _report(connection: Any, made: Decision) -> StudyReport | None:
    """The report that was decided; one that was taken back since has another identity and names it."""
    for each in reversed(work.reports_before(connection, made.study_key, made.revision)):
        if made.report_id in (each.report_id, each.replaces) and not each.is_signed:
            return each
    return None


def _is_meant(case: meters.Case, wanted: Meant) -> bool:
    return not wanted.reader or case.decision.reader.name == wanted.reader


def _is_row(row: meters.Row, wanted: Meant) -> bool:
    return wanted.engine in ("", row.engine) and wanted.finding in ("", row.finding)


def _row(row: meters.Row) -> Json:
    names = ("engine", "version", "finding", "reader", "confidence", "n", "accepted", "modified", "rejected", "missed")
    told = {name: getattr(row, name) for name in (*names, "override_rate", "median_decision_s")}
    return told | _relied(row.reliance)


def _relied(found: meters.Reliance) -> Json:
    names = (
        *("right", "right_agreed", "agreed_right", "wrong", "wrong_agreed", "agreed_wrong"),
        *("false_alarms", "false_alarms_agreed"),
    )
    return {name: getattr(found, name) for name in names}


def _reliance(rows: list[meters.Row], *names: str) -> list[Json]:
    found = meters.reliance(rows, *names)
    return [dict(zip(names, key, strict=True)) | _relied(found[key]) for key in sorted(found)]


def _totals(rows: list[meters.Row]) -> Json:
    counted = {name: sum(getattr(row, name) for row in rows) for name in ("n", "accepted", "modified", "rejected")}
    changed = counted["modified"] + counted["rejected"]
    missed = sum(row.missed for row in rows)
    return {**counted, "missed": missed, "override_rate": meters.wilson(changed, counted["n"])}


def _entry(each: AuditEntry) -> Json:
    """One line of the log; the patient's identity stays in it and is not shown."""
    event = json.loads(each.text)
    shown = {name: event.get(name) for name in ("at", "action", "outcome", "actor", "study_instance_uid", "details")}
    return {"sequence": each.sequence, **shown}
