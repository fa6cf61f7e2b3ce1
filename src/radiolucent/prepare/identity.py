"""Which instance this is: enough of a header to keep, find and route an image, without decoding anything else."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_file_meta_info
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
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
STUDY_KEYWORDS = (
    *("SpecificCharacterSet", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
    *("StudyDescription", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    *("StudyInstanceUID", "StudyID", "TimezoneOffsetFromUTC"),
)
INSTANCE_KEYWORDS = (
    *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "Modality", "Manufacturer", "SeriesDescription"),
    *("BodyPartExamined", "ProtocolName", "ViewPosition", "PatientAge", "SeriesInstanceUID", "SeriesNumber"),
    *("InstanceNumber", "NumberOfFrames", "Rows", "Columns", "BitsAllocated", "SeriesDate", "SeriesTime"),
    *("PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "StationName"),
)
STAT_PRIORITIES = frozenset(("STAT", "HIGH"))
IMPLEMENTATION = "RADIOLUCENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """An instance, identified, and the file it will be: ``head`` (preamble and file meta), then the dataset as sent."""

    received: Received
    head: bytes


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
        ``unreadable_header``, ``invalid_uid``, ``uid_mismatch``, ``truncated_file``, ``too_deeply_nested``.
    """
    header = _read(dataset, transfer_syntax_uid)
    uids = {name: _uid(header, name) for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")}
    stated_class = _uid(header, "SOPClassUID")
    for stated, found in ((sop_instance_uid, uids["SOPInstanceUID"]), (sop_class_uid, stated_class)):
        if stated is not None and stated != found:
            raise refused(
                "uid_mismatch",
                found="a request and a dataset that name different SOP Class or Instance UIDs",
                expected="the same in both (PS3.4 B.2.2.1)",
                action="Check what rewrites UIDs between the modality and here.",
            )
    digest = hashlib.sha256(transfer_syntax_uid.encode())
    digest.update(dataset)
    received = Received(
        sop_instance_uid=uids["SOPInstanceUID"],
        sop_class_uid=stated_class,
        transfer_syntax_uid=transfer_syntax_uid,
        study_instance_uid=uids["StudyInstanceUID"],
        series_instance_uid=uids["SeriesInstanceUID"],
        sha256=digest.hexdigest(),
        size_bytes=len(dataset),
        patient=patient_of(header),
        accession_number=_column(text(header, "AccessionNumber"), 64),
        study_header=_json(header, STUDY_KEYWORDS),
        instance_header=_json(header, INSTANCE_KEYWORDS),
        calling_ae=calling_ae[:16],
        peer=peer,
        expected_count=_expected(header),
        is_stat=(text(header, "RequestedProcedurePriority") or "").upper() in STAT_PRIORITIES,
    )
    return Identified(received=received, head=_head(received, implementation_class_uid))


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


def _json(header: Dataset, keywords: Sequence[str]) -> str:
    """DICOM JSON of some elements; what cannot be converted is left out."""
    out: dict[str, Any] = {}
    for keyword in keywords:
        if keyword not in header:
            continue
        element = tolerant(lambda keyword=keyword: header[keyword])  # type: ignore[misc]
        made = None if element is None else tolerant(lambda e=element: e.to_json_dict(None, 1024))  # type: ignore[misc]
        if element is not None and made is not None:
            out[f"{element.tag:08X}"] = made
    return json.dumps(out, ensure_ascii=False, separators=(",", ":"))


def _head(received: Received, implementation_class_uid: str) -> bytes:
    """An empty preamble and our own meta information: what the sender's would say of its software stays there."""
    with QUIET:  # a UID that was taken is written as it is, and not quoted in a warning
        return _file_head(received, implementation_class_uid)


def _file_head(received: Received, implementation_class_uid: str) -> bytes:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(received.sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(received.sop_instance_uid)
    meta.TransferSyntaxUID = UID(received.transfer_syntax_uid)
    meta.ImplementationClassUID = UID(implementation_class_uid)
    meta.ImplementationVersionName = IMPLEMENTATION
    out = io.BytesIO()
    out.write(b"\x00" * 128 + b"DICM")
    write_file_meta_info(cast(DicomIO, out), meta)
    return out.getvalue()
