"""Reports out of ORU messages: what OBR and OBX say in codes (HL7 v2.5.1 chapter 7)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from radiolucent.ingest.hl7_header import read_header
from radiolucent.ingest.hl7_segments import Cell, Segment, read_segments
from radiolucent.records.engine import Code
from radiolucent.records.reported import Reported, Standing, Statement
from radiolucent.standards import codes
from radiolucent.standards.code_systems import presence_of, scheme_of
from radiolucent.standards.hl7_text import codec_of

_FRAMES = re.compile(rb"[\x0b\x1c]")
_MESSAGES = re.compile(rb"(?:^|(?<=[\r\n]))(?=MSH)")
_ENVELOPES = re.compile(rb"(?:^|(?<=[\r\n]))(?:FHS|BHS|BTS|FTS)[^\r\n]*[\r\n]*")
_DIGITS = re.compile(r"[0-9]{4,14}")
_FINAL, _WITHDRAWN = frozenset("FC"), frozenset("WD")
"""HL7 tables 0123 and 0085."""
_CODED = frozenset(("CE", "CWE", "CNE"))
_STUDY = frozenset((("DCM", "110180"), ("DCM", "113014")))
_ASIDE = frozenset(
    (code.scheme, code.value)
    for code in (codes.CERTAINTY_OF_FINDING, codes.PROCESSING_SUMMARY, codes.COMMENT, codes.PROBABILITY)
)
"""Questions whose answer is no finding."""


def read_oru(content: bytes) -> Iterator[Reported]:
    """The reports of one message or of many in a file, framed or not; messages of another type are passed over.

    Raises
    ------
    MessageRefused
        ``hl7_not_a_message``, ``hl7_undecodable``, ``hl7_too_large``, ``hl7_field_wrong``.
    """
    plain = _ENVELOPES.sub(b"", _FRAMES.sub(b"", content).lstrip(b"\r\n"))
    for message in _MESSAGES.split(plain):
        if message.strip():
            yield from _reports(message)


@dataclass(slots=True, kw_only=True)
class _Request:
    """An OBR with the ORC before it and the segments behind it."""

    orc: Segment | None
    obr: Segment
    rest: list[Segment] = field(default_factory=list)


def _reports(message: bytes) -> Iterator[Reported]:
    header = read_header(message)
    if header.message_code != "ORU":
        return
    segments = read_segments(message.strip(b"\r\n"), codec_of(header.character_set or "UNICODE UTF-8") or "latin-1")
    sent = segments[0].text(7)
    for request in _requests(segments):
        results = [each for each in request.rest if each.name == "OBX"]
        yield Reported(
            report="",
            at=_moment(request.obr.text(22)) or _moment(sent),
            standing=_standing(request.obr.text(25).upper(), [each.text(11).upper() for each in results]),
            study_instance_uids=tuple(dict.fromkeys(_studies(request))),
            accession_numbers=_accession(request),
            statements=tuple(said for said in _statements(results) if said.codes),
        )


def _requests(segments: Sequence[Segment]) -> list[_Request]:
    found: list[_Request] = []
    orc: Segment | None = None
    for each in segments:
        if each.name == "ORC":
            orc = each
        elif each.name == "OBR":
            found.append(_Request(orc=orc, obr=each))
        elif found:
            found[-1].rest.append(each)
    return found


def _moment(said: str) -> str:
    found = _DIGITS.match(said)
    return found[0].ljust(14, "0") if found else ""


def _standing(request: str, results: Sequence[str]) -> Standing:
    """By OBX-11 where one is taken back, else by OBR-25, else by OBX-11."""
    if any(each in _WITHDRAWN for each in results) and not any(each in _FINAL for each in results):
        return "withdrawn"
    if request:
        return "final" if request in _FINAL else "open"
    return "final" if results and all(each in _FINAL for each in results) else "open"


def _studies(request: _Request) -> Iterator[str]:
    for each in request.rest:
        if each.name == "ZDS":
            yield each.text(1)
        elif each.name == "OBX" and any((code.scheme, code.value) in _STUDY for code in _codes(each.cells(3))):
            yield from (cell.text() for cell in each.cells(5) if cell.text())


def _accession(request: _Request) -> tuple[str, ...]:
    """The first that says anything, in the order of our own orders: IPC-1, OBR-18, ORC-3, OBR-3."""
    ipc = next((each for each in request.rest if each.name == "IPC"), None)
    said = (
        ipc.text(1) if ipc else "",
        request.obr.text(18),
        request.orc.text(3) if request.orc else "",
        request.obr.text(3),
    )
    return tuple(each for each in said if each)[:1]


def _statements(results: Sequence[Segment]) -> Iterator[Statement]:
    for each in results:
        status = each.text(11).upper()
        asked, said = _codes(each.cells(3)), _codes(each.cells(5)) if each.text(2).upper() in _CODED else ()
        if (status and status not in _FINAL) or any((code.scheme, code.value) in _ASIDE for code in asked):
            continue
        presence = presence_of(said)
        if presence is None and not said:
            presence = presence_of(tuple(Code(scheme="HL70078", value=flag, meaning="") for flag in _flags(each)))
        if presence is not None:
            yield Statement(codes=asked, is_present=presence)
        elif said:
            for cell in each.cells(5):
                yield Statement(codes=_codes((cell,)), is_present=True)


def _flags(result: Segment) -> Iterator[str]:
    yield from (cell.text().upper() for cell in result.cells(8))


def _codes(cells: Sequence[Cell]) -> tuple[Code, ...]:
    """The code and the alternate one of each repetition; those without a system cannot be known."""
    said = [
        Code(scheme=scheme_of(cell.text(place + 2)), value=cell.text(place), meaning="")
        for cell in cells
        for place in (1, 4)
        if cell.text(place) and cell.text(place + 2)
    ]
    return tuple(said)
