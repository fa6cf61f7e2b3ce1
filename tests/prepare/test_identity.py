"""Which instance this is, out of any bytes whatever: known, or refused, and never anything else."""

from __future__ import annotations

import io
import json
import zlib

import pytest
from dicom_factory import CR, MARKER_NAME, cr, lit
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from radiolucent.errors import InputRefused
from radiolucent.prepare import identity
from radiolucent.prepare.identity import Identified, identify, split_part10
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID

SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


def encoded(source: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    out = io.BytesIO()
    file = DicomIO(out)
    file.is_implicit_VR, file.is_little_endian = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    write_dataset(file, source)
    if syntax != DeflatedExplicitVRLittleEndian:
        return out.getvalue()
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(out.getvalue()) + packer.flush()


def identified(data: bytes, syntax: str = ExplicitVRLittleEndian, **stated: str) -> Identified:
    return identify(
        data,
        transfer_syntax_uid=syntax,
        calling_ae="MODALITY",
        peer="10.0.0.7",
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        **stated,
    )


def film(**changes: object) -> Dataset:
    return cr(lit(16, 16, at=(0, 0), side=4), **changes)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_same_is_known_in_every_encoding(syntax: str) -> None:
    source = film(IssuerOfPatientID="HOSP", NumberOfStudyRelatedInstances="3", RequestedProcedurePriority="STAT")
    data = encoded(source, syntax)
    found = identified(data, syntax).received
    assert found.sop_instance_uid == source.SOPInstanceUID
    assert found.study_instance_uid == source.StudyInstanceUID
    assert found.series_instance_uid == source.SeriesInstanceUID
    assert (found.sop_class_uid, found.transfer_syntax_uid) == (CR, syntax)
    assert (found.patient.name, found.patient.patient_id, found.patient.issuer) == (MARKER_NAME, "MARKER-ID-77", "HOSP")
    assert (found.patient.birth_date, found.patient.sex, found.accession_number) == ("19600102", "F", "ACC1")
    assert (found.expected_count, found.is_stat) == (3, True)
    assert (found.size_bytes, found.calling_ae, found.peer) == (len(data), "MODALITY", "10.0.0.7")
    assert json.loads(found.study_header)["00100020"] == {"vr": "LO", "Value": ["MARKER-ID-77"]}
    assert json.loads(found.instance_header)["00280010"] == {"vr": "US", "Value": [16]}
    assert "00100010" not in json.loads(found.instance_header)


def test_the_hash_is_of_content_and_encoding_alone() -> None:
    source = film()
    one = identified(encoded(source)).received
    again = identified(encoded(source), sop_class_uid=CR, sop_instance_uid=source.SOPInstanceUID).received
    assert one == again
    assert identified(encoded(source, ImplicitVRLittleEndian), ImplicitVRLittleEndian).received.sha256 != one.sha256
    assert identified(encoded(film(SOPInstanceUID=source.SOPInstanceUID))).received.sha256 != one.sha256
    # The same bytes under another name of their encoding are another content.
    assert identified(encoded(source), "1.2.840.10008.1.2.4.50").received.sha256 != one.sha256


def test_head_and_dataset_make_a_file() -> None:
    source = film()
    data = encoded(source)
    whole = identified(data).head + data
    assert whole[:132] == b"\x00" * 128 + b"DICM"
    read = dcmread(io.BytesIO(whole))
    assert read.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert read.file_meta.MediaStorageSOPClassUID == CR
    assert read.pixel_array[0, 0] == 4000
    dataset, syntax = split_part10(whole)
    assert (bytes(dataset), syntax) == (data, ExplicitVRLittleEndian)


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ({"sop_instance_uid": "1.2.3"}, "uid_mismatch"),
        ({"sop_class_uid": "1.2.3"}, "uid_mismatch"),
        ({"sop_instance_uid": "../../x"}, "uid_mismatch"),
    ],
)
def test_request_and_dataset_must_agree(stated: dict[str, str], code: str) -> None:
    with pytest.raises(InputRefused) as error:
        identified(encoded(film()), **stated)
    assert error.value.code == code


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID"])
@pytest.mark.parametrize(
    "evil", [b"../../../../x", b"", b"1." + b"2" * 63, b"1.2.3\\4.5", b"1..2", b"1.2\n3", b"/etc/passwd"]
)
def test_uids_that_are_none(keyword: str, evil: bytes) -> None:
    source = film()
    setattr(source, keyword, "1.2.3.4.5.6")
    data = encoded(source)
    at = data.index(b"1.2.3.4.5.6\x00")
    padded = evil + b"\x00" * (len(evil) % 2)
    changed = data[: at - 2] + len(padded).to_bytes(2, "little") + padded + data[at + 12 :]
    with pytest.raises(InputRefused) as error:
        identified(changed)
    assert error.value.code == "invalid_uid"
    assert "passwd" not in str(error.value)


