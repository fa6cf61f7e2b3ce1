"""Studies of an archive by C-FIND and C-GET or C-MOVE (PS3.4 annex C, Study Root, as SCU)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from pydicom import config, uid
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pynetdicom import AllStoragePresentationContexts, _config, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from radiolucent.ingest.pull import (
    Candidate,
    Fetched,
    Intake,
    Keep,
    PriorQuery,
    PullLimits,
    age_at,
    answers,
    described,
    is_uid,
)
from radiolucent.ingest.pull_cohort import StudyQuery
from radiolucent.records.destination import DimsePeer
from radiolucent.records.door import Offered
from radiolucent.standards import dimse_refusals

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
MOST_MATCHES = 500
"""Studies of one patient that are listened to; an archive that has more is asked to stop."""
_PENDING = (0xFF00, 0xFF01)
_CANCELLED = 0xFE00
_SUB_OPERATIONS_FAILED = 0xB000
_OUT_OF_RESOURCES = 0xA700
_UNCOMPRESSED: list[str | uid.UID] = [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian]
_READABLE: list[str | uid.UID] = [
    *_UNCOMPRESSED,
    uid.DeflatedExplicitVRLittleEndian,
    uid.JPEGLosslessSV1,
    uid.JPEGLossless,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.RLELossless,
]


class Associate(Protocol):
    """Opens an association and ends it with the block; raises `PeerUnavailable` or `PeerRefused`."""

    def __call__(
        self,
        peer: DimsePeer,
        contexts: Sequence[PresentationContext],
        *,
        handlers: Sequence[evt.EventHandlerType] = (),
        roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
    ) -> AbstractContextManager[Association]:
        """Open one."""


class DimseArchive:
    """An archive that is asked by DIMSE.

    Parameters
    ----------
    move_to
        Application entity title under which the archive knows our own door: studies are moved there by C-MOVE, and
        come in like any received image. ``None`` gets them by C-GET.
    """

    def __init__(self, peer: DimsePeer, associate: Associate, *, move_to: str | None = None) -> None:
        self._peer, self._associate, self._move_to = peer, associate, move_to

    def find(self, query: PriorQuery, *, limits: PullLimits) -> tuple[Candidate, ...]:
        """Studies that match, with the body parts of the most recent ones.

        Raises
        ------
        PeerUnavailable
            ``peer_unreachable``, ``peer_no_answer``, ``association_busy``, ``peer_out_of_resources``.
        PeerRefused
            ``association_refused``, ``no_presentation_context``, ``request_refused``.
        """
        _keep_identifiers_out_of_the_log()
        with self._associate(self._peer, [build_context(FIND, _UNCOMPRESSED)]) as association:
            matches = list(_find(association, _study_identifier(query), is_over=limits.is_over))
            found = [each for each in map(_candidate, matches) if each is not None and answers(each, query)]
            found.sort(key=lambda each: each.started, reverse=True)
            return tuple(_described(association, each, limits.is_over) for each in found[: limits.candidates])

    def list_studies(self, query: StudyQuery, *, most: int) -> tuple[Candidate, ...]:
        """Studies of many patients, most recent first; raises as `find`."""
        _keep_identifiers_out_of_the_log()
        with self._associate(self._peer, [build_context(FIND, _UNCOMPRESSED)]) as association:
            matches = _find(association, _cohort_identifier(query), most=most)
            found = [each for each in map(_candidate, matches) if each is not None]
        return tuple(sorted(found, key=lambda each: each.started, reverse=True))

    def describe(self, candidate: Candidate) -> Candidate:
        """The candidate with what its series say; raises as `find`."""
        _keep_identifiers_out_of_the_log()
        with self._associate(self._peer, [build_context(FIND, _UNCOMPRESSED)]) as association:
            return _described(association, candidate)

    def fetch(self, study_instance_uid: str, keep: Keep, *, limits: PullLimits) -> Fetched:
        """Get one study, or have it moved to our own door.

        Raises
        ------
        PeerUnavailable, PeerRefused
            As `find`; and whatever ended ``keep`` other than a refused image.
        """
        _keep_identifiers_out_of_the_log()
        if self._move_to is not None:
            return self._move(study_instance_uid, self._move_to, limits)
        classes = [str(each.abstract_syntax) for each in AllStoragePresentationContexts]
        images = [each for each in classes if "Image Storage" in uid.UID(each).name]
        contexts = [build_context(GET, _UNCOMPRESSED), *(build_context(each, _READABLE) for each in images)]
        intake = Intake(keep, limits=limits)
        with self._associate(
            self._peer,
            contexts,
            handlers=[(evt.EVT_C_STORE, _store, [intake, self._peer.host])],
            roles=[build_role(each, scp_role=True) for each in images],
        ) as association:
            status, _ = _retrieve(association, study_instance_uid, intake, limits)
        ended_early = status == _CANCELLED or intake.error is not None
        if status not in (0, _SUB_OPERATIONS_FAILED) and not ended_early:
            raise dimse_refusals.request_refused(status, request="C-GET")
        return intake.result(study_instance_uid, is_complete=status == 0)

    def _move(self, study_instance_uid: str, destination: str, limits: PullLimits) -> Fetched:
        with self._associate(self._peer, [build_context(MOVE, _UNCOMPRESSED)]) as association:
            status, moved = _retrieve(association, study_instance_uid, None, limits, destination=destination)
        if status not in (0, _SUB_OPERATIONS_FAILED):
            raise dimse_refusals.request_refused(status, request="C-MOVE")
        return Fetched(study_instance_uid=study_instance_uid, instances=moved, is_complete=status == 0)


def _keep_identifiers_out_of_the_log() -> None:
    """Of pynetdicom, which logs what is asked and answered unless told not to."""
    _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False


def _study_identifier(query: PriorQuery) -> Dataset:
    """Keys of PS3.4 table C.6-5. The issuer is no matching key there: it is asked for, and compared by us."""
    identifier = Dataset()
    if not query.patient_id.isascii():
        identifier.SpecificCharacterSet = "ISO_IR 192"
    identifier.QueryRetrieveLevel = "STUDY"
    with config.disable_value_validation():  # a range of dates is legal in a query alone
        identifier.StudyDate = query.date_range
        identifier.PatientID = query.patient_id
        identifier.ModalitiesInStudy = query.modalities[0] if len(query.modalities) == 1 else ""
    identifier.IssuerOfPatientID = identifier.StudyInstanceUID = identifier.StudyTime = ""
    identifier.NumberOfStudyRelatedInstances = None
    return identifier


def _cohort_identifier(query: StudyQuery) -> Dataset:
    """Keys of PS3.4 table C.6-5; description and ages are asked for, and compared by us."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    with config.disable_value_validation():
        identifier.StudyDate = query.date_range
        identifier.ModalitiesInStudy = query.modality
    identifier.StudyInstanceUID = identifier.StudyTime = identifier.StudyDescription = ""
    identifier.PatientBirthDate = identifier.PatientAge = ""
    identifier.NumberOfStudyRelatedInstances = None
    return identifier


