"""Where people decide: signatures, retractions and further readings, beside everything that readers see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from radiolucent.errors import InputRefused
from radiolucent.pipeline.journal import Journal
from radiolucent.pipeline.rereading import read_again
from radiolucent.pipeline.retracting import Retraction
from radiolucent.pipeline.reviewing import Signer, Signing
from radiolucent.records.decision import Decision, Draft
from radiolucent.records.engine import Code, DisplayClass, EngineSpec
from radiolucent.records.study import StudyReport
from radiolucent.report.dicom.rejection import RejectionReason
from radiolucent.review.deciding import Known, Picture
from radiolucent.review.read_first import ReadFirst
from radiolucent.store import decisions, outbox
from radiolucent.store.blobs import Blobs
from radiolucent.web.api.caller import Caller
from radiolucent.wiring.decision_json import decision_json
from radiolucent.wiring.reading_desk import Json, OpenStudy, ReadingDesk, reader_of


class DecidingDesk(ReadingDesk):
    """A reading desk at which one may sign."""

    def __init__(
        self,
        journal: Journal,
        blobs: Blobs,
        *,
        specs: Sequence[EngineSpec],
        signing: Signing,
        retraction: Retraction,
        read_first: Sequence[ReadFirst] = (),
    ) -> None:
        super().__init__(journal, blobs, specs=specs, read_first=read_first)
        self._signing, self._retraction = signing, retraction

    def decide(self, caller: Caller, study_key: str, draft: Draft) -> tuple[Decision, bool]:
        """Sign; the decision, and whether it is new.

        Raises
        ------
        InputRefused
            ``no_such_study``, ``other_site``, ``read_first``, and what `Signing.sign` raises.
        """
        opened = self.open(caller, study_key)
        if opened.is_hidden:
            raise InputRefused(
                "read_first",
                found="a decision on a result that is shown after a first opinion",
                expected="a first opinion of yours on this study",
                action="Say what you see first.",
            )
        signer = Signer(
            reader=reader_of(caller), may_override="decision.override" in caller.permissions, peer=caller.peer
        )
        return self._signing.sign(study_key, draft, self._known(opened), signer)

    def _known(self, opened: OpenStudy) -> Known:
        pictures = {
            key: Picture(image=image.image, rows=image.facts.rows, columns=image.facts.columns)
            for key, image in enumerate(opened.images)
        }
        return Known(pictures=pictures, codes=self._codes(opened.report), display_classes=self._classes())

    def _codes(self, report: StudyReport | None) -> Mapping[str, Code]:
        found = {each.key: each.code for spec in self.specs.values() for each in spec.findings}
        found |= {each.key: each.code for spec in self.specs.values() for each in spec.derived}
        return found | ({} if report is None else {f.key: f.code for f in report.findings})

    def _classes(self) -> Mapping[tuple[str, str], DisplayClass]:
        return {(spec.id, f.key): f.display_class for spec in self.specs.values() for f in spec.findings}

    def told(self, caller: Caller, decision: Decision) -> Json:  # noqa: ARG002  everybody is told the same
        """A decision with how its report is being sent."""
        with self._journal.reading() as connection:
            return decision_json(decision, outbox.of_study(connection, decision.study_key))

    def decisions(self, caller: Caller, study_key: str) -> list[Json]:
        """All decisions on a study, newest first; raises as `check`."""
        with self._journal.reading() as connection:
            self.check(caller, connection, study_key)
            sent = outbox.of_study(connection, study_key)
            return [decision_json(each, sent) for each in decisions.decisions_of(connection, study_key)]

    def retract(self, caller: Caller, study_key: str, reason: RejectionReason) -> list[str]:
        """Take the study's result back; the destinations that will be told.

        Raises
        ------
        InputRefused
            As `check`.
        SettingsError
            ``nothing_to_retract``.
        """
        with self._journal.reading() as connection:
            self.check(caller, connection, study_key)
        return self._retraction.retract(study_key, reason=reason, actor=caller.name)

    def rerun(self, caller: Caller, study_key: str) -> None:
        """Have the study read again.

        Raises
        ------
        InputRefused
            As `check`.
        SettingsError
            ``study_not_ready`` while it is received or read.
        """
        with self._journal.reading() as connection:
            self.check(caller, connection, study_key)
        read_again(self._journal, study_key, actor=caller.name, peer=caller.peer)
