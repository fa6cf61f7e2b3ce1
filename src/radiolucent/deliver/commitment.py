"""Ask a peer to commit itself to keep what it stored (Storage Commitment Push Model, PS3.4 annex J)."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, evt

from radiolucent.deliver.association import opened
from radiolucent.errors import InputRefused
from radiolucent.records.destination import DimsePeer
from radiolucent.records.study import InstanceRef
from radiolucent.standards import dimse_refusals

PUSH_MODEL_CLASS_UID = "1.2.840.10008.1.20.1"
PUSH_MODEL_INSTANCE_UID = "1.2.840.10008.1.20.1.1"
REPORTED = evt.EVT_N_EVENT_REPORT
"""The event that `report_handler` handles."""
_REQUEST_COMMITMENT = 1
_SYNTAXES: list[str | UID] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
_SUCCESS, _PROCESSING_FAILURE, _NO_SUCH_EVENT = 0x0000, 0x0110, 0x0113
_EVENTS = (1, 2)
"""All committed; some not (PS3.4 table J.3.2-1)."""
_UNREADABLE = (AttributeError, KeyError, ValueError, TypeError, NotImplementedError, BytesLengthException)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncommitted:
    """An instance that a peer will not answer for; ``reason`` as in PS3.3 C.14.1.1, 0110 where it states none."""

    sop_instance_uid: str
    reason: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """A peer's answer to one request, known by its transaction."""

    transaction_uid: str
    committed: tuple[str, ...]
    failed: tuple[Uncommitted, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the peer answers for every instance."""
        return not self.failed


Told = Callable[[Commitment], None]


def request_commitment(
    instances: Sequence[InstanceRef], peer: DimsePeer, *, transaction_uid: str, wait_s: float = 0.0
) -> Commitment | None:
    """Ask for commitment; the answer, where it comes within ``wait_s`` seconds on the same association.

    Parameters
    ----------
    transaction_uid
        One per request, never used again; the answer carries it.

    Returns
    -------
    Commitment | None
        ``None`` when the peer will answer later, on an association of its own: see `accept_reports`.

    Raises
    ------
    PeerUnavailable
        ``peer_unreachable``, ``peer_no_answer``, ``association_busy``, ``peer_out_of_resources``.
    PeerRefused
        ``association_refused``, ``no_presentation_context`` (it offers no commitment), ``request_refused``.
    """
    answers: queue.Queue[Commitment] = queue.Queue()
    with opened(
        peer,
        [build_context(PUSH_MODEL_CLASS_UID, _SYNTAXES)],
        handlers=[(evt.EVT_N_EVENT_REPORT, report_handler(answers.put))],
    ) as association:
        try:
            status, _ = association.send_n_action(
                _information(instances, transaction_uid),
                _REQUEST_COMMITMENT,
                PUSH_MODEL_CLASS_UID,
                PUSH_MODEL_INSTANCE_UID,
            )
        except RuntimeError as error:
            raise dimse_refusals.no_answer(during="N-ACTION") from error
        if "Status" not in status:
            raise dimse_refusals.no_answer(during="N-ACTION")
        if dimse_refusals.stored(int(status.Status)) != "done":
            raise dimse_refusals.request_refused(int(status.Status), request="N-ACTION (storage commitment)")
        try:
            return answers.get(timeout=wait_s) if wait_s > 0 else answers.get_nowait()
        except queue.Empty:
            return None


def accept_reports(application: AE) -> None:
    """Let peers open associations to report a commitment, in the role of SCP (PS3.4 J.3.3, PS3.7 D.3.3.4)."""
    application.add_supported_context(PUSH_MODEL_CLASS_UID, _SYNTAXES, scu_role=True, scp_role=True)


def report_handler(told: Told) -> Callable[[evt.Event], tuple[int, Dataset | None]]:
    """A handler of ``evt.EVT_N_EVENT_REPORT`` that passes each report on; a report that was not kept is not confirmed.

    ``told`` may be called from another thread, and for transactions that are not ours.
    """

    def handle(event: evt.Event) -> tuple[int, Dataset | None]:
        if event.event_type not in _EVENTS:
            return _NO_SUCH_EVENT, None
        try:
            told(read_report(event.event_information))
        except Exception:  # noqa: BLE001  whatever it was, the peer must report again
            return _PROCESSING_FAILURE, None
        return _SUCCESS, None

    return handle


def read_report(information: Dataset) -> Commitment:
    """The event information of an N-EVENT-REPORT (PS3.4 table J.3.2-2).

    Raises
    ------
    InputRefused
        ``unreadable_commitment``.
    """
    try:
        transaction = str(information.TransactionUID)
        failed = tuple(
            Uncommitted(
                sop_instance_uid=str(item.ReferencedSOPInstanceUID),
                reason=int(item.get("FailureReason") or dimse_refusals.PROCESSING_FAILURE),
            )
            for item in information.get("FailedSOPSequence") or ()
        )
        committed = tuple(str(item.ReferencedSOPInstanceUID) for item in information.get("ReferencedSOPSequence") or ())
    except _UNREADABLE:
        raise _unreadable() from None
    if not transaction or not (committed or failed):
        raise _unreadable()
    denied = {each.sop_instance_uid for each in failed}
    return Commitment(
        transaction_uid=transaction, committed=tuple(uid for uid in committed if uid not in denied), failed=failed
    )


def _information(instances: Sequence[InstanceRef], transaction_uid: str) -> Dataset:
    """PS3.4 table J.3.2-1."""
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = []
    for instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID = instance.sop_class_uid
        item.ReferencedSOPInstanceUID = instance.sop_instance_uid
        information.ReferencedSOPSequence.append(item)
    return information


def _unreadable() -> InputRefused:
    return InputRefused(
        "unreadable_commitment",
        found="a storage commitment report without a transaction or without instances",
        expected="event information as PS3.4 table J.3.2-2 says",
        action="The peer's operator must see to its storage commitment; the objects count as stored, not as committed.",
    )
