"""The message header, read from bytes: it says how all the rest has to be read (HL7 v2.5.1 section 2.15.9)."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

from radiolucent.ingest.hl7_refusals import MessageRefused, refused
from radiolucent.records.hl7 import Hl7Header
from radiolucent.standards.hl7_text import Delimiters, codec_of, unescape

SUPPORTED_VERSION = re.compile(r"2\.[2-9](\.\d)?")
SUPPORTED = frozenset({("ORM", "O01"), ("OMI", "O23"), ("ADT", "A08"), ("ADT", "A40")})
#: MSH-10 has 20 characters up to v2.6 and 199 from v2.7 on.
LONGEST_CONTROL_ID = 199
_MSH = b"MSH"
_MOST_CHARACTERS = 1000
_CODE = re.compile(r"[A-Z0-9_]{0,7}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How messages of a site are read.

    Parameters
    ----------
    default_character_set
        Meant by senders that leave MSH-18 empty; by the standard that is ASCII.
    processing_ids
        Values of MSH-11.1 (HL7 table 0103) that are taken; an empty MSH-11 counts as ``P``.
    authority
        Assigning authority (PID-3.4) of the identifier to use where a patient has several; else the medical record
        number (``MR``), else the first.
    """

    default_character_set: str = "ASCII"
    processing_ids: tuple[str, ...] = ("P",)
    authority: str = ""


def delimiters_of(payload: bytes) -> Delimiters:
    """MSH-1 and MSH-2 of a message.

    Raises
    ------
    MessageRefused
        ``hl7_not_a_message``: no MSH, or delimiters that cannot delimit.
    """
    mark = payload[3:4]
    end = payload.find(mark, 4, 16) if mark else -1
    if not payload.startswith(_MSH) or end < 0:
        raise _not_a_message()
    given = payload[4:end].decode("ascii", "replace")
    every = mark.decode("ascii", "replace") + given + "^~\\&"[len(given) :]
    can_delimit = all(c in string.punctuation for c in every) and len(set(every)) == len(every)
    # A fifth encoding character (truncation, v2.7) is allowed and not used here.
    if not given or len(given) > 5 or not can_delimit:
        raise _not_a_message()
    return Delimiters(field=every[0], component=every[1], repetition=every[2], escape=every[3], subcomponent=every[4])


def read_header(payload: bytes) -> Hl7Header:
    """The header as it stands, unjudged, so that even a message that is refused can be answered to its sender.

    Raises
    ------
    MessageRefused
        ``hl7_not_a_message``.
    """
    delimiters = delimiters_of(payload)
    line = re.split(rb"[\r\n]", payload, maxsplit=1)[0]
    # The character set stands in the line that needs it. Its own name is ASCII in every set that we read; the rest is
    # read again in that set once it is known.
    fields = _fields(line.decode("iso2022_jp" if b"\x1b" in line else "latin-1", "replace"), delimiters)
    codec = codec_of(_whole(fields, 18, delimiters)) or "ascii"
    fields = _fields(line.decode(codec, "replace"), delimiters)

    def text(number: int, component: int = 1) -> str:
        first = _whole(fields, number, delimiters).split("~")[0]
        parts = first.split(delimiters.component, component)
        raw = parts[component - 1].split(delimiters.subcomponent, 1)[0] if component <= len(parts) else ""
        return _printable(unescape(raw[:_MOST_CHARACTERS], delimiters, codec=codec))

    return Hl7Header(
        sending_application=text(3),
        sending_facility=text(4),
        receiving_application=text(5),
        receiving_facility=text(6),
        message_code=text(9).upper(),
        trigger_event=text(9, 2).upper(),
        control_id=text(10)[: LONGEST_CONTROL_ID + 1],
        processing_id=text(11).upper(),
        version=text(12),
        accept_ack=text(15).upper(),
        application_ack=text(16).upper(),
        character_set=_printable(_whole(fields, 18, delimiters)[:_MOST_CHARACTERS]),
    )


def check_header(header: Hl7Header, options: ReadingOptions) -> str:
    """Whether a message with this header can be processed at all; gives back the codec of its character set.

    Raises
    ------
    MessageRefused
        ``hl7_header``, ``hl7_version``, ``hl7_message_type``, ``hl7_trigger_event``, ``hl7_processing_id``,
        ``hl7_character_set``; all are answered with ``AR``.
    """
    for value, field, limit in (
        (header.message_code, 9, 7),
        (header.control_id, 10, LONGEST_CONTROL_ID),
        (header.version, 12, 60),
    ):
        if not value or len(value) > limit:
            raise refused(
                "hl7_header",
                f"MSH-{field} {'too long' if value else 'empty'}",
                f"1 to {limit} characters",
                "Fill it at the sender.",
                location=("MSH", 1, field),
            )
    if not SUPPORTED_VERSION.fullmatch(header.version):
        raise refused(
            "hl7_version",
            "another version of HL7",
            "2.2 to 2.9 in MSH-12",
            "Send a version 2 message.",
            location=("MSH", 1, 12),
        )
    _check_type(header)
    if (header.processing_id or "P") not in options.processing_ids:
        raise refused(
            "hl7_processing_id",
            "a message for training or debugging",
            f"{' or '.join(options.processing_ids)} in MSH-11",
            "Send it to a test installation.",
            location=("MSH", 1, 11),
        )
    codec = codec_of(header.character_set) if header.character_set else codec_of(options.default_character_set)
    if codec is None:
        raise refused(
            "hl7_character_set",
            "a character set that is not read here",
            "a name in MSH-18 that docs/hl7.md lists",
            "Send UNICODE UTF-8.",
            location=("MSH", 1, 18),
        )
    return codec


def _check_type(header: Hl7Header) -> None:
    kind = (header.message_code, header.trigger_event)
    if kind in SUPPORTED:
        return
    known = header.message_code in {code for code, _ in SUPPORTED}
    # A code is a word of the standard; anything longer might be text out of the message.
    shown = f"a message of type {'^'.join(kind)}" if all(_CODE.fullmatch(each) for each in kind) else "another message"
    raise refused(
        "hl7_trigger_event" if known else "hl7_message_type",
        shown,
        "ORM^O01, OMI^O23, ADT^A08 or ADT^A40",
        "Filter the feed at the sender.",
        location=("MSH", 1, 9),
    )


def _fields(line: str, delimiters: Delimiters) -> list[str]:
    return line.split(delimiters.field, 32)


def _whole(fields: list[str], number: int, delimiters: Delimiters) -> str:
    """MSH-``number`` with its repetitions joined by ``~``; MSH-1 is the delimiter before the second item."""
    return fields[number - 1].replace(delimiters.repetition, "~") if number <= len(fields) else ""


def _printable(text: str) -> str:
    return "".join(c for c in text.strip() if c.isprintable())


def _not_a_message() -> MessageRefused:
    return refused(
        "hl7_not_a_message",
        "a frame without a readable MSH segment at its start",
        "MSH and five different punctuation marks as delimiters",
        "Send HL7 version 2 in its vertical bar encoding.",
    )
