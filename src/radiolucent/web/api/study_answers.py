"""What the API answers of studies; an answer with another field is not sent. Points are ``(row, column)`` in pixels."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from radiolucent.records.decision import ReviewState
from radiolucent.records.result import Confidence
from radiolucent.records.study import Assessment, Outcome
from radiolucent.web.api.answers import Answer, CodedText, Interval

Point = tuple[float, float]


class Patient(Answer):
    """Who it is."""

    name: str
    id: str
    birth_date: str
    sex: str
    age_years: float | None


class Held(Answer):
    """Who has a study open."""

    holder: str
    since: str
    until: str


class Lease(Held):
    """The same, and whether it is the caller."""

    is_mine: bool


class Decided(Answer):
    """What was decided on a study, by which account, and when."""

    outcome: Outcome
    by: str
    at: str


class Primary(Answer):
    """The first finding of a study."""

    key: str
    display: str
    probability: float
    confidence: Confidence
    zone: str | None


class Item(Answer):
    """A row of the worklist."""

    study_key: str
    state: ReviewState
    state_reason: CodedText | None
    priority: Literal["stat", "routine"]
    critical: bool
    rank: int
    patient: Patient
    accession_number: str
    modality: str
    body_part: str
    description: str
    studied_at: str | None
    received_at: str
    waiting_s: float | None
    primary: Primary | None
    positives: int
    ai_hidden: bool
    flags: list[str]
    lease: Held | None
    decided: Decided | None
    site: str
    has_prior: bool


class Named(Answer):
    """A finding by key and words."""

    key: str
    display: str


class Worklist(Answer):
    """Counts over everything that the caller may see, items over what was asked for."""

    version: int
    items: list[Item]
    counts: dict[ReviewState, int]
    waiting: int
    oldest_waiting_s: float | None
    engines: list[str]
    findings: list[Named]
    flags: list[str]


class Window(Answer):
    """Grey values that are shown."""

    center: float
    width: float


class Image(Answer):
    """A frame with the share of each finding's map on it, and letters at its left, right, upper and lower edge."""

    image_key: int
    frames_url: str
    frame: int
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    is_signed: bool
    photometric: str
    slope: float
    intercept: float
    window: Window | None
    voi_function: str
    pixel_spacing_mm: tuple[float, float] | None
    spacing_kind: str
    laterality: str | None
    view: str | None
    position_mm: list[float] | None
    orientation: list[float] | None
    sides: tuple[str, str, str, str] | None
    evidence: dict[str, float]


class Series(Answer):
    """Images in reading order."""

    series_key: int
    modality: str
    description: str
    images: list[Image]


class Scale(Answer):
    """Where colour begins, and the top of the scale."""

    threshold: float
    strong: float
    unit: str


class FindingMap(Answer):
    """A finding's map on an image. ``is_painted``: any place of it reaches the threshold of the scale."""

    image_key: int
    url: str
    rows: int
    columns: int
    is_painted: bool
    scale: Scale
    peak: tuple[int, int] | None
    box: tuple[int, int, int, int] | None
    contours: list[list[Point]]
    completeness_error: float | None


class Code(Answer):
    """A coded concept."""

    scheme: str
    value: str
    meaning: str


class Reason(Answer):
    """What speaks for a word of confidence, or cautions."""

    kind: Literal["for", "caution"]
    text: str


class Finding(Answer):
    """What an engine says of one finding."""

    engine: str
    key: str
    display: str
    code: Code
    rank: int
    critical: bool
    alert: bool
    positive: bool
    probability: float
    threshold: float
    confidence: Confidence
    reasons: list[Reason]
    flags: list[CodedText]
    zone: str | None
    in_expected_region: float | None
    map_status: str
    display_class: str
    maps: list[FindingMap]
    is_primary: bool


class Measured(Answer):
    """How an engine did on test."""

    sensitivity: Interval
    specificity: Interval
    auc: Interval
    n_positive: int | None


class Engine(Answer):
    """What an engine is, and was not made for."""

    id: str
    title: str
    version: str
    sha256: str
    intended_use: str
    not_for: str
    population: str
    metrics: dict[str, Measured]


class PriorFinding(Named):
    """A finding of the prior."""

    positive: bool
    probability: float


class Prior(Answer):
    """An earlier study."""

    study_key: str | None
    studied_at: str | None
    description: str
    series: list[Series]
    findings: list[PriorFinding]


class Change(Named):
    """How a finding compares with the prior."""

    change: str
    prior_probability: float | None
    current_probability: float | None
    reasons: list[str]
    cautions: list[str]


class Region(Answer):
    """A drawn region."""

    image_key: int
    kind: Literal["box", "polygon"]
    points: list[Point]


class Statement(Answer):
    """A finding in a person's words."""

    key: str | None
    display: str
    confidence: Confidence | None
    comment: str
    regions: list[Region]


class FindingDecision(Answer):
    """What was decided of one finding."""

    engine: str
    key: str
    assessment: Assessment
    reason_code: str | None
    comment: str
    changed: Statement | None


class Reader(Answer):
    """A person by sign-in name and by the name that others read."""

    name: str
    display: str


class Delivery(Answer):
    """How sending stands."""

    destination: str
    state: str


class Decision(Answer):
    """A signed decision."""

    decision_id: str
    study_key: str
    report_id: str
    reader: Reader
    signed_at: str
    is_final: bool
    outcome: str
    findings: list[FindingDecision]
    added: list[Statement]
    comment: str
    supersedes: str | None
    audit_sequence: int
    deliveries: list[Delivery]
    second_read: bool


class Order(Answer):
    """What was asked."""

    reason: str
    priority: str


class StudyView(Answer):
    """Everything that the reading view shows; findings are empty while ``ai_hidden``."""

    study_key: str
    revision: int
    report_id: str | None
    state: ReviewState
    patient: Patient
    accession_number: str
    description: str
    modality: str
    body_part: str
    studied_at: str | None
    referring_physician: str
    order: Order | None
    site: str
    impression: str
    status: str
    disclaimer: str
    ai_hidden: bool
    engines: list[Engine]
    series: list[Series]
    findings: list[Finding]
    refusals: list[CodedText]
    priors: list[Prior]
    changes: list[Change]
    decision: Decision | None
    lease: Lease | None
    audit_sequence: int | None
    delivered: list[Delivery]


class Destinations(Answer):
    """Who will be told."""

    destinations: list[str]


class ReasonWord(Answer):
    """A reason that a decision may name, and the assessments that it fits."""

    code: str
    display: str
    fits: list[str] = Field(alias="for")


class KnownFinding(Named):
    """A finding that an installed engine knows."""

    code: Code
    engine: str


class Vocabulary(Answer):
    """Reasons, findings and words of confidence."""

    reasons: list[ReasonWord]
    findings: list[KnownFinding]
    confidences: list[Confidence]