def _find(
    association: Association,
    identifier: Dataset,
    *,
    most: int | None = None,
    is_over: Callable[[], bool] = lambda: False,
) -> Iterator[Dataset]:
    """Matches, at most so many (``MOST_MATCHES``); raises unless the archive says that it is done, and in time."""
    most = MOST_MATCHES if most is None else most
    count = 0
    try:
        for answer, match in association.send_c_find(identifier, FIND):
            status = _status(answer, during="C-FIND")
            if status in _PENDING:
                if is_over():
                    association.abort()
                    raise dimse_refusals.no_answer(during="C-FIND")
                count += 1
                if count == most:
                    association.send_c_cancel(1, query_model=FIND)
                if match is not None and count <= most:
                    yield match
            elif status != 0 and not (status == _CANCELLED and count >= most):
                raise dimse_refusals.request_refused(status, request="C-FIND")
    except RuntimeError as error:
        raise dimse_refusals.no_answer(during="C-FIND") from error


def _described(
    association: Association, candidate: Candidate, is_over: Callable[[], bool] = lambda: False
) -> Candidate:
    """The candidate with what its series say."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "SERIES"
    identifier.StudyInstanceUID = candidate.study_instance_uid
    identifier.SeriesInstanceUID = identifier.Modality = identifier.BodyPartExamined = ""
    series = list(_find(association, identifier, is_over=is_over))
    return described(
        candidate,
        modalities=[kind for each in series for kind in _texts(each, "Modality")],
        body_parts=[part for each in series for part in _texts(each, "BodyPartExamined")],
    )


def _retrieve(
    association: Association,
    study_instance_uid: str,
    intake: Intake | None,
    limits: PullLimits,
    *,
    destination: str | None = None,
) -> tuple[int, int]:
    """Final status, and how many sub-operations the archive says it completed."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = study_instance_uid
    request = "C-GET" if destination is None else "C-MOVE"
    status = completed = 0
    is_cancelled = False
    try:
        responses = (
            association.send_c_get(identifier, GET)
            if destination is None
            else association.send_c_move(identifier, destination, MOVE)
        )
        for answer, _ in responses:
            status = _status(answer, during=request)
            completed = int(answer.get("NumberOfCompletedSuboperations") or completed)
            if status in _PENDING and limits.is_over():
                association.abort()
                raise dimse_refusals.no_answer(during=request)
            if intake is not None and intake.is_full and status in _PENDING and not is_cancelled:
                association.send_c_cancel(1, query_model=GET)
                is_cancelled = True
    except RuntimeError as error:
        raise dimse_refusals.no_answer(during=request) from error
    return status, completed


