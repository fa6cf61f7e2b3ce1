"""From the bytes of a message to its segments, and from a segment to values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import hl7

from radiolucent.ingest.hl7_header import delimiters_of
from radiolucent.ingest.hl7_refusals import MessageRefused, refused, too_large
from radiolucent.standards.hl7_text import Delimiters, unescape

#: python-hl7 makes an object of about half a kilobyte of every part between two delimiters.
MOST_PARTS = 20_000
LONGEST_VALUE = 250
_NULL = '""'


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One repetition of one field."""

    node: object
    segment: Segment
    field: int

    def text(self, component: int = 1, subcomponent: int = 1, *, limit: int = LONGEST_VALUE) -> str:
        """A value, decoded, trimmed, on one line; ``""`` where there is none, or where it is the HL7 null.

        Raises
        ------
        MessageRefused
            ``hl7_field_wrong``: longer than ``limit`` characters, or with control characters.
        """
        raw = _part(_part(self.node, component), subcomponent)
        if not isinstance(raw, str) or raw == _NULL:
            return ""
        plain = unescape(raw, self.segment.delimiters, codec=self.segment.codec)
        plain = plain.replace("\n", " ").replace("\t", " ").strip(" ")
        if len(plain) > limit:
            raise self.wrong(f"more than {limit} characters", f"at most {limit}")
        if any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in plain):
            raise self.wrong("control characters", "text")
        return plain

    def is_null(self) -> bool:
        """Whether it is ``""`` in quotation marks: delete what you have (section 2.5.3)."""
        return str(self.node) == _NULL

    def wrong(self, found: str, expected: str) -> MessageRefused:
        """The refusal of this value."""
        return self.segment.wrong(self.field, found, expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment; ``number`` is its place among those of its name, 1 first."""

    name: str
    number: int
    node: Sequence[object]
    delimiters: Delimiters
    codec: str

    def cells(self, field: int) -> tuple[Cell, ...]:
        """The repetitions of a field; none where it is empty."""
        node = self.node[field] if field < len(self.node) else ""
        parts = list(node) if isinstance(node, list) else [node]
        return tuple(Cell(node=part, segment=self, field=field) for part in parts if str(part))

    def text(
        self, field: int, component: int = 1, subcomponent: int = 1, *, limit: int = LONGEST_VALUE, default: str = ""
    ) -> str:
        """A value of the first repetition; see `Cell.text`."""
        cells = self.cells(field)
        return (cells[0].text(component, subcomponent, limit=limit) if cells else "") or default

    def wrong(self, field: int, found: str, expected: str) -> MessageRefused:
        """The refusal of a field's content."""
        return refused(
            "hl7_field_wrong",
            f"{found} in {self.name}-{field}",
            expected,
            "Mend it at the sender.",
            location=(self.name, self.number, field),
        )

    def missing(self, field: int, what: str) -> MessageRefused:
        """The refusal for want of a field."""
        return refused(
            "hl7_field_missing",
            f"no {what} in {self.name}-{field}",
            "one",
            "Fill it at the sender.",
            location=(self.name, self.number, field),
        )


def read_segments(payload: bytes, codec: str) -> tuple[Segment, ...]:
    """All segments of a message, the header first.

    A line feed, or carriage return and line feed, ends a segment as well as the carriage return of the standard does.

    Raises
    ------
    MessageRefused
        ``hl7_undecodable``, ``hl7_several_messages``, ``hl7_too_large``, ``hl7_not_a_message``.
    """
    delimiters = delimiters_of(payload)
    text = _decoded(payload, codec)
    lines = [line for line in text.replace("\r\n", "\r").replace("\n", "\r").split("\r") if line.strip()]
    if any(line.startswith(("MSH", "BHS", "FHS")) for line in lines[1:]):
        raise refused(
            "hl7_several_messages",
            "more than one message in a frame",
            "one message in a frame",
            "Send each in a frame of its own and wait for its answer.",
        )
    if len(lines) + sum(text.count(mark) for mark in delimiters.all) > MOST_PARTS:
        raise too_large(f"{MOST_PARTS} fields and components")
    return tuple(_numbered(lines, delimiters, codec))


def _decoded(payload: bytes, codec: str) -> str:
    try:
        return payload.decode(codec)
    except UnicodeDecodeError:
        raise refused(
            "hl7_undecodable",
            "bytes that do not belong to the character set of the message",
            "the character set that MSH-18 names; where it is empty, the one set for this door",
            "Name the right one in MSH-18 at the sender.",
            location=("MSH", 1, 18),
        ) from None


def _numbered(lines: list[str], delimiters: Delimiters, codec: str) -> Iterator[Segment]:
    try:
        parsed = hl7.parse("\r".join(lines))
    except (hl7.HL7Exception, ValueError, IndexError):
        raise refused(
            "hl7_not_a_message", "segments that cannot be split", "HL7 version 2", "Mend it at the sender."
        ) from None
    counts: dict[str, int] = {}
    for node in parsed:
        name = str(node[0])
        counts[name] = counts.get(name, 0) + 1
        yield Segment(name=name, number=counts[name], node=node, delimiters=delimiters, codec=codec)


def _part(node: object, number: int) -> object:
    """A part by its place, 1 first. What was not split stands for its own first part."""
    if isinstance(node, list):
        return node[number - 1] if number <= len(node) else ""
    return node if number == 1 else ""
