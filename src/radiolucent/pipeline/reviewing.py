"""One act signs a study: the decision, the verified report, what is sent of it and its audit entry, all or nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom import dcmread

from radiolucent.deliver.image_folder import write_dicom
from radiolucent.errors import InputRefused
from radiolucent.pipeline.journal import Entry, Journal
from radiolucent.pipeline.study_report import object_rows, report_id, result_object, standing_objects
from radiolucent.records.decision import Decision, Draft, ReaderRef
from radiolucent.records.study import ResultObject, StudyReport, Verification
from radiolucent.report.dicom.build import encode
from radiolucent.report.dicom.rejection import build_rejection
from radiolucent.report.dicom.verified_report import Predecessors, build_verified_report
from radiolucent.review import leases
from radiolucent.review.deciding import Known, check, outcome_of, signed_report
from radiolucent.store import decisions, hospital, kept, outbox, work
from radiolucent.store.blobs import Blobs
from radiolucent.store.kept import ObjectRow, Purpose
from radiolucent.store.work import Job, StudyRow

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:radiolucent:decision:1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signs. ``may_override``: may supersede another person's decision."""

    reader: ReaderRef
    may_override: bool
    peer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A study as it was when a decision on it was checked."""

    study: StudyRow
    report: StudyReport
    replaces: str
    standing: Sequence[ResultObject]
    issue: int
    was_final: bool
    destinations: Sequence[str]


class _MovedOn(Exception):
    """The study is no longer as it was: nothing is kept."""


class Signing:
    """Signs decisions.

    Parameters
    ----------
    withdrawing
        Destinations at which objects of rejected findings are taken back.
    on_signed
        Called when something is to be sent.
    """

    def __init__(
        self,
        journal: Journal,
        blobs: Blobs,
        *,
        organization: str,
        implementation_class_uid: str,
        withdrawing: frozenset[str],
        on_signed: Callable[[], None] = lambda: None,
    ) -> None:
        self._journal, self._blobs, self._on_signed = journal, blobs, on_signed
        self._organization, self._implementation, self._withdrawing = (
            organization,
            implementation_class_uid,
            withdrawing,
        )

    def sign(self, study_key: str, draft: Draft, known: Known, signer: Signer) -> tuple[Decision, bool]:
        """The decision, and whether it is new: the same request again gives the same decision and writes nothing.

        Raises
        ------
        InputRefused
            ``decision_incomplete``, ``result_superseded``, ``decision_superseded``, ``second_read``,
            ``nothing_to_decide``, ``request_reused``.
        LeaseHeld
        """
        while True:  # a merge or an image may come at the same moment: then the decision is checked against that
            case = self._case(study_key, draft, signer)
            if isinstance(case, Decision):
                return case, False
            check(draft, case.report, known)
            made = self._sign(case, draft, known, signer)
            if made is not None:
                self._on_signed()
                return made, True

    def _case(self, study_key: str, draft: Draft, signer: Signer) -> _Case | Decision:
        with self._journal.reading() as connection:
            before = decisions.same_request(connection, draft.idempotency_key)
            if before is not None:
                return _same(before, study_key, draft, signer)
            study = work.study(connection, study_key)
            report = decisions.engine_report(connection, study_key)
            if study.state != "done" or report is None or study.status not in ("positive", "nothing_found"):
                raise _nothing(study.state)
            report = hospital.as_known_today(connection, report)
            earlier = work.reports_before(connection, study_key, study.revision + 1)
            return _Case(
                study=study,
                report=report,
                replaces=earlier[-1].report_id,
                standing=standing_objects(earlier[-1], earlier[:-1]),
                issue=work.retractions_before(
                    connection, Job(study_key=study_key, revision=report.revision, priority=study.priority)
                ),
                was_final=any(each.state == "final" for each in earlier),
                destinations=kept.reached(connection, study_key),
            )

    def _sign(self, case: _Case, draft: Draft, known: Known, signer: Signer) -> Decision | None:
        now = self._journal.clock()
        decision_id = uuid.uuid5(_NAMESPACE, f"{case.study.study_key}/{draft.idempotency_key}").hex
        revision = case.study.revision + 1
        signed = signed_report(
            case.report,
            draft,
            known,
            revision=revision,
            report_id=report_id(
                case.report.context.study_instance_uid,
                revision,
                case.report.engines,
                "final" if draft.is_final else "verified",
            ),
            replaces=case.replaces,
            verification=Verification(
                decision_id=decision_id,
                reader_name=signer.reader.name,
                reader_display=signer.reader.display,
                organization=self._organization,
                signed_at=now,
                outcome=outcome_of(draft),
                comment=draft.comment,
                is_final=draft.is_final,
                was_final=case.was_final,
            ),
            now=now,
        )
        rows = self._objects(case, signed, decision_id)
        signed = replace(signed, objects=(*case.standing, *(result_object(row) for row in rows)))
        try:
            with self._journal.entry() as entry:
                return self._keep(entry, case, draft, signer, signed, rows)
        except _MovedOn:
            return None

    def _keep(
        self, entry: Entry, case: _Case, draft: Draft, signer: Signer, signed: StudyReport, rows: Sequence[ObjectRow]
    ) -> Decision:
        """In one transaction; `_MovedOn` where the study has since it was looked at."""
        key, connection = case.study.study_key, entry.connection
        decisions.hold(connection, key)
        again = decisions.same_request(connection, draft.idempotency_key)
        if again is not None:
            return _same(again, key, draft, signer)
        leases.check_free(decisions.lease(connection, key), signer.reader, entry.now)
        made = [each for each in decisions.decisions_of(connection, key) if each.report_id == case.report.report_id]
        _check_succession(draft, made, signer)
        verification = signed.verification
        assert verification is not None
        sequence = entry.audit(
            "decision",
            actor=signer.reader.name,
            peer=signer.peer,
            study_instance_uid=case.study.study_instance_uid,
            patient_id=case.study.patient_id,
            kind="second_read" if made else "signed",
            decision=verification.decision_id,
            report=case.report.report_id,
            outcome_of_result=verification.outcome,
            is_final=draft.is_final,
            supersedes=draft.supersedes,
        )
        decision = Decision(
            decision_id=verification.decision_id,
            study_key=key,
            report_id=case.report.report_id,
            revision=signed.revision,
            reader=signer.reader,
            signed_at=verification.signed_at,
            outcome=verification.outcome,
            draft=draft,
            second_read=any(each.reader.name != signer.reader.name for each in made),
            audit_sequence=sequence,
        )
        wanted: list[tuple[str, Purpose]] = [(name, "result") for name in case.destinations]
        if any(row.kind == "rejection" for row in rows):
            wanted += [(name, "retract") for name in case.destinations if name in self._withdrawing]
        kept_now = decisions.add(
            connection,
            decision,
            decisions.Signed(
                report=signed,
                objects=rows,
                wanted=wanted,
                previous_revision=case.study.revision,
                priority=case.study.priority,
            ),
            now=entry.at,
        )
        if not kept_now:
            raise _MovedOn
        return decision

    def _objects(self, case: _Case, signed: StudyReport, decision_id: str) -> list[ObjectRow]:
        """The verified report, and a note that takes back what was made of rejected findings, as files."""
        folder = self._blobs.root / "results" / case.study.study_key / "decisions" / decision_id
        reports = [each.instance for each in case.standing if each.kind == "structured_report"]
        document = build_verified_report(signed, Predecessors(reports=reports, issue=case.issue))
        write_dicom(folder / "study", "sr", encode(document))
        rejected = self._rejected(case, signed)
        if rejected and self._withdrawing.intersection(case.destinations):
            note = build_rejection(
                replace(signed, objects=tuple(rejected)), reason="quality", now=self._journal.clock()
            )
            write_dicom(folder / "study", "rejection", encode(note))
        return object_rows(folder, self._blobs.root, implementation_class_uid=self._implementation)

    def _rejected(self, case: _Case, signed: StudyReport) -> list[ResultObject]:
        """Objects that show a rejected finding; all pictures of an engine, where nothing of it holds any more."""
        rejected = {(f.engine.id, f.key) for f in signed.positives if f.is_rejected}
        if not rejected:
            return []
        holding = {f.engine.id for f in signed.positives if not f.is_rejected}
        known = {f.key for f in signed.findings}
        with self._journal.reading() as connection:
            rows = outbox.files(connection, [each.instance.sop_instance_uid for each in case.report.objects])
        shown = {uid: _shown(self._blobs.path(path)) for _, uid, path in rows}
        found = []
        for each in case.report.objects:
            engine, key = shown.get(each.instance.sop_instance_uid, ("", ""))
            is_whole = key not in known and each.kind != "structured_report" and engine not in holding
            if (engine, key) in rejected or (is_whole and any(one == engine for one, _ in rejected)):
                found.append(each)
        return found


def _same(before: Decision, study_key: str, draft: Draft, signer: Signer) -> Decision:
    if before.study_key == study_key and before.reader.name == signer.reader.name and before.draft == draft:
        return before
    raise InputRefused(
        "request_reused",
        found="an idempotency key that another decision has used",
        expected="a new key for each decision",
        action="Sign again with a new key.",
    )


def _check_succession(draft: Draft, made: Sequence[Decision], signer: Signer) -> None:
    """Decisions are superseded, one after the other."""
    last = made[0] if made else None
    if draft.supersedes != (None if last is None else last.decision_id):
        raise InputRefused(
            "decision_superseded",
            found="a decision that does not know the last one on this result",
            expected="the last decision named as the one that is superseded",
            action="Load the study anew, look at what was decided, decide on that.",
        )
    if last is not None and last.reader.name != signer.reader.name and not signer.may_override:
        raise InputRefused(
            "second_read",
            found="another reader's decision",
            expected="an own decision, or somebody who may override",
            action="Ask a senior reader for a second read.",
        )


def _nothing(state: str) -> InputRefused:
    return InputRefused(
        "nothing_to_decide",
        found=f"a study without a result that stands (state {state})",
        expected="a study that was read, and whose result was not taken back",
        action="Wait until it is read, or have it read again.",
    )


def _shown(path: Path) -> tuple[str, str]:
    """Engine, and finding key where an object is about one alone."""
    if not path.is_file():
        return "", ""
    header = dcmread(path, stop_before_pixels=True, specific_tags=["ManufacturerModelName"])
    return str(header.get("ManufacturerModelName", "")), path.stem.partition("-")[2]