@pytest.mark.parametrize(("said", "expected"), [("0", None), ("-4", None), ("2147483648", None), ("7", 7), ("", None)])
def test_a_number_of_instances_that_cannot_be_is_none(said: str, expected: int | None) -> None:
    assert identified(encoded(film(NumberOfStudyRelatedInstances=said))).received.expected_count == expected


@pytest.mark.parametrize(
    ("said", "is_stat"), [("STAT", True), ("HIGH", True), ("stat", True), ("ROUTINE", False), ("", False)]
)
def test_urgency(said: str, is_stat: bool) -> None:
    source = film()
    data = encoded(source)
    element = bytes.fromhex("40000310") + b"SH" + (8).to_bytes(2, "little") + said.ljust(8).encode()
    at = data.index(bytes.fromhex("E07F1000"))
    assert identified(data[:at] + element + data[at:]).received.is_stat == is_stat


def test_an_issuer_may_stand_in_its_qualifiers() -> None:
    source = film()
    item = Dataset()
    item.UniversalEntityID, item.UniversalEntityIDType = "2.16.840.1.1", "ISO"
    source.IssuerOfPatientIDQualifiersSequence = [item]
    assert identified(encoded(source)).received.patient.issuer == "2.16.840.1.1"


def test_nothing_a_database_cannot_hold() -> None:
    source = film(AccessionNumber="A\0B", PatientID="P" * 30 + "\0" + "Q" * 33)
    found = identified(encoded(source)).received
    assert found.accession_number == "AB"
    assert found.patient.patient_id == "P" * 30 + "Q" * 33


def test_names_in_other_scripts() -> None:
    source = film(SpecificCharacterSet="ISO_IR 192", PatientName="Müller^Jürgen=山田^太郎")
    found = identified(encoded(source)).received
    assert found.patient.name == "Müller^Jürgen=山田^太郎"
    assert json.loads(found.study_header)["00100010"]["Value"] == [
        {"Alphabetic": "Müller^Jürgen", "Ideographic": "山田^太郎"}
    ]


def test_what_is_remembered_of_one_image_is_said_of_no_other() -> None:
    """The same bytes of a name in two character sets, and elements that differ while others stay."""
    source = film(SeriesDescription="\xc4rger")
    names = {}
    for said in ("ISO_IR 100", "ISO_IR 144", "ISO_IR 100"):
        source.SpecificCharacterSet = "ISO_IR 100"
        data = encoded(source).replace(b"ISO_IR 100", said.encode())
        found = json.loads(identified(data).received.instance_header)
        names.setdefault(said, []).append(found["0008103E"]["Value"][0])
    assert names == {"ISO_IR 100": ["\xc4rger"] * 2, "ISO_IR 144": ["\u0424rger"]}
    source = film(SpecificCharacterSet="ISO_IR 100")
    first = identified(encoded(source)).received
    source.PatientID, source.NumberOfStudyRelatedInstances, source.InstanceNumber = "OTHER", 7, 9
    other = identified(encoded(source)).received
    assert (first.patient.patient_id, other.patient.patient_id) == ("MARKER-ID-77", "OTHER")
    assert (first.expected_count, other.expected_count) == (None, 7)
    assert json.loads(other.study_header)["00100020"]["Value"] == ["OTHER"]
    assert json.loads(other.instance_header)["00200013"]["Value"] == [9]


