"""In which form an instance or its frames can be given to a client, by their transfer syntax alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydicom.uid import ImplicitVRLittleEndian

from radiolucent.prepare.header import NATIVE
from radiolucent.web.dicomweb.archive import InstanceRow
from radiolucent.web.dicomweb.media import DICOM, FRAME_TYPES, LITTLE_ENDIAN, OCTETS, Accepted, Offer, covers
from radiolucent.web.dicomweb.pixels import DECODABLE
from radiolucent.web.dicomweb.transcode import is_transcodable

Form = Literal["kept", "plain"]
"""The bytes as kept, or Explicit VR Little Endian."""
PLAIN = Offer(media_type=OCTETS, transfer_syntaxes=(LITTLE_ENDIAN, str(ImplicitVRLittleEndian)))
"""Uncompressed frames are the same in both."""


def form_of(row: InstanceRow, accepted: Iterable[Accepted], *, multipart: bool) -> Form | None:
    """How a client gets an instance; no transfer syntax means Explicit VR Little Endian (PS3.18 8.7.3.3)."""
    for wanted in accepted:
        if wanted.is_multipart not in (None, multipart) or not covers(wanted.media_type, DICOM):
            continue
        syntax = wanted.transfer_syntax or LITTLE_ENDIAN
        if syntax in ("*", row.transfer_syntax_uid):
            return "kept"
        if syntax == LITTLE_ENDIAN and is_transcodable(row.transfer_syntax_uid):
            return "plain"
    return None


def frame_offers(transfer_syntax_uid: str) -> list[Offer]:
    """Forms of frames, uncompressed first: that is the standard's default."""
    is_plain_possible = transfer_syntax_uid in NATIVE or transfer_syntax_uid in DECODABLE
    encoded = [
        Offer(media_type=media_type, transfer_syntaxes=(transfer_syntax_uid,))
        for media_type in FRAME_TYPES.get(transfer_syntax_uid, ())
    ]
    return ([PLAIN] if is_plain_possible else []) + encoded


def is_plain(offer: Offer) -> bool:
    """Whether an offer is of uncompressed bytes."""
    return offer.media_type == OCTETS
