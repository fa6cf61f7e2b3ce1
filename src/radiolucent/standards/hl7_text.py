"""The text of HL7 version 2 messages: delimiters, escape sequences, character sets, segments (v2.5.1 chapter 2).

Shared by whoever reads and whoever writes. python-hl7 0.4.5 splits messages well, but its ``unescape`` logs the text
that it cannot read and repeats ``\\.sp<n>\\`` as often as the message asks, and its ``escape`` writes code points where
the standard wants bytes; so both directions are here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: HL7 table 0211 (alternate character sets) to Python codecs. UTF-16 and UTF-32 cannot travel in MLLP frames.
CHARACTER_SETS: Mapping[str, str] = {
    "ASCII": "ascii",
    "8859/1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/3": "iso8859-3",
    "8859/4": "iso8859-4",
    "8859/5": "iso8859-5",
    "8859/6": "iso8859-6",
    "8859/7": "iso8859-7",
    "8859/8": "iso8859-8",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "ISO IR6": "ascii",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "UNICODE UTF-8": "utf-8",
}
#: Names outside the table that senders write; understood, never written.
_ALIASES: Mapping[str, str] = {
    "UTF-8": "UNICODE UTF-8",
    "UTF8": "UNICODE UTF-8",
    "UNICODE": "UNICODE UTF-8",
    "8859-1": "8859/1",
    "8859-15": "8859/15",
    "ISO-8859-1": "8859/1",
    "ISO-8859-15": "8859/15",
}
_MOST_BREAKS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Delimiters:
    """MSH-1 and MSH-2."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @property
    def all(self) -> str:
        """All five in the order of the standard."""
        return self.field + self.component + self.repetition + self.escape + self.subcomponent


WRITTEN = Delimiters()
"""The delimiters the standard recommends; all that we write uses them."""

Value = str | tuple["Value", ...] | list["Value"]
"""A field's content: text, a tuple of components (a tuple in it: of subcomponents), or a list of repetitions."""


def codec_of(character_sets: str) -> str | None:
    """The Python codec of MSH-18, repetitions joined by ``~``; ``None`` where we cannot read it.

    Every set that we read holds ASCII, so ASCII besides another one changes nothing. Two others that would have to be
    told apart by code extension are not read, but for the two Japanese ones, of which one codec knows both.

    Examples
    --------
    >>> codec_of("UNICODE UTF-8"), codec_of("~ISO IR87"), codec_of("8859/1~ISO IR87"), codec_of("EBCDIC")
    ('utf-8', 'iso2022_jp', None, None)
    """
    names = (each.strip().upper() for each in character_sets.split("~"))
    codecs = {CHARACTER_SETS.get(_ALIASES.get(name, name)) for name in names if name}
    others = codecs - {"ascii"}
    if others == {"iso2022_jp", "iso2022_jp_1"}:
        return "iso2022_jp_1"
    return None if len(others) > 1 or not codecs else next(iter(others or codecs))


def escape(text: str) -> str:
    r"""Text with its delimiters and line breaks escaped (section 2.7); other control characters become spaces.

    Examples
    --------
    >>> print(escape("R&D | 50^2\nsecond line"))
    R\T\D \F\ 50\S\2\.br\second line
    """
    names = {"|": "F", "^": "S", "~": "R", "&": "T", "\\": "E", "\n": ".br"}
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(f"\\{names[c]}\\" if c in names else c if c.isprintable() or c == " " else " " for c in plain)


def unescape(text: str, delimiters: Delimiters = WRITTEN, *, codec: str = "ascii") -> str:
    r"""Text with its escape sequences decoded (section 2.7).

    ``\Xhh..\`` are bytes of the message's character set. Highlighting and local sequences vanish, formatting becomes
    line breaks or spaces. What cannot be decoded stays as it stands, so that nothing is lost without a trace.

    Examples
    --------
    >>> unescape(r"M\F\N \XC3\\XA9\ \Q\ ", codec="utf-8")
    'M|N é \\Q\\ '
    """
    mark = delimiters.escape
    if mark not in text:
        return text
    quoted = re.escape(mark)
    # Neighbouring hexadecimal sequences belong together: one character of several bytes may be spread over them.
    pattern = f"(?:{quoted}X[0-9A-Fa-f]*{quoted})+|{quoted}[^{quoted}]*{quoted}"
    return re.sub(pattern, lambda found: _decoded(found[0], delimiters, codec), text)


def _decoded(sequence: str, delimiters: Delimiters, codec: str) -> str:
    mark = delimiters.escape
    body = sequence[1:-1]
    named = {
        "F": delimiters.field,
        "S": delimiters.component,
        "R": delimiters.repetition,
        "E": mark,
        "T": delimiters.subcomponent,
        "H": "",
        "N": "",
    }
    if body in named:
        return named[body]
    if body.startswith("X"):
        try:
            return bytes.fromhex(body.replace(mark, "").replace("X", "")).decode(codec)
        except ValueError:
            return sequence
    if body.startswith("."):
        return _formatting(body)
    return "" if body.startswith("Z") else sequence


def _formatting(body: str) -> str:
    """Formatting commands of FT data (section 2.7.6), their counts bounded."""
    command, count = body[1:3].lower(), body[3:].strip().lstrip("+")
    times = min(int(count), _MOST_BREAKS) if count.isascii() and count.isdigit() and len(count) < 6 else 1
    if command in ("br", "sp", "ce"):
        return "\n" * (times if command == "sp" else 1)
    return " " * times if command == "sk" else ""


def segment(name: str, fields: Mapping[int, Value]) -> str:
    """One segment, without its carriage return; fields by their number, what is not named is empty.

    ``MSH`` counts as the standard does: fields 1 and 2 are the delimiters, and written here.

    Examples
    --------
    >>> segment("OBX", {1: "1", 3: ("113014", "Study", "DCM"), 5: ["a", "b|c"]})
    'OBX|1||113014^Study^DCM||a~b\\\\F\\\\c'
    """
    last = max((number for number, value in fields.items() if value), default=0)
    first = 3 if name == "MSH" else 1
    head = f"MSH{WRITTEN.field}{WRITTEN.all[1:]}" if name == "MSH" else name
    return WRITTEN.field.join([head, *(_written(fields.get(number, ""), 0) for number in range(first, last + 1))])


def _written(value: Value, level: int) -> str:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, list):
        return WRITTEN.repetition.join(_written(each, 0) for each in value)
    between = (WRITTEN.component, WRITTEN.subcomponent)[level]
    return between.join(_written(each, level + 1) for each in value).rstrip(between)


def message(segments: Iterable[str]) -> str:
    """Segments as a message: each ends with a carriage return."""
    return "".join(f"{each}\r" for each in segments)
