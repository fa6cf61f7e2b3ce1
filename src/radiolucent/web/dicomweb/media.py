"""Media types: what a client accepts (PS3.18 8.7, RFC 9110 12.5.1), and which of our offers that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.message import Message
from urllib.request import parse_http_list

from pydicom import uid

MULTIPART, DICOM, JSON, OCTETS = (
    "multipart/related",
    "application/dicom",
    "application/dicom+json",
    ("application/octet-stream"),
)
LITTLE_ENDIAN = str(uid.ExplicitVRLittleEndian)
MAX_ACCEPT = 4096
#: Media types of one encoded frame (PS3.18 table 8.7.3-4 and 8.7.3-5), by transfer syntax; the registered one first.
FRAME_TYPES: dict[str, tuple[str, ...]] = {
    str(uid.JPEGBaseline8Bit): ("image/jpeg",),
    str(uid.JPEGExtended12Bit): ("image/jpeg",),
    str(uid.JPEGLossless): ("image/jpeg",),
    str(uid.JPEGLosslessSV1): ("image/jpeg",),
    str(uid.JPEGLSLossless): ("image/jls", "image/x-jls"),
    str(uid.JPEGLSNearLossless): ("image/jls", "image/x-jls"),
    str(uid.JPEG2000Lossless): ("image/jp2",),
    str(uid.JPEG2000): ("image/jp2",),
    str(uid.JPEG2000MCLossless): ("image/jpx",),
    str(uid.JPEG2000MC): ("image/jpx",),
    str(uid.HTJ2KLossless): ("image/jphc",),
    str(uid.HTJ2KLosslessRPCL): ("image/jphc",),
    str(uid.HTJ2K): ("image/jphc",),
    str(uid.RLELossless): ("image/dicom-rle", "image/x-dicom-rle"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One range of an Accept header.

    Parameters
    ----------
    media_type
        Of a part, where ``is_multipart``; may be ``*/*`` or ``image/*``.
    is_multipart
        Whether parts are asked for; ``None`` for ``*/*``, which leaves it to us.
    transfer_syntax
        As stated: a UID, ``*``, or ``None``.
    """

    media_type: str
    is_multipart: bool | None
    transfer_syntax: str | None
    quality: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A form that a resource can be given in: media type, and the transfer syntaxes that this form satisfies."""

    media_type: str
    transfer_syntaxes: tuple[str, ...] = ()


def read_accept(text: str) -> tuple[Accepted, ...]:
    """The ranges of an Accept header, best first; without any, everything is accepted.

    Never raises: what cannot be read is passed over.
    """
    ranges = [found for part in parse_http_list(text[:MAX_ACCEPT]) if (found := _range(part)) is not None]
    if not text.strip():
        ranges = [Accepted(media_type="*/*", is_multipart=None, transfer_syntax=None, quality=1.0)]
    return tuple(sorted((r for r in ranges if r.quality > 0), key=lambda r: -r.quality))


def header(text: str) -> tuple[str, dict[str, str]]:
    """A media type and its parameters, in lower case but for the parameters' values."""
    message = Message()
    message["content-type"] = text.replace("\r", " ").replace("\n", " ")
    pairs = message.get_params(failobj=[], header="content-type")
    parameters = {str(key).lower(): str(value) for key, value in pairs[1:]}
    return (str(pairs[0][0]).strip().lower() if pairs else ""), parameters


def _range(text: str) -> Accepted | None:
    kind, parameters = header(text)
    if "/" not in kind:
        return None
    try:
        quality = min(1.0, max(0.0, float(parameters.get("q", "1"))))
    except ValueError:
        return None
    is_parts = kind == MULTIPART
    inner = parameters.get("type", "*/*").strip().lower() if is_parts else kind
    # A slip that is frequent enough to be understood: a plus sign that the query string turned into a space.
    return Accepted(
        media_type=inner.replace("dicom json", "dicom+json"),
        is_multipart=None if kind == "*/*" else is_parts,
        transfer_syntax=parameters.get("transfer-syntax"),
        quality=quality if quality == quality else 0.0,
    )


def covers(media_range: str, media_type: str) -> bool:
    """Whether ``image/*`` and the like cover a media type."""
    return (
        media_range in ("*/*", media_type)
        or (media_range.endswith("/*") and media_type.startswith(media_range[:-1]))
        or (media_range == "application/json" and media_type == JSON)
    )


def choose(accepted: Iterable[Accepted], offers: Sequence[Offer], *, multipart: bool | None) -> Offer | None:
    """The first offer that the best range covers.

    Parameters
    ----------
    offers
        What we would rather give first.
    multipart
        Whether ranges of parts count, or of the whole body; ``None`` for both.
    """
    for wanted in accepted:
        if multipart is not None and wanted.is_multipart is not None and wanted.is_multipart != multipart:
            continue
        for offer in offers:
            if covers(wanted.media_type, offer.media_type) and (
                wanted.transfer_syntax in (None, "*") or wanted.transfer_syntax in offer.transfer_syntaxes
            ):
                return offer
    return None
