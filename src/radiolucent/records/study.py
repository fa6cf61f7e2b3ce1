"""A study as the hospital knows it, and what was said of it: what HL7, FHIR and DICOM messages are built from.

Unlike a result file, these records name the patient: they stay in the process, the store and the outgoing message.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from radiolucent.records.comparison import Change
from radiolucent.records.engine import Code
from radiolucent.records.result import Confidence, EngineRef, Reason

StudyStatus = Literal["positive", "nothing_found", "refused", "not_processed"]
"""What a report says: something is over its threshold; everything was read and nothing is; the input was refused; the
engines could not run. Four different outputs."""
ReportState = Literal["preliminary", "corrected", "retracted", "verified", "final"]
"""``verified``: a person has decided, and the study is still to be reported; ``final``: that person finalised it."""
Assessment = Literal["accepted", "rejected", "modified"]
Outcome = Literal["accepted", "modified", "rejected", "supplemented"]
"""What became of a result as a whole (after IHE AI Results Assessment)."""
Finality = Literal["preliminary", "final", "amended"]
"""``amended``: a report of the study was final before."""
Priority = Literal["stat", "routine"]
ObjectKind = Literal[
    "structured_report", "secondary_capture", "parametric_map", "segmentation", "presentation_state", "rejection"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Who it is, as DICOM (PS3.3 C.7.1.1) and HL7 PID write it. Dates are ``YYYYMMDD``; unknown is ``""``.

    ``issuer`` is the assigning authority of ``patient_id``; ``name`` is in DICOM PN form, ``Family^Given``.
    """

    patient_id: str
    issuer: str = ""
    name: str = ""
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an HL7 or FHIR order said of a study (ORC, OBR)."""

    accession_number: str
    placer_order_number: str = ""
    filler_order_number: str = ""
    priority: Priority = "routine"
    reason: str = ""
    procedure: Code | None = None
    study_instance_uid: str = ""
    patient: Patient | None = None
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyContext:
    """Identity of a study. ``started`` is the study's own date and time, ``None`` where it says none."""

    study_instance_uid: str
    accession_number: str
    patient: Patient
    started: datetime | None = None
    description: str = ""
    referring_physician: str = ""
    order: Order | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRef:
    """One DICOM instance by its identity; ``frame_number`` is 1-based."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    frame_number: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultObject:
    """A DICOM object that we made. ``source_sop_instance_uid``: the image it speaks of, or ``study``."""

    kind: ObjectKind
    instance: InstanceRef
    source_sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorChange:
    """How a finding compares with an earlier study of the same patient, read by the same engine.

    ``prior_date`` is ``YYYY-MM-DD``, empty where that study states none.
    """

    change: Change
    prior_study_instance_uid: str
    prior_date: str
    prior_probability: float
    reasons: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """One sentence: what changed since when, why it is said, and what calls for care."""
        said = {
            "new": "New since",
            "increased": "Increased since",
            "unchanged": "Unchanged since",
            "decreased": "Decreased since",
            "resolved": "Resolved since",
            "absent": "Absent now as on",
            "not_comparable": "Not comparable with",
        }[self.change]
        because = "; ".join((*self.reasons, *self.cautions))
        return f"{said} {self.prior_date or 'an earlier study'} (by the engine{': ' + because if because else ''})."


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A place that a person drew: two opposite corners, or the corners of a polygon, as ``(row, column)`` edges.

    ``image_key`` is the image's number in the study's view when it was drawn.
    """

    image_key: int
    image: InstanceRef
    kind: Literal["box", "polygon"]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFinding:
    """A finding as a person states it; ``code`` is ``None`` where it is told in words alone."""

    key: str | None
    display: str
    code: Code | None
    confidence: Confidence | None
    comment: str
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """What a person says of an engine's finding; ``changed``: what holds instead, where it was modified."""

    assessment: Assessment
    reason: Code | None
    comment: str
    changed: PersonFinding | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Who decided, when, and how.

    ``reader_name`` is the name a person signs in with. ``is_final``: the person finalised the report; ``was_final``: an
    earlier report of the study was final already.
    """

    decision_id: str
    reader_name: str
    reader_display: str
    organization: str
    signed_at: datetime
    outcome: Outcome
    comment: str
    is_final: bool
    was_final: bool

    @property
    def finality(self) -> Finality:
        """What the decision makes of the report."""
        if self.was_final:
            return "amended"
        return "final" if self.is_final else "preliminary"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFinding:
    """One finding of one engine over a whole study.

    For a stack the probability is the series' own, for single images the highest. ``images`` are those on which it is
    most plain, first the most so; ``zone`` and ``in_expected_region`` are of the first. ``explanation`` is the object
    that shows its map (a secondary capture), where one may be shown. ``change`` is set where an earlier study could be
    compared.
    """

    engine: EngineRef
    key: str
    display: str
    code: Code
    critical: bool
    alert: bool
    probability: float
    threshold: float
    positive: bool
    confidence: Confidence
    reasons: tuple[str, ...]
    flags: tuple[str, ...]
    images: tuple[InstanceRef, ...]
    zone: str | None = None
    in_expected_region: float | None = None
    explanation: InstanceRef | None = None
    change: PriorChange | None = None
    assessed: Assessed | None = None

    @property
    def is_rejected(self) -> bool:
        """Whether a person said that it is not so."""
        return self.assessed is not None and self.assessed.assessment == "rejected"

    @property
    def instead(self) -> PersonFinding | None:
        """The other finding that a person says it is."""
        changed = None if self.assessed is None else self.assessed.changed
        return None if changed is None or changed.key == self.key else changed

    @property
    def holds(self) -> bool:
        """Whether it is there: by the person who decided, else by the engine."""
        return self.positive and not self.is_rejected and self.instead is None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReport:
    """All that is said of a study, most critical finding first.

    ``report_id`` is the same for the same study, revision and engines, whoever builds it; ``replaces`` names the report
    that this one corrects or retracts. ``refusals`` tell why images were not read; ``images`` are all source images.
    ``verification`` and ``added`` (what the engines missed) come with a person's decision.
    """

    report_id: str
    revision: int
    state: ReportState
    status: StudyStatus
    context: StudyContext
    produced_at: datetime
    software_version: str
    engines: tuple[EngineRef, ...]
    findings: tuple[StudyFinding, ...]
    refusals: tuple[Reason, ...]
    images: tuple[InstanceRef, ...]
    objects: tuple[ResultObject, ...]
    impression: str
    modality: str = ""
    replaces: str | None = None
    verification: Verification | None = None
    added: tuple[PersonFinding, ...] = ()

    @property
    def positives(self) -> tuple[StudyFinding, ...]:
        """Findings over their threshold, most critical first."""
        return tuple(f for f in self.findings if f.positive)

    @property
    def is_signed(self) -> bool:
        """Whether it is a person's word."""
        return self.state in ("verified", "final")

    @property
    def stated(self) -> tuple[PersonFinding, ...]:
        """What a person says is there and the engines did not: other findings instead, then missed ones."""
        return (*(each for f in self.findings if (each := f.instead) is not None), *self.added)