def _store(event: evt.Event, intake: Intake, peer: str) -> int:
    request = event.request
    assert isinstance(request, C_STORE) and request.DataSet is not None  # noqa: PT018
    is_kept = intake.offer(
        Offered(
            dataset=request.DataSet.getvalue(),
            transfer_syntax_uid=str(event.context.transfer_syntax),
            sender="C-GET",
            peer=peer,
            sop_class_uid=str(request.AffectedSOPClassUID),
            sop_instance_uid=str(request.AffectedSOPInstanceUID),
        )
    )
    return 0 if is_kept else _OUT_OF_RESOURCES


def _status(answer: Dataset, *, during: str) -> int:
    if "Status" not in answer:
        raise dimse_refusals.no_answer(during=during)
    return int(answer.Status)


def _candidate(answer: Dataset) -> Candidate | None:
    study = _first(answer, "StudyInstanceUID")
    if not is_uid(study):
        return None
    count = _first(answer, "NumberOfStudyRelatedInstances")
    started = _first(answer, "StudyDate") + _first(answer, "StudyTime")[:6]
    return Candidate(
        study_instance_uid=study,
        patient_id=_first(answer, "PatientID"),
        issuer=_first(answer, "IssuerOfPatientID"),
        started=started,
        description=_first(answer, "StudyDescription"),
        age_years=age_at(_first(answer, "PatientAge"), _first(answer, "PatientBirthDate"), started),
        modalities=tuple(each.upper() for each in _texts(answer, "ModalitiesInStudy")),
        instances=int(count) if count.isdecimal() else None,
    )


def _first(answer: Dataset, keyword: str) -> str:
    values = _texts(answer, keyword)
    return values[0] if values else ""


def _texts(answer: Dataset, keyword: str) -> tuple[str, ...]:
    """Values of an element as text, whatever the archive put there."""
    with config.disable_value_validation():
        try:
            found = answer.get(keyword)
        except (ValueError, TypeError, NotImplementedError):
            return ()
    values = found if isinstance(found, MultiValue | list | tuple) else [found]
    return tuple(text for value in values if value is not None and (text := str(value).strip()))
