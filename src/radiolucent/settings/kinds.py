"""What a value of the settings may be, and what every table has in common."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from radiolucent.standards.hl7_text import CHARACTER_SETS, codec_of

AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _ae_title(text: str) -> str:
    if not AE_TITLE.fullmatch(text) or not text.strip():
        raise ValueError("an application entity title: 1 to 16 printable ASCII characters, no backslash")
    return text.strip()


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError("a name of letters, digits, '.', '_' or '-'")
    return text


def _read_set(text: str) -> str:
    if codec_of(text) is None:
        raise ValueError("a character set of HL7 table 0211 that docs/hl7.md lists")
    return text


def _written_set(text: str) -> str:
    if text not in CHARACTER_SETS:
        raise ValueError("one character set of HL7 table 0211 that docs/hl7.md lists")
    return text


def is_safe_address(address: object) -> bool:
    """Whether secrets may be sent to an address: over TLS, or within this machine."""
    if not isinstance(address, str):
        return False
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))


def _safe_address(text: str) -> str:
    if not is_safe_address(text):
        raise ValueError("an address that begins with https:// (or http:// on this machine)")
    return text


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("an address such as https://radiolucent.hospital.example")
    return text.rstrip("/")


def _origin(text: str) -> str:
    if "*" in text or urlsplit(_web_address(text)).path:
        raise ValueError("an origin such as https://viewer.hospital.example: scheme and host, no path, no wildcard")
    return text


def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("a time zone of the IANA database, such as Europe/Vienna") from None
    return text


T = TypeVar("T")
# What TOML has no type for is the only thing that is taken for another: text for a path, an array for a tuple.
File = Annotated[Path, Field(strict=False)]
Many = Annotated[tuple[T, ...], Field(strict=False)]
AeTitle = Annotated[str, AfterValidator(_ae_title)]
Name = Annotated[str, AfterValidator(_name)]
ReadSet = Annotated[str, AfterValidator(_read_set)]
WrittenSet = Annotated[str, AfterValidator(_written_set)]
SafeAddress = Annotated[str, AfterValidator(_safe_address)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Origin = Annotated[str, AfterValidator(_origin)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class WrongRow(ValueError):
    """A row that is wrong only beside others, so that pydantic does not know its name."""

    def __init__(self, row: str, *, found: str, expected: str) -> None:
        self.row, self.found = row, found
        super().__init__(expected)


class Table(BaseModel):
    """A table: no unknown row, no value of another type, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Tls(Table):
    """TLS of one door or peer (BCP 195: 1.2 or later).

    A door needs ``certificate`` and ``key``; with ``client_ca`` it wants a certificate of its callers. A peer is
    checked against ``ca`` (else the system's), and shown ``certificate`` and ``key`` where there are any.
    """

    certificate: File | None = None
    key: File | None = None
    ca: File | None = None
    client_ca: File | None = None
