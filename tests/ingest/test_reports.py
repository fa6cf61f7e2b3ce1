"""Coded reports as hospitals send them, and as we send them ourselves."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fhir_cases
import hl7_cases
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiolucent.errors import InputRefused
from radiolucent.ingest.fhir_reports import read_documents
from radiolucent.ingest.hl7_reports import read_oru
from radiolucent.ingest.reports import is_reports, read_reports
from radiolucent.records.engine import Code
from radiolucent.records.reported import Reported
from radiolucent.records.study import Assessed, PersonFinding, StudyReport, Verification
from radiolucent.report.fhir import build_bundle
from radiolucent.report.hl7 import Hl7Route, build_oru

WORDS = (
    *("id", "status", "code", "coding", "system", "value", "identifier", "type", "result", "reference", "entry"),
    *("resource", "contained", "conclusionCode", "component", "valueCodeableConcept", "valueBoolean", "interpretation"),
    *("imagingStudy", "basedOn", "derivedFrom", "issued", "meta", "fullUrl"),
)
PNEUMOTHORAX, EFFUSION, NODULE = "SCT 36118008", "SCT 60046008", "SCT 27925004"
SIGNED = Verification(
    decision_id="cd" * 16,
    reader_name="anna",
    reader_display="Anna",
    organization="H",
    signed_at=datetime(2025, 3, 1, 11, tzinfo=UTC),
    outcome="modified",
    comment="",
    is_final=True,
    was_final=False,
)
ROUTE = Hl7Route(
    destination="ehr",
    sending_application="RADIOLUCENT",
    sending_facility="RADIOLOGY",
    receiving_application="EHR",
    receiving_facility="HOSPITAL",
)


def said(report: Reported) -> dict[str, bool | None]:
    return {f"{code.scheme} {code.value}": s.is_present for s in report.statements for code in s.codes}


def signed(report: StudyReport) -> StudyReport:
    """The first finding stands, the second was rejected, the third the engine did not call; one was added."""
    first, second, *rest = report.findings
    no = Assessed(assessment="rejected", reason=None, comment="", changed=None)
    missed = PersonFinding(
        key="mass",
        display="Mass",
        code=Code(scheme="SCT", value="309529002", meaning="Lung mass"),
        confidence=None,
        comment="",
        regions=(),
    )
    return replace(
        report,
        findings=(first, replace(second, positive=True, assessed=no), *rest),
        verification=SIGNED,
        added=(missed,),
    )


def oru(*results: str, status: str = "F", time: str = "20260301120000", more: tuple[str, ...] = ()) -> bytes:
    return hl7_cases.er7(
        hl7_cases.msh("ORU^R01^ORU_R01"),
        hl7_cases.PID,
        *more,
        f"OBR|1|PL1|FI1|36643-5^XR Chest 2 Views^LN||||||||||||||ACC1||||{time}||RAD|{status}",
        *results,
    )


def test_what_we_send_signed_is_read_back() -> None:
    (found,) = read_oru(build_oru(signed(hl7_cases.POSITIVE), ROUTE).payload)
    assert (found.standing, found.study_instance_uids, found.accession_numbers) == ("final", ("1.2.3.4",), ("ACC1",))
    assert found.at == "20250301102105"
    assert said(found) == {PNEUMOTHORAX: True, EFFUSION: False, NODULE: False, "SCT 309529002": True}


def test_what_no_person_finalised_and_what_was_taken_back_are_told_apart() -> None:
    (open_one,) = read_oru(build_oru(hl7_cases.POSITIVE, ROUTE).payload)
    assert (open_one.standing, open_one.statements) == ("open", ())
    (back,) = read_oru(build_oru(replace(hl7_cases.POSITIVE, state="retracted"), ROUTE).payload)
    assert back.standing == "withdrawn"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("OBX|1|CWE|36118008^Pneumothorax^SCT||272519000^Absent^SCT||||||F", {PNEUMOTHORAX: False}),
        ("OBX|1|CWE|36118008^Pneumothorax^SCT||LA9633-4^Present^LN||||||F", {PNEUMOTHORAX: True}),
        ("OBX|1|CE|PTX^Pneumothorax^99HOUSE||Y^^HL70136||||||F", {"99HOUSE PTX": True}),
        ("OBX|1|CWE|59776-5^Procedure findings^LN||36118008^Pneumothorax^SNOMED-CT||||||F", {PNEUMOTHORAX: True}),
        (
            "OBX|1|CWE|59776-5^Findings^LN||RID5352^pneumothorax^RADLEX^J93.9^^I10~60046008^^2.16.840.1.113883.6.96||||||F",
            {"RADLEX RID5352": True, "I10 J93.9": True, EFFUSION: True},
        ),
        ("OBX|1|ST|36118008^Pneumothorax^SCT||||NEG|||F", {}),
        ("OBX|1|ST|36118008^Pneumothorax^SCT|||||NEG|||F", {PNEUMOTHORAX: False}),
        ("OBX|1|TX|18782-3^Study^LN||No pneumothorax.||||||F", {}),
        ("OBX|1|CWE|36118008^Pneumothorax^SCT||52101004^Present^SCT||||||P", {}),
        ("OBX|1|CWE|59776-5^Findings^LN||pneumothorax||||||F", {}),
    ],
)
def test_coded_results(result: str, expected: dict[str, bool]) -> None:
    (found,) = read_oru(oru(result))
    assert (found.standing, said(found)) == ("final", expected)


def test_many_messages_in_a_file_framed_or_in_a_batch() -> None:
    present, absent = "OBX|1|CWE|36118008^^SCT||52101004^^SCT||||||F", "OBX|1|CWE|36118008^^SCT||272519000^^SCT||||||C"
    one, two = oru(present), oru(absent, status="C", time="20260302")
    for content in (one + two, b"\x0b" + one + b"\x1c\r\x0b" + two + b"\x1c\r", b"FHS|^~\\&\rBHS|^~\\&\r" + one + two):
        found = list(read_oru(content + hl7_cases.a08()))
        assert [each.at for each in found] == ["20260301120000", "20260302000000"]
        assert [said(each)[PNEUMOTHORAX] for each in found] == [True, False]


def test_the_study_stands_in_its_own_result_or_in_a_zds() -> None:
    (by_result,) = read_oru(oru("OBX|1|ST|113014^DICOM Study^DCM||1.2.9||||||F"))
    (by_zds,) = read_oru(oru("ZDS|1.2.9^100^Application^DICOM"))
    assert by_result.study_instance_uids == by_zds.study_instance_uids == ("1.2.9",)


def test_damaged_messages_are_refused_without_a_word_of_them() -> None:
    with pytest.raises(InputRefused) as raised:
        list(
            read_oru(b"MSH|^~\\&|" + hl7_cases.MARKER.encode() + b"||||||ORU^R01|1|P|2.5.1\rOBR|1\rOBX|1|CE|\x01^x^SCT")
        )
    assert hl7_cases.MARKER not in str(raised.value)


# --- FHIR ---


def test_what_we_send_signed_as_fhir_is_read_back() -> None:
    bundle = build_bundle(signed(fhir_cases.report()), fhir_cases.OPTIONS)
    (found, *others) = read_documents([bundle])
    assert (found.standing, found.study_instance_uids) == ("final", (fhir_cases.STUDY,))
    assert "A-2024-1" in found.accession_numbers
    assert said(found) == {PNEUMOTHORAX: True, EFFUSION: False, "SCT 309529002": True}
    assert others == []


def test_fhir_that_is_preliminary_or_taken_back() -> None:
    (preliminary, *_) = read_documents([build_bundle(fhir_cases.report(), fhir_cases.OPTIONS)])
    assert (preliminary.standing, preliminary.statements) == ("open", ())
    (back, *_) = read_documents([build_bundle(fhir_cases.retracted(), fhir_cases.OPTIONS)])
    assert (back.standing, back.statements) == ("withdrawn", ())


def concept(*codes: tuple[str, str]) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code} for system, code in codes]}


SNOMED = "http://snomed.info/sct"
STUDY = {"identifier": {"system": "urn:dicom:uid", "value": "urn:oid:1.2.9"}}
ACCESSION = {"type": {"coding": [{"code": "ACSN"}]}, "value": "ACC9"}


def observation(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": "o1", "status": "final", "code": concept((SNOMED, "36118008"))} | more


def diagnostic(**more: Any) -> dict[str, Any]:
    base = {"resourceType": "DiagnosticReport", "id": "d1", "status": "final", "imagingStudy": [STUDY]}
    return base | {"issued": "2026-03-01T12:00:00+01:00"} | more


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"valueCodeableConcept": concept((SNOMED, "2667000"))}, {PNEUMOTHORAX: False}),
        ({"valueBoolean": True}, {PNEUMOTHORAX: True}),
        ({"interpretation": [concept(("x", "NEG"))]}, {PNEUMOTHORAX: False}),
        ({"dataAbsentReason": concept(("x", "unknown"))}, {}),
        ({"valueString": "present"}, {}),
        ({"code": concept(("http://loinc.org", "59776-5")), "valueCodeableConcept": concept((SNOMED, "60046008"))},
         {EFFUSION: True}),
        ({"status": "preliminary", "valueBoolean": True}, {}),
        ({"code": concept(("http://loinc.org", "59776-5")), "component": [
            {"code": concept((SNOMED, "36118008")), "valueBoolean": False},
            {"code": concept((SNOMED, "60046008")), "valueCodeableConcept": concept((SNOMED, "52101004"))},
            {"code": concept(("http://dicom.nema.org/resources/ontology/DCM", "111012")),
             "valueCodeableConcept": concept((SNOMED, "75540009"))},
        ]}, {PNEUMOTHORAX: False, EFFUSION: True}),
    ],
)  # fmt: skip
def test_observations_of_a_report(more: dict[str, Any], expected: dict[str, bool]) -> None:
    report = diagnostic(result=[{"reference": "Observation/o1"}], identifier=[ACCESSION])
    (found,) = read_documents([report, observation(**more)])
    assert (found.study_instance_uids, found.accession_numbers, found.at) == (("1.2.9",), ("ACC9",), "20260301120000")
    assert said(found) == expected


def test_conclusion_codes_are_present_and_outcomes_of_a_reading_are_none() -> None:
    outcome = concept(
        ("urn:radiolucent:code:study-status", "positive"), ("http://dicom.nema.org/resources/ontology/DCM", "111242")
    )
    (found,) = read_documents([diagnostic(conclusionCode=[concept((SNOMED, "36118008")), outcome])])
    assert said(found) == {PNEUMOTHORAX: True}


def test_orders_contained_and_referred_to_name_the_study() -> None:
    order = {"resourceType": "ServiceRequest", "id": "s1", "identifier": [ACCESSION]}
    inside = observation(id="in", valueBoolean=True)
    report = diagnostic(imagingStudy=[], basedOn=[{"reference": "https://ehr.example/fhir/ServiceRequest/s1"}])
    (found,) = read_documents([report | {"contained": [inside], "result": [{"reference": "#in"}]}, order])
    assert (found.accession_numbers, said(found)) == (("ACC9",), {PNEUMOTHORAX: True})


def test_an_observation_of_its_own_is_a_report() -> None:
    (found,) = read_documents([observation(derivedFrom=[STUDY], valueBoolean=False)])
    assert (found.study_instance_uids, said(found)) == (("1.2.9",), {PNEUMOTHORAX: False})


@pytest.mark.parametrize("odd", [None, 3, [], {"resourceType": "Bundle", "entry": [3, {"resource": None}]},
                                 diagnostic(result=3, conclusionCode="x", identifier=[3], imagingStudy=["x"]),
                                 diagnostic(status=["final"]),
                                 {"resourceType": "Observation", "code": [], "valueCodeableConcept": 3}])  # fmt: skip
def test_ill_shaped_documents_never_crash(odd: Any) -> None:
    for found in read_documents([odd]):
        assert found.statements == ()


# --- files ---


def test_files_are_told_apart_by_what_they_hold(tmp_path: Path) -> None:
    table, message, bundle, lines = (tmp_path / name for name in ("t.csv", "a.hl7", "b.json", "c.ndjson"))
    table.write_text("image,bright\na,1\n")
    message.write_bytes(b"\x0b" + oru("OBX|1|CWE|36118008^^SCT||52101004^^SCT||||||F"))
    bundle.write_text(json.dumps(build_bundle(signed(fhir_cases.report()), fhir_cases.OPTIONS)))
    lines.write_text(
        "\n".join(
            json.dumps(each)
            for each in (diagnostic(result=[{"reference": "Observation/o1"}]), observation(valueBoolean=True))
        )
    )
    assert [is_reports(path) for path in (table, message, bundle, lines, tmp_path)] == [False, True, True, True, True]
    table.unlink()
    found = list(read_reports(tmp_path))
    assert [each.study_instance_uids for each in found] == [(), (fhir_cases.STUDY,), ("1.2.9",)]
    assert said(found[2]) == {PNEUMOTHORAX: True}


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    for name, content in (("x.txt", b"hello"), ("y.json", b'{"resourceType": ')):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputRefused, match=name) as raised:
            list(read_reports(tmp_path / name))
        assert raised.value.code == "report_unreadable"


# --- whatever somebody sends ---

WHOLE = build_oru(signed(hl7_cases.POSITIVE), ROUTE).payload
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from(["", "x", "final", "Bundle", "#in", "urn:dicom:uid"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@given(st.data())
def test_any_damage_to_a_message_is_read_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        if data.draw(st.booleans()):
            damaged[at] = data.draw(st.integers(0, 255))
        else:
            del damaged[at : at + data.draw(st.integers(1, 20))]
            damaged = damaged or bytearray(b"M")
    with contextlib.suppress(InputRefused):
        for found in read_oru(bytes(damaged)):
            assert all(said.codes for said in found.statements)


RESOURCES = st.dictionaries(st.sampled_from(WORDS), JSON, max_size=8)
KINDS = st.sampled_from(["DiagnosticReport", "Observation", "Bundle"])


@settings(max_examples=60)
@given(st.lists(st.tuples(KINDS, RESOURCES), max_size=3))
def test_any_json_is_read(documents: list[tuple[str, dict[str, Any]]]) -> None:
    for found in read_documents([more | {"resourceType": kind} for kind, more in documents]):
        assert all(said.codes for said in found.statements)
