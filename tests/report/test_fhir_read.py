"""Our own read interface: what it says it can do, it does; what it does not understand, it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fhir_cases import CONTEXT, OPTIONS, PATIENT, STUDY, check_legal, corrected, image, report, walk

from radiolucent.report.fhir import build_bundle, capability_statement, read, resources, search
from radiolucent.report.fhir.capability import SEARCH_PARAMETERS

BASE = "https://ai.example.org/fhir"
FIRST = build_bundle(report(), OPTIONS)
SECOND = build_bundle(corrected(), OPTIONS, earlier=[report()])
OTHER = build_bundle(
    report(
        report_id="o" * 32,
        images=(image(1, series="1.9.1"),),
        findings=(),
        status="nothing_found",
        context=replace(
            CONTEXT,
            study_instance_uid="1.9",
            patient=replace(PATIENT, patient_id="a,b|c"),
            started=datetime(2024, 6, 1, 23, 30, tzinfo=UTC),
        ),
    ),
    OPTIONS,
)


def found(kind: str, query: str, bundles: Any = (FIRST, OTHER)) -> list[dict[str, Any]]:
    answer = search(bundles, kind, parse_qsl(query, keep_blank_values=True), base_url=BASE)
    assert answer.status == 200, answer.body
    check_legal(answer.body)
    return [entry["resource"] for entry in answer.body.get("entry", [])]


def patient_id(number: int = 0) -> str:
    return str(found("Patient", "")[number]["id"])


def test_every_reference_of_a_stored_bundle_leads_to_a_resource() -> None:
    stored = resources(FIRST)
    names = {f"{r['resourceType']}/{r['id']}" for r in stored}
    references = {value for one in stored for key, value in walk(one) if key == "reference"}
    assert len(references) > 5
    assert references <= names
    for one in stored:
        check_legal(one)
        answer = read([FIRST], one["resourceType"], one["id"])
        assert (answer.status, answer.body) == (200, one)
        assert one["meta"]["lastUpdated"] == FIRST["timestamp"]


def test_splitting_leaves_the_stored_bundle_as_it_was() -> None:
    before = build_bundle(report(), OPTIONS)
    resources(FIRST)
    assert before == FIRST


def test_the_last_word_on_a_resource_counts() -> None:
    states = {o["code"]["text"]: o["status"] for o in found("Observation", "", [FIRST, SECOND])}
    assert states == {"Pneumothorax": "entered-in-error", "Effusion": "preliminary"}
    assert len(found("DiagnosticReport", "", [FIRST, SECOND])) == 1
    assert len(found("Provenance", "", [FIRST, SECOND])) == 2


@pytest.mark.parametrize(
    ("kind", "identity"),
    [("Patient", "x"), ("Patient", ""), ("DiagnosticReport", "patient"), ("Medication", "1"), ("Bundle", "1")],
)
def test_what_is_not_there_is_not_found(kind: str, identity: str) -> None:
    answer = read([FIRST], kind, patient_id() if identity == "patient" else identity)
    assert answer.status == 404
    check_legal(answer.body)


@pytest.mark.parametrize(
    ("kind", "query", "count"),
    [
        ("ImagingStudy", f"identifier=urn:dicom:uid|urn:oid:{STUDY}", 1),
        ("ImagingStudy", f"identifier=urn:oid:{STUDY}", 1),
        ("ImagingStudy", f"identifier=urn:other|urn:oid:{STUDY}", 0),
        ("ImagingStudy", "identifier=urn:dicom:uid|", 2),
        ("ImagingStudy", f"identifier=|urn:oid:{STUDY}", 0),
        ("ImagingStudy", "identifier=A-2024-1", 2),
        ("ImagingStudy", f"identifier=A-2024-1&identifier=urn:oid:{STUDY}", 1),
        ("ImagingStudy", "modality=DX", 2),
        ("Patient", "identifier=PID-4711", 1),
        ("Patient", "identifier=https://hospital.example.org/patient-id|PID-4711,nobody", 1),
        ("Patient", r"identifier=a\,b\|c", 1),
        ("Patient", "identifier=a", 0),
        ("DiagnosticReport", "status=preliminary", 2),
        ("DiagnosticReport", "status=final", 0),
        ("DiagnosticReport", "conclusion=nothing_found", 1),
        ("DiagnosticReport", "date=2024-05-17", 1),
        ("DiagnosticReport", "date=2024-06-01", 1),
        ("DiagnosticReport", "date=2024", 2),
        ("DiagnosticReport", "date=2024-05", 1),
        ("DiagnosticReport", "date=ne2024-05", 1),
        ("DiagnosticReport", "date=ge2024-05-17T07:30:00Z&date=lt2024-05-17T07:30:01Z", 1),
        ("DiagnosticReport", "date=gt2024-05-17T09:30:00.000%2B02:00", 1),
        ("DiagnosticReport", "date=ge2024-05-17T09:30:00.000%2B02:00", 2),
        ("DiagnosticReport", "date=le2024-05-17T09:30:00.000%2B02:00", 1),
        ("DiagnosticReport", "date=eb2024-06", 1),
        ("DiagnosticReport", "date=sa2024-05", 1),
        ("DiagnosticReport", "date=2024-05-17,2024-06-01", 2),
        ("DiagnosticReport", "issued=2024-05-17T08:00:05.250Z", 2),
        ("Observation", "code=http://snomed.info/sct|36118008", 1),
        ("Observation", "_format=json", 2),
        ("Device", "identifier=urn:dicom:uid|urn:oid:2.25.7", 1),
    ],
)
def test_searches(kind: str, query: str, count: int) -> None:
    assert len(found(kind, query)) == count


def test_search_by_patient_in_each_way_to_write_a_reference() -> None:
    one = patient_id()
    for value in (one, f"Patient/{one}", f"{BASE}/Patient/{one}"):
        assert len(found("DiagnosticReport", f"patient={value}")) == 1
        assert len(found("Observation", f"patient={value}")) == 2
    assert found("DiagnosticReport", f"patient=Device/{one}") == []
    assert found("DiagnosticReport", f"patient=https://elsewhere.example.org/Patient/{one}") == []
    assert found("Observation", f"_id={one}") == []
    diagnostic = found("DiagnosticReport", f"patient={one}")[0]["id"]
    assert len(found("Provenance", f"target=DiagnosticReport/{diagnostic}")) == 1


def test_pages_follow_each_other_and_cover_everything_once() -> None:
    seen: list[str] = []
    pages = 0
    bundles = [FIRST, SECOND, OTHER]
    whole = [o["id"] for o in found("Provenance", "", bundles)]
    parameters = [("_count", "2")]
    while True:
        answer = search(bundles, "Provenance", parameters, base_url=BASE)
        seen += [entry["resource"]["id"] for entry in answer.body["entry"]]
        assert answer.body["total"] == len(whole)
        pages += 1
        following = [link["url"] for link in answer.body["link"] if link["relation"] == "next"]
        if not following:
            break
        parameters = parse_qsl(urlsplit(following[0]).query)
    assert pages > 1
    assert seen == whole
    back = [link["url"] for link in answer.body["link"] if link["relation"] == "previous"]
    assert dict(parse_qsl(urlsplit(back[0]).query))["_offset"] == "0"


def test_a_next_page_keeps_the_conditions() -> None:
    answer = search([FIRST], "Observation", [("code", "36118008,60046008"), ("_count", "1")], base_url=BASE)
    query = parse_qsl(urlsplit(answer.body["link"][1]["url"]).query)
    assert query == [("code", "36118008,60046008"), ("_count", "1"), ("_offset", "1")]


def test_a_count_of_none_gives_the_total_alone() -> None:
    answer = search([FIRST], "Observation", [("_count", "0")], base_url=BASE)
    assert answer.body["total"] == 2
    assert "entry" not in answer.body
    assert [link["relation"] for link in answer.body["link"]] == ["self"]
    check_legal(answer.body)


@pytest.mark.parametrize(
    ("kind", "name", "value", "status"),
    [
        ("Patient", "name", "SECRET", 400),
        ("Patient", "_sort", "SECRET", 400),
        ("Patient", "identifier:not", "SECRET", 400),
        ("Observation", "patient.identifier", "SECRET", 400),
        ("Observation", "date", "SECRET", 400),
        ("Observation", "date", "2024-13", 400),
        ("Observation", "date", "9999", 400),
        ("Observation", "date", "ap2024", 400),
        ("Observation", "date", "", 400),
        ("Observation", "code", ",", 400),
        ("Observation", "_count", "-1", 400),
        ("Observation", "_count", "SECRET", 400),
        ("Observation", "_offset", "\u0661", 400),
        ("Observation", "_format", "xml", 400),
        ("Medication", "code", "SECRET", 404),
    ],
)
@pytest.mark.parametrize("bundles", [(), (FIRST,)], ids=["empty", "stored"])
def test_what_is_not_understood_is_said(kind: str, name: str, value: str, status: int, bundles: Any) -> None:
    answer = search(bundles, kind, [(name, value)], base_url=BASE)
    assert answer.status == status
    assert answer.body["resourceType"] == "OperationOutcome"
    assert "SECRET" not in str(answer.body)
    check_legal(answer.body)


def test_the_capability_statement_tells_what_search_does() -> None:
    statement = capability_statement(software_version="0.3.0", base_url=BASE, now=datetime(2024, 1, 1, tzinfo=UTC))
    check_legal(statement)
    offered = {r["type"]: [p["name"] for p in r["searchParam"]] for r in statement["rest"][0]["resource"]}
    assert offered == {kind: [p.name for p in ps] for kind, ps in SEARCH_PARAMETERS.items()}
    written = {r["resourceType"] for b in (FIRST, SECOND) for r in (e["resource"] for e in b["entry"])}
    assert written == set(offered)
    for kind, names in offered.items():
        for name in names:
            parameter = next(p for p in SEARCH_PARAMETERS[kind] if p.name == name)
            value = "2024" if parameter.kind == "date" else "x"
            assert search([FIRST], kind, [(name, value)], base_url=BASE).status == 200


def test_every_parameter_looks_where_something_is_written() -> None:
    """A path with a slip of the pen would find nothing and say nothing."""
    stored = [r for b in (FIRST, SECOND) for r in resources(b)]
    for kind, parameters in SEARCH_PARAMETERS.items():
        for parameter in parameters:
            first = parameter.paths[0].split(".")[0]
            assert any(first in r for r in stored if r["resourceType"] == kind), (kind, parameter.name)


def test_the_specification_lists_every_search_parameter() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "fhir.md").read_text(encoding="utf-8")
    for kind, parameters in SEARCH_PARAMETERS.items():
        assert f"| {kind} | {', '.join(f'`{p.name}`' for p in parameters)} |" in page
