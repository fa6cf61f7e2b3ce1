"""Send our objects by C-STORE (PS3.4 annex B, as SCU)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom.filereader import dcmread
from pydicom.uid import UID
from pynetdicom import _config, build_context
from pynetdicom.association import Association

from radiolucent.deliver.association import opened
from radiolucent.deliver.parcels import Parcel, by_association, own_object_unreadable, read_parcels
from radiolucent.deliver.receipts import Sent, Tally
from radiolucent.errors import PeerRefused, PeerUnavailable
from radiolucent.records.destination import DimsePeer
from radiolucent.standards import dimse_refusals

SLOWEST_BYTES_PER_S = 250_000
"""The time-out of one answer starts when the object is queued, not when it has left: so much more by its size."""
_MEDIUM_PRIORITY = 0


def store(paths: Sequence[Path], peer: DimsePeer) -> Sent:
    """Send files, in one association where their contexts fit into one.

    A refusal of one object does not keep the others back; a peer that cannot go on ends the sending. An instance that
    the peer has already counts as stored, so that the same call may be made again, with what is missing or with all.

    Raises
    ------
    InvariantBroken
        ``own_object_unreadable``. What the peer does is told by the result, not raised.
    """
    parcels = read_parcels(paths)
    tally = Tally()
    for group in by_association(parcels):
        offers = dict.fromkeys(offer for parcel in group for offer in parcel.offers)
        contexts = [build_context(abstract, [transfer]) for abstract, transfer in offers]
        try:
            with opened(peer, contexts) as association:
                _send(association, group, peer, tally)
        except PeerRefused as error:
            tally.failed(error)
        except PeerUnavailable as error:
            tally.failed(error)
            break
    return tally.sent(parcel.sop_instance_uid for parcel in parcels)


def _send(association: Association, group: Sequence[Parcel], peer: DimsePeer, tally: Tally) -> None:
    """Each parcel of an association; raises `PeerUnavailable` where the peer cannot go on."""
    accepted = {(str(c.abstract_syntax), str(c.transfer_syntax[0])) for c in association.accepted_contexts}
    for number, parcel in enumerate(group):
        if not accepted & set(parcel.offers):
            tally.failed(dimse_refusals.no_context(wanted=parcel.words))
            continue
        association.dimse_timeout = peer.dimse_timeout_s + parcel.size_bytes / SLOWEST_BYTES_PER_S
        status = _send_one(association, parcel, is_exact=parcel.offers[0] in accepted, message_id=number % 65535 + 1)
        outcome = dimse_refusals.stored(status)
        if outcome == "done":
            tally.stored(parcel.sop_instance_uid, status)
            continue
        error = dimse_refusals.refusal_of(status)
        if isinstance(error, PeerUnavailable):
            raise error
        tally.failed(error)


def _send_one(association: Association, parcel: Parcel, *, is_exact: bool, message_id: int) -> int:
    """The status of the peer's answer. The file goes as it is, from disk, unless the peer wants the default syntax."""
    # Read per association and only by senders of files: these bytes were written by us and are not to be changed.
    _config.STORE_SEND_CHUNKED_DATASET = True
    try:
        status = association.send_c_store(
            parcel.path if is_exact else dcmread(parcel.path), msg_id=message_id, priority=_MEDIUM_PRIORITY
        )
    except RuntimeError as error:  # the association ended before the request
        raise dimse_refusals.no_answer(during="C-STORE") from error
    except OSError as error:
        association.abort()
        raise own_object_unreadable() from error
    if "Status" not in status:
        raise dimse_refusals.no_answer(during=f"C-STORE of a {UID(parcel.sop_class_uid).name}")
    return int(status.Status)
