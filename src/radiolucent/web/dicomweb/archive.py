"""What the DICOMweb server needs of the store, and the rows that travel: one frozen record per level of PS3.18 10.6."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal, Protocol

from radiolucent.records.door import Offered
from radiolucent.records.person import EVERYTHING, Sight

Level = Literal["study", "series", "instance"]
Kind = Literal["exact", "wildcard", "any_of", "range"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """A study as it is searched and listed (PS3.18 table 10.6.3-3).

    Texts are in Unicode as the header has them, names in PN form with up to three groups separated by ``=``; what is
    unknown is ``""`` or ``None``.
    """

    study_instance_uid: str
    study_date: str = ""
    study_time: str = ""
    accession_number: str = ""
    study_description: str = ""
    modalities_in_study: tuple[str, ...] = ()
    referring_physician_name: str = ""
    patient_name: str = ""
    patient_id: str = ""
    issuer_of_patient_id: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""
    study_id: str = ""
    number_of_study_related_series: int | None = None
    number_of_study_related_instances: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRow:
    """A series of a study (PS3.18 table 10.6.3-4)."""

    study: StudyRow
    series_instance_uid: str
    modality: str = ""
    series_number: int | None = None
    series_description: str = ""
    series_date: str = ""
    series_time: str = ""
    body_part_examined: str = ""
    performed_procedure_step_start_date: str = ""
    performed_procedure_step_start_time: str = ""
    number_of_series_related_instances: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRow:
    """An instance of a series (PS3.18 table 10.6.3-5).

    Parameters
    ----------
    transfer_syntax_uid
        The one it is kept in; decides in which forms it can be given.
    """

    series: SeriesRow
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    instance_number: int | None = None
    rows: int | None = None
    columns: int | None = None
    bits_allocated: int | None = None
    number_of_frames: int | None = None


Row = StudyRow | SeriesRow | InstanceRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One matching key (PS3.4 C.2.2.2).

    Parameters
    ----------
    keyword
        Of an attribute in `radiolucent.web.dicomweb.attributes`.
    kind, values
        ``exact`` and ``wildcard``: one value; ``any_of``: one or more; ``range``: lowest and highest, ``""`` is open.
    """

    keyword: str
    kind: Kind
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A search; all conditions must hold. ``limit`` rows from ``offset`` on, in an order that does not change.

    Only what is in ``sight`` is found.
    """

    conditions: tuple[Condition, ...] = ()
    limit: int
    offset: int = 0
    sight: Sight = EVERYTHING


class Archive(Protocol):
    """Kept instances: received images and results of ours. Called from several threads."""

    def find_studies(self, query: Query) -> Iterable[StudyRow]:
        """Studies that match; `radiolucent.web.dicomweb.matching.select` says exactly what that means."""

    def find_series(self, query: Query) -> Iterable[SeriesRow]:
        """Series that match; conditions may be on the study too."""

    def find_instances(self, query: Query) -> Iterable[InstanceRow]:
        """Instances that match; conditions may be on study and series too."""

    def locate(
        self, study: str, series: str | None = None, instance: str | None = None, *, sight: Sight
    ) -> Sequence[InstanceRow]:
        """All instances of a study, of a series in it, or one instance in it; empty where none is in sight.

        An instance is only found under its own study and series.
        """

    def open_instance(self, sop_instance_uid: str) -> BinaryIO:
        """Part 10 bytes as kept: a seekable file at its beginning, which the caller closes.

        Raises
        ------
        FileNotFoundError
            It is no longer there.
        """


class Receiver(Protocol):
    """Where instances that come by STOW-RS go: the door of an association's too. Called from several threads."""

    def keep(self, offered: Offered) -> None:
        """Keep an instance; returns when it is on disk and committed, or was there already with the same content.

        Raises
        ------
        InputRefused
            The instance is not kept; ``duplicate_uid`` where another content has its UID.
        PeerUnavailable
            It cannot be kept now; the sender may try again.
        """