def test_an_uid_with_leading_zeros_is_taken_as_it_is() -> None:
    source = film()
    data = encoded(source).replace(source.SOPInstanceUID.encode(), b"1.02.003".ljust(len(source.SOPInstanceUID), b"\0"))
    found = identified(data)
    assert found.received.sop_instance_uid == "1.02.003"
    assert b"1.02.003" in found.head


def test_a_header_that_ends_before_its_own_lengths() -> None:
    data = encoded(film())
    with pytest.raises(InputRefused, match=r"truncated_file|unreadable_header"):
        identified(data[: data.index(b"MARKER-ID") + 3])


@pytest.mark.parametrize("garbage", [b"not deflate at all", b"", b"\x00" * 10])
def test_a_deflated_dataset_that_is_none(garbage: bytes) -> None:
    with pytest.raises(InputRefused):
        identified(garbage, DeflatedExplicitVRLittleEndian)


def test_a_bomb_is_unpacked_only_as_far_as_a_header_may_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "INFLATED_BYTES", 100_000)
    source = film(PixelData=bytes(50_000_000))
    data = encoded(source, DeflatedExplicitVRLittleEndian)
    assert len(data) < 100_000
    assert identified(data, DeflatedExplicitVRLittleEndian).received.sop_instance_uid == source.SOPInstanceUID
    late = film()
    late.add_new(0x00091010, "OB", bytes(200_000))
    with pytest.raises(InputRefused, match="truncated_file"):
        identified(encoded(late, DeflatedExplicitVRLittleEndian), DeflatedExplicitVRLittleEndian)


def test_sequences_within_sequences() -> None:
    depth = (bytes.fromhex("08001011") + b"SQ\0\0\xff\xff\xff\xff" + bytes.fromhex("FEFF00E0FFFFFFFF")) * 3000
    data = encoded(film())
    at = data.index(bytes.fromhex("10001000"))
    with pytest.raises(InputRefused):
        identified(data[:at] + depth + data[at:])


@pytest.mark.parametrize("data", [b"", b"DICM", b"\x00" * 132, b"\x00" * 128 + b"DICM", b"<html>" * 50])
def test_files_that_are_no_dicom(data: bytes) -> None:
    with pytest.raises(InputRefused, match=r"not_dicom|unreadable_header"):
        split_part10(data)


REAL = encoded(film(NumberOfStudyRelatedInstances="3"))[:700]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(REAL)
    for at, by in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.binary(max_size=6)), max_size=8)):
        data[at : at + draw(st.integers(0, 6))] = by
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


@settings(max_examples=400)
@example(data=b"", syntax=DeflatedExplicitVRLittleEndian)
@example(
    data=REAL.replace(b"\x90\x00PN", b"\x90\x00P\xe4"), syntax=ExplicitVRLittleEndian
)  # an empty value of no known VR
@given(data=mutated() | st.binary(max_size=300), syntax=st.sampled_from(SYNTAXES))
def test_any_bytes_are_known_or_refused(data: bytes, syntax: str) -> None:
    try:
        found, told = identified(data, syntax), ""
    except InputRefused as refused:
        found, told = None, str(refused)
    if found is None:
        assert "MARKER" not in told
        assert "Marker" not in told
        return
    received = found.received
    for uid in (received.sop_instance_uid, received.study_instance_uid, received.series_instance_uid):
        assert uid.replace(".", "").isdigit()
        assert len(uid) <= 64
    for text in (received.study_header, received.instance_header):
        json.loads(text.encode("utf-8"))
    for text in (received.patient.patient_id, received.patient.issuer, received.accession_number):
        assert "\0" not in text
        text.encode("utf-8")


@settings(max_examples=200)
@given(data=st.binary(max_size=300) | mutated().map(lambda data: bytes(128) + b"DICM" + data))
def test_any_file_is_split_or_refused(data: bytes) -> None:
    try:
        dataset, syntax = split_part10(data)
    except InputRefused:
        return
    assert data.endswith(bytes(dataset))
    assert syntax.replace(".", "").isdigit()
