"""What a DICOM peer's no means, and who must act: pure tables over the numbers that come back.

Statuses: PS3.7 annex C, PS3.4 tables B.2-1 (storage), C.4-1 (find), C.4-2 (move), C.4-3 (get). Rejections of an
association: PS3.8 table 9-21.
"""

from __future__ import annotations

from typing import Literal

from radiolucent.errors import PeerRefused, PeerUnavailable

Outcome = Literal["done", "later", "never"]

SUCCESS = 0x0000
DUPLICATE_SOP_INSTANCE = 0x0111
PROCESSING_FAILURE = 0x0110
RESOURCE_LIMITATION = 0x0213
_WARNINGS = frozenset((0x0001, 0x0107, 0x0116))
_REJECTED_TRANSIENT = 2
_REASONS = {
    # (source, reason): PS3.8 table 9-21
    (1, 2): "the application context is not supported",
    (1, 3): "our calling application entity title is not known there",
    (1, 7): "the called application entity title is not known there",
    (2, 2): "the protocol version is not supported",
}

_SAID = {
    0x0117: "the peer finds the object's UID invalid",
    0x0122: "the SOP class is not supported",
    0x0124: "we are not authorised",
    0xC122: "the transfer syntax is not supported",
}


def stored(status: int) -> Outcome:
    """Whether an instance is kept after this C-STORE status.

    A peer that has the instance already (0111) keeps it. A processing failure (0110) says nothing of the instance, so
    it is tried again.
    """
    if status in (SUCCESS, DUPLICATE_SOP_INSTANCE) or status in _WARNINGS or status >> 12 == 0xB:
        return "done"
    return "later" if is_passing(status) else "never"


def is_passing(status: int) -> bool:
    """Whether a failure speaks of the peer's present state, so that the same request may succeed later."""
    return status >> 8 == 0xA7 or status in (PROCESSING_FAILURE, RESOURCE_LIMITATION)


def refusal_of(status: int) -> PeerUnavailable | PeerRefused:
    """The error of an instance that was not stored, by C-STORE status or DICOMweb Failure Reason (PS3.18 I.2.2)."""
    if is_passing(status):
        return PeerUnavailable(
            "peer_out_of_resources",
            found=f"status {status:04X}: the peer cannot store now",
            expected="0000",
            action="It is tried again; see to the peer's disk and database.",
        )
    return PeerRefused(
        "object_refused",
        found=f"status {status:04X}: {_why(status)}",
        expected="0000 (stored)",
        action="Its operator must allow this kind of object, or the destination needs a profile without it; "
        "then send it again.",
    )


def request_refused(status: int, *, request: str) -> PeerUnavailable | PeerRefused:
    """The error of a query, retrieval or commitment request that failed; ``request`` such as ``C-FIND``."""
    if is_passing(status):
        return PeerUnavailable(
            "peer_out_of_resources",
            found=f"status {status:04X} to {request}: the peer cannot serve it now",
            expected="0000",
            action="It is tried again; see to the peer.",
        )
    unknown = " (our own application entity title is not known there)" if status == 0xA801 else ""
    return PeerRefused(
        "request_refused",
        found=f"status {status:04X} to {request}{unknown}",
        expected="0000",
        action="Its operator must allow this request from our application entity title.",
    )


def association_rejected(result: int, source: int, reason: int) -> PeerUnavailable | PeerRefused:
    """The error of an association request that was answered by a rejection."""
    if result == _REJECTED_TRANSIENT:
        return PeerUnavailable(
            "association_busy",
            found="an association rejected for the moment (congestion, or too many at once)",
            expected="an accepted association",
            action="It is tried again; the peer may have to allow more associations.",
        )
    why = _REASONS.get((source, reason), f"no reason stated (source {source}, reason {reason})")
    return PeerRefused(
        "association_refused",
        found=f"an association rejected for good: {why}",
        expected="an accepted association",
        action="Compare both application entity titles with the peer's own settings.",
    )


def unreachable(*, by_tls: bool) -> PeerUnavailable:
    """The error of a connection that was not made."""
    return PeerUnavailable(
        "peer_unreachable",
        found="a host or port that does not answer" + (", or a TLS handshake that failed" if by_tls else ""),
        expected="a DICOM peer" + (" and certificates that each side trusts" if by_tls else ""),
        action="It is tried again; see that the peer runs and the address is right.",
    )


def no_answer(*, during: str) -> PeerUnavailable:
    """The error of an association that ended, or stayed silent, before the answer to a request."""
    return PeerUnavailable(
        "peer_no_answer",
        found=f"an association that ended, or no answer in time, during {during}",
        expected="an answer to each request",
        action="It is tried again; the log of the peer tells why it ended.",
    )


def no_context(*, wanted: str) -> PeerRefused:
    """The error of an object or request for which no presentation context was accepted."""
    return PeerRefused(
        "no_presentation_context",
        found=f"no accepted presentation context for {wanted}",
        expected="a peer that takes it",
        action="Its operator must allow it, or the destination needs another profile; then send it again.",
    )


def _why(status: int) -> str:
    if status in _SAID:
        return _SAID[status]
    if status >> 8 == 0xA9:
        return "the object does not match its SOP class, says the peer"
    return "the peer cannot understand the object" if status >> 12 == 0xC else "a failure"
