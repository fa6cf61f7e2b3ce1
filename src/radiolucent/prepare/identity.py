"""Which instance this is: enough of a header to keep, find and route an image, without decoding anything else."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, cast

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from radiolucent.errors import InputRefused
from radiolucent.prepare.boundary import QUIET, refused, refusing, tolerant
from radiolucent.prepare.bounded import BoundedFile
from radiolucent.prepare.codestream import truncated
from radiolucent.prepare.element import first_item, integer, text, texts
from radiolucent.prepare.header import UID_PATTERN, not_dicom
from radiolucent.prepare.storage_class import check_class
from radiolucent.records.door import Offered
from radiolucent.records.received import Received
from radiolucent.records.study import Patient

UNDEFINED = 0xFFFFFFFF
LAST_TAG = 0x00401003
"""Requested Procedure Priority: nothing behind it is needed."""
META_END = 0x00030000
INFLATED_BYTES = 64 * 2**20
"""Of a deflated dataset only this much is unpacked here: a header is far smaller, and a bomb must not fill memory."""
MOST_INSTANCES = 1_000_000
"""More than any study has; a number above is no number of instances."""


def _tags(*keywords: str) -> tuple[BaseTag, ...]:
    return tuple(Tag(tag) for tag in map(tag_for_keyword, keywords) if tag is not None)


STUDY_TAGS = _tags(
    *("SpecificCharacterSet", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
    *("StudyDescription", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    *("StudyInstanceUID", "StudyID", "TimezoneOffsetFromUTC"),
)
INSTANCE_TAGS = _tags(
    *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "Modality", "Manufacturer", "SeriesDescription"),
    *("BodyPartExamined", "ProtocolName", "ViewPosition", "PatientAge", "SeriesInstanceUID", "SeriesNumber"),
    *("InstanceNumber", "NumberOfFrames", "Rows", "Columns", "BitsAllocated", "SeriesDate", "SeriesTime"),
    *("PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "StationName"),
)
CLAIM_TAGS = _tags("NumberOfStudyRelatedInstances", "RequestedProcedurePriority", "IssuerOfPatientIDQualifiersSequence")
"""What an image says of its whole study beside `STUDY_TAGS`."""
REMEMBERED_STUDIES, REMEMBERED_ELEMENTS, REMEMBERED_BYTES = 64, 2048, 256
"""Images of a study and of a series say the same again and again; converting it takes longer than reading it."""
Encodings = str | tuple[str, ...]
STAT_PRIORITIES = frozenset(("STAT", "HIGH"))
IMPLEMENTATION = "RADIOLUCENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """An instance, identified, and the file it will be: ``head`` (preamble and file meta), then the dataset as sent."""

    received: Received
    head: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfStudy:
    """What images of one study say alike: read once, remembered for those that follow."""

    patient: Patient
    accession_number: str
    header: str
    expected_count: int | None
    is_stat: bool


def identify(
    dataset: bytes | memoryview,
    *,
    transfer_syntax_uid: str,
    sop_class_uid: str | None = None,
    sop_instance_uid: str | None = None,
    calling_ae: str,
    peer: str,
    implementation_class_uid: str,
) -> Identified:
    """Read what identifies an instance.

    Parameters
    ----------
    dataset
        The encoded dataset alone, as it came over an association (PS3.7 9.1.1) or behind the meta of a file.
    sop_class_uid, sop_instance_uid
        As the request states them; the dataset must say the same (PS3.4 B.2.2.1).
    peer
        Network address or kind of the sender, for the audit log.

    Raises
    ------
    InputRefused
        ``unreadable_header``, ``invalid_uid``, ``uid_mismatch``, ``sop_class_not_kept``, ``truncated_file``,
        ``too_deeply_nested``.
    """
    digest = hashlib.sha256(transfer_syntax_uid.encode())
    digest.update(dataset)
    with QUIET:  # once for all that is read here; within, it only counts
        header = _read(dataset, transfer_syntax_uid)
        study, instance_header = _of_study(header), _json(header, INSTANCE_TAGS)  # before anything converts an element
        uids = {name: _uid(header, name) for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")}
        stated_class = _uid(header, "SOPClassUID")
        check_class(stated_class)
        for stated, found in ((sop_instance_uid, uids["SOPInstanceUID"]), (sop_class_uid, stated_class)):
            if stated is not None and stated != found:
                raise _mismatch()
        received = Received(
            sop_instance_uid=uids["SOPInstanceUID"],
            sop_class_uid=stated_class,
            transfer_syntax_uid=transfer_syntax_uid,
            study_instance_uid=uids["StudyInstanceUID"],
            series_instance_uid=uids["SeriesInstanceUID"],
            sha256=digest.hexdigest(),
            size_bytes=len(dataset),
            patient=study.patient,
            accession_number=study.accession_number,
            study_header=study.header,
            instance_header=instance_header,
            calling_ae=calling_ae[:16],
            peer=peer,
            expected_count=study.expected_count,
            is_stat=study.is_stat,
        )
        return Identified(received=received, head=_head(received, implementation_class_uid))


def identify_offered(offered: Offered, *, implementation_class_uid: str) -> Identified:
    """`identify` of what came through a door."""
    return identify(
        offered.dataset,
        transfer_syntax_uid=offered.transfer_syntax_uid,
        sop_class_uid=offered.sop_class_uid,
        sop_instance_uid=offered.sop_instance_uid,
        calling_ae=offered.sender,
        peer=offered.peer,
        implementation_class_uid=implementation_class_uid,
    )


def split_part10(data: bytes) -> tuple[memoryview, str]:
    """The dataset of a Part 10 file, and its transfer syntax (PS3.10 7.1).

    Raises
    ------
    InputRefused
        ``not_dicom``, ``unreadable_header``.
    """
    if data[128:132] != b"DICM":
        raise not_dicom()
    file = BoundedFile(io.BytesIO(data), size=len(data))
    file.seek(132)
    with refusing(_unreadable):
        meta = read_dataset(cast(BinaryIO, file), False, True, stop_when=_behind_meta)
    syntax = text(meta, "TransferSyntaxUID") or ""
    if not UID_PATTERN.fullmatch(syntax) or len(syntax) > 64:
        raise _unreadable()
    return memoryview(data)[file.tell() :], syntax


def patient_of(header: Dataset) -> Patient:
    """Who it is, as the header says."""
    name = tolerant(lambda: str(header.PatientName)) if "PatientName" in header else None
    qualifiers = first_item(header, "IssuerOfPatientIDQualifiersSequence")
    issuer = text(header, "IssuerOfPatientID") or (
        text(qualifiers, "UniversalEntityID") if qualifiers is not None else None
    )
    return Patient(
        patient_id=_column(text(header, "PatientID"), 64),
        issuer=_column(issuer, 256),
        name=_column(name, 324),
        birth_date=_column(text(header, "PatientBirthDate"), 8),
        sex=_column(text(header, "PatientSex"), 1).upper(),
    )


def _column(said: str | None, characters: int) -> str:
    """Text as a database takes it: no NUL, which PostgreSQL refuses, and no longer than its column."""
    return (said or "").replace("\0", "")[:characters]


def _expected(header: Dataset) -> int | None:
    said = integer(header, "NumberOfStudyRelatedInstances")
    return said if said is not None and 0 < said <= MOST_INSTANCES else None


def _read(dataset: bytes | memoryview, transfer_syntax_uid: str) -> Dataset:
    data = bytes(dataset)
    if transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
        with refusing(_unreadable):
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, INFLATED_BYTES)
    file = BoundedFile(io.BytesIO(data), size=len(data))

    def behind(tag: BaseTag, _vr: str | None, length: int) -> bool:
        if tag <= LAST_TAG and length != UNDEFINED and file.tell() + length > file.size:
            raise truncated()
        return int(tag) > LAST_TAG

    implicit, little = transfer_syntax_uid == ImplicitVRLittleEndian, transfer_syntax_uid != ExplicitVRBigEndian
    with refusing(_unreadable):
        return read_dataset(cast(BinaryIO, file), implicit, little, stop_when=behind)


def _behind_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag) >= META_END


def _uid(header: Dataset, keyword: str) -> str:
    values = [value for value in texts(header, keyword) if value]
    found = values[0] if len(values) == 1 else ""
    if len(found) > 64 or not UID_PATTERN.fullmatch(found):
        raise refused(
            "invalid_uid",
            found=f"a missing or malformed {keyword}",
            expected="at most 64 digits and dots (PS3.5 9.1)",
            action="Export the image again with valid UIDs.",
        )
    return found


def _unreadable() -> InputRefused:
    return refused(
        "unreadable_header",
        found="a DICOM header that cannot be parsed",
        expected="a dataset in its stated transfer syntax",
        action="Export the image again.",
    )


def _mismatch() -> InputRefused:
    return refused(
        "uid_mismatch",
        found="a request and a dataset that name different SOP Class or Instance UIDs",
        expected="the same in both (PS3.4 B.2.2.1)",
        action="Check what rewrites UIDs between the modality and here.",
    )


def _of_study(header: Dataset) -> _OfStudy:
    raw = [_placeless(header, tag) for tag in (*STUDY_TAGS, *CLAIM_TAGS) if tag in header]
    known = tuple(each for each in raw if each is not None)
    return _study_of(header) if len(known) < len(raw) else _remembered_study(known, _encodings(header))


@lru_cache(maxsize=REMEMBERED_STUDIES)
def _remembered_study(raw: tuple[RawDataElement, ...], encodings: Encodings) -> _OfStudy:
    return _study_of(_dataset(raw, encodings))


def _study_of(header: Dataset) -> _OfStudy:
    return _OfStudy(
        patient=patient_of(header),
        accession_number=_column(text(header, "AccessionNumber"), 64),
        header=_json(header, STUDY_TAGS),
        expected_count=_expected(header),
        is_stat=(text(header, "RequestedProcedurePriority") or "").upper() in STAT_PRIORITIES,
    )


def _json(header: Dataset, tags: Sequence[BaseTag]) -> str:
    """DICOM JSON of some elements; what cannot be converted is left out."""
    made = (_member(header, tag) for tag in tags if tag in header)
    return "{" + ",".join(filter(None, made)) + "}"


def _member(header: Dataset, tag: BaseTag) -> str:
    raw = _placeless(header, tag)
    return _member_of(header, tag) if raw is None else _remembered_member(raw, _encodings(header))


@lru_cache(maxsize=REMEMBERED_ELEMENTS)
def _remembered_member(raw: RawDataElement, encodings: Encodings) -> str:
    return _member_of(_dataset((raw,), encodings), raw.tag)


def _member_of(header: Dataset, tag: BaseTag) -> str:
    """An element as a member of the JSON object; empty where it cannot be converted."""
    made = tolerant(lambda: json.dumps(header[tag].to_json_dict(None, 1024), ensure_ascii=False, separators=(",", ":")))
    return "" if made is None else f'"{tag:08X}":{made}'


def _placeless(header: Dataset, tag: BaseTag) -> RawDataElement | None:
    """An element as read, wherever in its file it stood; ``None`` for a sequence, a long or an unreadable one."""
    raw = tolerant(lambda: header.get_item(tag))  # which converts an element that has no value yet
    if not isinstance(raw, RawDataElement) or raw.length > REMEMBERED_BYTES or not isinstance(raw.value, bytes):
        return None
    return raw._replace(value_tell=0)


def _encodings(header: Dataset) -> Encodings:
    found = header.original_character_set
    return found if isinstance(found, str) else tuple(found)


def _dataset(raw: tuple[RawDataElement, ...], encodings: Encodings) -> Dataset:
    made = Dataset({each.tag: each for each in raw})
    if raw:
        said = encodings if isinstance(encodings, str) else list(encodings)
        made.set_original_encoding(raw[0].is_implicit_VR, raw[0].is_little_endian, said)
    return made


def _head(received: Received, implementation_class_uid: str) -> bytes:
    """An empty preamble and our own meta information (PS3.10 7.1), in Explicit VR Little Endian.

    What the sender's would say of its software stays there. It is written here and not by pydicom because it is made
    for every image that comes, and six elements of text take a tenth of the time of all the rest in the other way.
    """
    rows = (
        (0x0002, b"UI", received.sop_class_uid),
        (0x0003, b"UI", received.sop_instance_uid),
        (0x0010, b"UI", received.transfer_syntax_uid),
        (0x0012, b"UI", implementation_class_uid),
        (0x0013, b"SH", IMPLEMENTATION),
    )
    body = struct.pack("<HH2sHL", 0x0002, 0x0001, b"OB", 0, 2) + b"\x00\x01"
    for element, vr, said in rows:
        value = said.encode("ascii") + (b"" if len(said) % 2 == 0 else b"\x00" if vr == b"UI" else b" ")
        body += struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value
    length = struct.pack("<HH2sHL", 0x0002, 0x0000, b"UL", 4, len(body))
    return b"\x00" * 128 + b"DICM" + length + body
