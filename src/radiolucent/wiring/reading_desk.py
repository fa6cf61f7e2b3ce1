"""Where people read: worklist, study, maps, first opinions, leases; out of store, result folders and image headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiolucent.errors import InputRefused
from radiolucent.explain.shown import grid
from radiolucent.pipeline import priors
from radiolucent.pipeline.holding import Holding, Visitor
from radiolucent.pipeline.journal import Journal
from radiolucent.pipeline.pictures import Pictures, ViewImage, ViewSeries
from radiolucent.pipeline.study_context import study_context
from radiolucent.records.decision import Lease, ReaderRef
from radiolucent.records.engine import EngineSpec
from radiolucent.records.result import DISCLAIMER
from radiolucent.records.study import StudyContext, StudyReport
from radiolucent.review import leases
from radiolucent.review.read_first import ReadFirst, is_hidden
from radiolucent.review.seen import check_seen
from radiolucent.review.states import Standing, review_state
from radiolucent.store import archive, decisions, hospital, outbox, reading, work
from radiolucent.store.blobs import Blobs
from radiolucent.web.api.caller import Caller
from radiolucent.web.api.ports import Wanted
from radiolucent.wiring import study_view, worklist
from radiolucent.wiring.decision_json import decision_json
from radiolucent.wiring.vocabulary import vocabulary

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStudy:
    """A study as it stands, opened for one reader."""

    row: work.StudyRow
    report: StudyReport | None
    context: StudyContext
    is_hidden: bool
    series: tuple[ViewSeries, ...]
    evidence: study_view.Evidence

    @property
    def images(self) -> list[ViewImage]:
        """Its images; the place is the image key."""
        return study_view.pictures(self.series)


class ReadingDesk:
    """What readers see, and their first opinions and leases."""

    def __init__(
        self, journal: Journal, blobs: Blobs, *, specs: Sequence[EngineSpec], read_first: Sequence[ReadFirst] = ()
    ) -> None:
        self._journal, self._blobs, self._read_first = journal, blobs, tuple(read_first)
        self.specs = {spec.id: spec for spec in specs}
        self._memory, self._pictures = reading.Memory(), Pictures(blobs)
        self._holding = Holding(journal)

    def worklist(self, caller: Caller, wanted: Wanted) -> Json:
        """The worklist as this caller may see it."""
        now = self._journal.clock()
        with self._journal.reading() as connection:
            version = reading.version(connection, now=now.timestamp())
            rows = reading.rows(connection, self._memory, caller.sight)
            told = decisions.opinions_of(connection, caller.name) if self._read_first else set()
            stated = [study_context(row, None) for row in rows]
            today = hospital.patients_of(connection, [context.patient for context in stated])
        listed = [
            worklist.listed(row, replace(context, patient=patient), now=now, hidden=self._hides(row, told))
            for row, context, patient in zip(rows, stated, today, strict=True)
        ]
        return worklist.answer(worklist.with_priors(listed), wanted, now=now, version=version)

    def _hides(self, row: reading.WorkRow, told: set[tuple[str, str]]) -> bool:
        said = row.said
        if said is None or row.decided is not None or (row.study_key, said.report_id) in told:
            return False
        looked_for = {f.key for f in said.findings}
        return any(each.holds(row.site, looked_for) for each in self._read_first)

    def version(self) -> int:
        """A number that changes when the worklist may have."""
        with self._journal.reading() as connection:
            return reading.version(connection, now=self._journal.clock().timestamp())

    def check(self, caller: Caller, connection: Any, study_key: str) -> None:
        """Whether there is such a study and the caller may see it.

        Raises
        ------
        InputRefused
            ``no_such_study``, ``other_site``.
        """
        check_seen(caller.sight, work.site_of(connection, study_key), study_key)

    def open(self, caller: Caller, study_key: str) -> OpenStudy:
        """A study with its last result of the engines and its pictures; raises as `check`."""
        with self._journal.reading() as connection:
            self.check(caller, connection, study_key)
            row = work.study(connection, study_key)
            sources = work.sources(connection, study_key)
            report = decisions.engine_report(connection, study_key)
            made = decisions.decisions_of(connection, study_key)
            opinion = None
            if report is None:
                order = hospital.order_of(
                    connection, accession_number=row.accession_number, study_instance_uid=row.study_instance_uid
                )
                stated = study_context(row, order)
                context = replace(stated, patient=hospital.patient_of(connection, stated.patient))
            else:
                context = hospital.as_known_today(connection, report).context
                opinion = decisions.opinion(connection, study_key, report.report_id, caller.name)
        hidden = report is not None and is_hidden(
            self._read_first,
            site=row.site,
            looked_for={f.key for f in report.findings},
            opinion=opinion,
            is_decided=any(each.report_id == report.report_id for each in made),
        )
        folder = priors.folder_of(self._blobs.root, study_key, 0 if report is None else report.revision)
        return OpenStudy(
            row=row,
            report=report,
            context=context,
            is_hidden=hidden,
            series=tuple(self._pictures.series(sources)),
            evidence=study_view.Evidence(folder),
        )

    def study(self, caller: Caller, study_key: str) -> Json:
        """The reading view; puts on record that the study was opened."""
        opened = self.open(caller, study_key)
        view = self._view(caller, opened)
        with self._journal.entry() as entry:
            entry.audit(
                "access",
                actor=caller.name,
                peer=caller.peer,
                study_instance_uid=opened.row.study_instance_uid,
                patient_id=opened.row.patient_id,
                interface="page",
                hidden="yes" if opened.is_hidden else "no",
            )
        return view

    def _view(self, caller: Caller, opened: OpenStudy) -> Json:
        row, report, context = opened.row, opened.report, opened.context
        now = self._journal.clock()
        with self._journal.reading() as connection:
            lease = leases.running(decisions.lease(connection, row.study_key), now)
            made = decisions.decisions_of(connection, row.study_key)
            sent = outbox.of_study(connection, row.study_key)
        decision = next((each for each in made if report is not None and each.report_id == report.report_id), None)
        state = review_state(
            Standing(state=row.state, status=row.status, is_decided=decision is not None, is_held=lease is not None)
        )
        stands = report is not None and report.state != "retracted"
        shown = report if stands and not opened.is_hidden else None
        first = opened.series[0] if opened.series else None
        return {
            "study_key": row.study_key,
            "revision": row.revision,
            "report_id": None if report is None else report.report_id,
            "state": state,
            "patient": worklist.patient(context, self._age_header(opened)),
            "accession_number": row.accession_number,
            "description": context.description,
            "modality": "" if first is None else first.modality,
            "body_part": "" if first is None else first.body_part,
            "studied_at": worklist.iso(context.started),
            "referring_physician": context.referring_physician,
            "order": None
            if context.order is None
            else {"reason": context.order.reason, "priority": context.order.priority},
            "site": row.site,
            "impression": "" if shown is None else shown.impression,
            "status": "" if opened.is_hidden else row.status or "",
            "disclaimer": DISCLAIMER,
            "ai_hidden": opened.is_hidden,
            "engines": [
                study_view.engine_json(engine, self._spec(engine.id, engine.sha256))
                for engine in (() if report is None else report.engines)
            ],
            "series": study_view.series_json(
                opened.series, row.study_instance_uid, None if shown is None else opened.evidence
            ),
            "findings": [] if shown is None else self._findings(opened, shown),
            "refusals": [] if report is None else [{"code": each.code, "text": each.text} for each in report.refusals],
            "priors": [] if report is None else self._priors(caller, opened, report),
            "changes": [] if shown is None else study_view.changes_json(shown),
            "decision": None if decision is None else decision_json(decision, sent),
            "lease": None if lease is None else {**worklist.held(lease), "is_mine": lease.holder.name == caller.name},
            "audit_sequence": None if decision is None else decision.audit_sequence,
            "delivered": [{"destination": each.destination, "state": each.state} for each in sent],
        }

    @staticmethod
    def _age_header(opened: OpenStudy) -> Mapping[str, Any]:
        ages = [image.facts.age_years for image in opened.images if image.facts.age_years is not None]
        return {"00101010": {"Value": [f"{int(ages[0]):03d}Y"]}} if ages else {}

    def _spec(self, engine: str, sha256: str) -> EngineSpec | None:
        spec = self.specs.get(engine)
        return spec if spec is not None and spec.sha256 == sha256 else None

    def _findings(self, opened: OpenStudy, report: StudyReport) -> list[Json]:
        images, made = opened.images, []
        for rank, finding in enumerate(report.findings, 1):
            spec = self._spec(finding.engine.id, finding.engine.sha256)
            own = None if spec is None else next((f for f in spec.findings if f.key == finding.key), None)
            made.append(
                study_view.finding_json(
                    finding,
                    images,
                    opened.evidence,
                    own,
                    study_key=opened.row.study_key,
                    rank=rank,
                    is_primary=rank == 1 and finding.positive,
                )
            )
        return made

    def _priors(self, caller: Caller, opened: OpenStudy, report: StudyReport) -> list[Json]:
        """What the report was compared with, else the last study of the kind, to be looked at beside."""
        found = {f.change.prior_study_instance_uid: f.change.prior_date for f in report.findings if f.change}
        if not found and (last := self._last_before(opened)) is not None:
            found = {last.study_instance_uid: last.date}
        made = []
        for uid, day in found.items():
            with self._journal.reading() as connection:
                study = next(iter(archive.studies_of(connection, {"StudyInstanceUID": uid}, caller.sight)), None)
                if study is None:
                    continue
                said = decisions.engine_report(connection, study.study_key)
                sources = work.sources(connection, study.study_key)
            series = self._pictures.series(sources)
            made.append(
                {
                    "study_key": study.study_key,
                    "studied_at": worklist.iso(said.context.started) if said is not None else day or None,
                    "description": "" if said is None else said.context.description,
                    "series": study_view.series_json(series, uid, None),
                    "findings": []
                    if said is None or opened.is_hidden
                    else [
                        {n: getattr(f, n) for n in ("key", "display", "positive", "probability")} for f in said.findings
                    ],
                }
            )
        return made

    def _last_before(self, opened: OpenStudy) -> priors.Prior | None:
        with self._journal.reading() as connection:
            kept = priors.kept_before(connection, opened.row)
            headers = [each.header for each in work.sources(connection, opened.row.study_key)] if kept else []
        return priors.prior_of(kept, opened.row, headers, root=self._blobs.root) if headers else None

    def map(self, caller: Caller, study_key: str, image_key: int, engine: str, finding: str) -> NDArray[np.uint8]:
        """A finding's map on an image.

        Raises
        ------
        InputRefused
            ``no_such_study``, ``other_site``, ``read_first``, ``no_such_map``.
        """
        opened = self.open(caller, study_key)
        if opened.is_hidden:
            raise InputRefused(
                "read_first",
                found="a result that is shown after a first opinion",
                expected="a first opinion of yours on this study",
                action="Say what you see first.",
            )
        images = opened.images
        shown = None
        if 0 <= image_key < len(images):
            shown = opened.evidence.of(images[image_key]).get((engine, finding))
        if shown is None or not shown.is_shown or not shown.path.is_file():
            raise InputRefused(
                "no_such_map",
                found="a map that is not there or must not be shown",
                expected="a map that the study's view lists",
                action="Load the study anew.",
            )
        return grid(shown.path, scale=shown.scale)

    def opinion(
        self, caller: Caller, study_key: str, findings: tuple[str, ...], *, is_nothing: bool, comment: str
    ) -> None:
        """Record what a reader says before the result is shown; raises as `Holding.opinion`."""
        self._holding.opinion(visitor(caller), study_key, findings, is_nothing=is_nothing, comment=comment)

    def lease(self, caller: Caller, study_key: str, *, break_reason: str) -> Lease:
        """Take, renew or take over a study; raises as `Holding.lease`."""
        return self._holding.lease(visitor(caller), study_key, break_reason=break_reason)

    def give_back(self, caller: Caller, study_key: str) -> None:
        """End the own lease."""
        self._holding.give_back(visitor(caller), study_key)

    def vocabulary(self) -> Json:
        """Reasons, findings, words of confidence."""
        return vocabulary(self.specs.values())


def reader_of(caller: Caller) -> ReaderRef:
    """The caller, on record."""
    return ReaderRef(name=caller.name, display=caller.display or caller.name)


def visitor(caller: Caller) -> Visitor:
    """The caller as somebody who comes to a study."""
    may_break = "lease.break" in caller.permissions
    return Visitor(reader=reader_of(caller), sight=caller.sight, may_break=may_break, peer=caller.peer)
