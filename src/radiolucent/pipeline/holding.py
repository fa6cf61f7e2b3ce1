"""What a reader does before deciding: says what they see first, takes a study, gives it back."""

from __future__ import annotations

from dataclasses import dataclass

from radiolucent.errors import InputRefused
from radiolucent.pipeline.journal import Entry, Journal
from radiolucent.records.decision import Lease, Opinion, ReaderRef
from radiolucent.records.person import Sight
from radiolucent.review import leases
from radiolucent.review.seen import check_seen
from radiolucent.store import decisions, work


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who comes to a study, from where, and what they may see; ``may_break``: somebody else's lease."""

    reader: ReaderRef
    sight: Sight
    may_break: bool = False
    peer: str = ""


class Holding:
    """First opinions and leases. Every act raises `InputRefused` ``no_such_study`` or ``other_site``."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def opinion(
        self, visitor: Visitor, study_key: str, findings: tuple[str, ...], *, is_nothing: bool, comment: str
    ) -> None:
        """Record what a reader says before the result is shown; a second one changes nothing.

        Raises
        ------
        InputRefused
            ``opinion_incomplete``.
        """
        with self._journal.entry() as entry:
            _hold(entry, visitor, study_key)
            report = decisions.engine_report(entry.connection, study_key)
            if report is None or is_nothing == bool(findings):
                raise InputRefused(
                    "opinion_incomplete",
                    found="an opinion without findings and without 'nothing', with both, or before there is a result",
                    expected="findings, or nothing, of a study with a result",
                    action="Say what you see, or that you see nothing.",
                )
            said = Opinion(
                reader=visitor.reader,
                report_id=report.report_id,
                findings=findings,
                is_nothing=is_nothing,
                comment=comment,
                at=entry.now,
            )
            if decisions.put_opinion(entry.connection, study_key, said):
                entry.audit(
                    "decision",
                    actor=visitor.reader.name,
                    peer=visitor.peer,
                    study_instance_uid=report.context.study_instance_uid,
                    patient_id=report.context.patient.patient_id,
                    kind="first_opinion",
                    report=report.report_id,
                    findings=", ".join(findings) or "nothing",
                )

    def lease(self, visitor: Visitor, study_key: str, *, break_reason: str) -> Lease:
        """Take, renew or (where the visitor may) take over a study.

        Raises
        ------
        LeaseHeld
        """
        with self._journal.entry() as entry:
            _hold(entry, visitor, study_key)
            before = decisions.lease(entry.connection, study_key)
            why = break_reason if visitor.may_break else ""
            given = leases.taken(before, visitor.reader, now=entry.now, break_reason=why)
            decisions.put_lease(entry.connection, study_key, given)
            held = leases.running(before, entry.now)
            if held is not None and held.holder.name != visitor.reader.name:
                study = work.study(entry.connection, study_key)
                entry.audit(
                    "decision",
                    outcome="minor_failure",
                    actor=visitor.reader.name,
                    peer=visitor.peer,
                    study_instance_uid=study.study_instance_uid,
                    patient_id=study.patient_id,
                    kind="lease_broken",
                    held_by=held.holder.name,
                    reason=break_reason,
                )
        return given

    def give_back(self, visitor: Visitor, study_key: str) -> None:
        """End the own lease."""
        with self._journal.entry() as entry:
            _hold(entry, visitor, study_key)
            decisions.end_lease(entry.connection, study_key, visitor.reader.name)


def _hold(entry: Entry, visitor: Visitor, study_key: str) -> None:
    check_seen(visitor.sight, work.site_of(entry.connection, study_key), study_key)
    decisions.hold(entry.connection, study_key)
