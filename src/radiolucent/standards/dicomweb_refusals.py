"""What the status of a DICOMweb answer means, and who must act (RFC 9110; PS3.18 sections 8.5, 10.4.3, 10.5.3)."""

from __future__ import annotations

from radiolucent.errors import PeerRefused, PeerUnavailable

_LATER = frozenset((408, 425, 429, 500, 502, 503, 504, 507))
_WHY = {
    401: "it wants other credentials",
    403: "our credentials may not do this",
    404: "there is nothing at this address",
    413: "the request is too large for it",
    415: "it does not take this media type or transfer syntax",
}


def http_refused(status: int, *, request: str) -> PeerUnavailable | PeerRefused:
    """The error of a request that was answered by a status other than success; ``request`` such as ``STOW-RS``."""
    if status in _LATER:
        return PeerUnavailable(
            "dicomweb_busy",
            found=f"HTTP status {status} to {request}",
            expected="200",
            action="It is tried again; see to the server.",
        )
    why = _WHY.get(status, "it redirects" if 300 <= status < 400 else "it does not take the request")
    return PeerRefused(
        "dicomweb_refused",
        found=f"HTTP status {status} to {request}: {why}",
        expected="200",
        action="Compare address and credentials of this destination with the server's own settings.",
    )


def http_unreachable(*, request: str) -> PeerUnavailable:
    """The error of a connection that was not made, broke, or went silent."""
    return PeerUnavailable(
        "dicomweb_unreachable",
        found=f"no connection, or none that lasted until the answer to {request}",
        expected="a DICOMweb server, and certificates that each side trusts",
        action="It is tried again; see that the server runs and the address is right.",
    )


def answer_unreadable(*, request: str) -> PeerRefused:
    """The error of an answer that is no DICOMweb answer: often a login page or a wrong address."""
    return PeerRefused(
        "dicomweb_answer_unreadable",
        found=f"an answer to {request} that is none of DICOMweb",
        expected="DICOM JSON, Native DICOM XML, or a DICOM file",
        action="See what answers at this address; nothing was taken for stored.",
    )
