"""Study reports as R4 transactions: legal, complete, and never more than was said."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fhir_cases import (
    CONTEXT,
    ENGINE,
    EVERY,
    OPTIONS,
    ORDER,
    PATIENT,
    STUDY,
    check_legal,
    corrected,
    finding,
    image,
    nothing_found,
    only,
    refused,
    report,
    resources,
    retracted,
    walk,
)

from radiolucent.errors import InvariantBroken
from radiolucent.records.engine import Code
from radiolucent.records.result import Reason
from radiolucent.records.study import Patient
from radiolucent.report.fhir import FhirOptions, build_bundle

GOLDEN = Path(__file__).with_name("golden")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "fhir.md"


def text_of(bundle: dict) -> str:
    return json.dumps(bundle, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", EVERY)
def test_every_report_is_a_legal_transaction(name: str) -> None:
    bundle = build_bundle(EVERY[name](), OPTIONS, earlier=[report()])
    check_legal(bundle)
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    for entry in bundle["entry"]:
        check_legal(entry["resource"])
    references = [value for key, value in walk(bundle) if key == "reference"]
    assert references
    assert [r for r in references if r not in urls] == []


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_ever_final(name: str) -> None:
    bundle = build_bundle(EVERY[name](), OPTIONS, earlier=[report()])
    allowed = {"preliminary", "entered-in-error"}
    for kind in ("DiagnosticReport", "Observation"):
        assert {r["status"] for r in resources(bundle, kind)} <= allowed


@pytest.mark.parametrize("name", EVERY)
def test_what_a_machine_asserts_is_labelled(name: str) -> None:
    bundle = build_bundle(EVERY[name](), OPTIONS, earlier=[report()])
    explanations = [m for m in resources(bundle, "Media") if "device" in m or m["status"] == "entered-in-error"]
    asserted = [only(bundle, "DiagnosticReport"), *resources(bundle, "Observation"), *explanations]
    labels = [label["code"] for r in asserted for label in r["meta"]["security"]]
    assert labels == ["AIAST"] * len(asserted)
    urls = {e["fullUrl"]: e["resource"] for e in bundle["entry"]}
    provenance = only(bundle, "Provenance")
    targets = [urls[t["reference"]] for t in provenance["target"]]
    assert sorted(map(id, targets)) == sorted(map(id, asserted))
    for agent in provenance["agent"]:
        assert urls[agent["who"]["reference"]]["resourceType"] == "Device"


def test_golden() -> None:
    written = text_of(build_bundle(report(), OPTIONS))
    golden = GOLDEN / "fhir_bundle.json"
    if os.environ.get("WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(written, encoding="utf-8")
    assert written == golden.read_text(encoding="utf-8")


def test_the_example_of_the_specification_is_what_the_code_makes() -> None:
    shown = re.search(r"<!-- example -->\n```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert shown
    small = report(
        findings=(finding(),),
        context=replace(CONTEXT, order=None),
        images=(image(1),),
        impression="Pneumothorax likely.",
    )
    assert shown.group(1) == text_of(build_bundle(small, OPTIONS))


def test_the_specification_names_every_system_of_ours() -> None:
    page = PAGE.read_text(encoding="utf-8")
    bundle = json.dumps([build_bundle(make(), OPTIONS, earlier=[report()]) for make in EVERY.values()])
    ours = set(re.findall(r"urn:radiolucent:[a-z:-]+[a-z]", bundle))
    assert len(ours) >= 8
    assert [system for system in sorted(ours) if f"`{system}`" not in page] == []


def test_the_same_report_gives_the_same_bundle() -> None:
    assert text_of(build_bundle(report(), OPTIONS)) == text_of(build_bundle(report(), OPTIONS))


def test_a_finding_says_what_was_found() -> None:
    bundle = build_bundle(report(), OPTIONS)
    positive, negative = resources(bundle, "Observation")
    assert positive["code"]["coding"] == [
        {"system": "http://snomed.info/sct", "code": "36118008", "display": "Pneumothorax"}
    ]
    assert positive["valueCodeableConcept"]["coding"][0]["code"] == "52101004"
    assert [i["coding"][0]["code"] for i in positive["interpretation"]] == ["POS", "AA"]
    probability, threshold, confidence, share = positive["component"]
    assert probability["valueQuantity"]["value"] == 0.8125
    assert threshold["valueQuantity"]["value"] == 0.375
    assert confidence["valueCodeableConcept"]["text"] == "high"
    assert share["valueQuantity"]["value"] == 0.9375
    assert positive["bodySite"] == {"text": "left upper zone"}
    assert [n["text"] for n in positive["note"]] == ["far above its threshold", "Flags: near_image_edge"]
    assert negative["valueCodeableConcept"]["coding"][0]["code"] == "272519000"
    assert [i["coding"][0]["code"] for i in negative["interpretation"]] == ["NEG"]
    assert len(negative["derivedFrom"]) == 1  # the study: a negative finding shows no image


def test_the_report_lists_findings_most_critical_first() -> None:
    bundle = build_bundle(report(), OPTIONS)
    urls = {e["fullUrl"]: e["resource"] for e in bundle["entry"]}
    listed = [urls[r["reference"]]["code"]["text"] for r in only(bundle, "DiagnosticReport")["result"]]
    assert listed == ["Pneumothorax", "Effusion"]


def test_a_visual_explanation_can_be_reached_and_fetched() -> None:
    bundle = build_bundle(report(), OPTIONS)
    urls = {e["fullUrl"]: e["resource"] for e in bundle["entry"]}
    explanation, key_image = (urls[m["link"]["reference"]] for m in only(bundle, "DiagnosticReport")["media"])
    assert explanation["reasonCode"][0]["coding"][0]["code"] == "130401"
    assert explanation["content"]["url"] == (
        f"https://pacs.example.org/dicom-web/studies/{STUDY}/series/2.25.99/instances/2.25.99.1"
    )
    parts = {e["url"]: e for e in explanation["extension"][0]["extension"]}
    instance = {e["url"]: e for e in parts["instance"]["extension"]}
    assert parts["seriesUid"]["valueId"] == "2.25.99"
    assert instance["uid"]["valueId"] == "2.25.99.1"
    assert instance["sopClass"]["valueCoding"]["code"] == "urn:oid:1.2.840.10008.5.1.4.1.1.7"
    assert urls[explanation["device"]["reference"]]["modelNumber"] == "chest-film"
    assert "meta" not in key_image  # the hospital's own image: nothing was asserted in it
    derived = [urls[r["reference"]] for r in resources(bundle, "Observation")[0]["derivedFrom"]]
    assert [d["resourceType"] for d in derived] == ["ImagingStudy", "Media", "Media"]


def test_an_image_shown_twice_is_written_once_and_frames_are_told_apart() -> None:
    both = (finding(images=(image(1), image(1, frame=7))), finding("effusion", images=(image(1),), explanation=None))
    bundle = build_bundle(report(findings=both), OPTIONS)
    shown = only(bundle, "DiagnosticReport")["media"]
    assert [m["comment"] for m in shown] == [
        "Visual explanation: Pneumothorax",
        "Key image: Pneumothorax; Key image: Effusion",
        "Key image: Pneumothorax",
    ]
    subsets = [value for key, value in walk(bundle) if key == "valueString"]
    assert subsets == ["7"]


def test_the_outcomes_are_four_different_reports() -> None:
    said = {}
    for name in ("positive", "nothing_found", "refused", "not_processed"):
        diagnostic = only(build_bundle(EVERY[name](), OPTIONS), "DiagnosticReport")
        own, dicom = diagnostic["conclusionCode"][0]["coding"]
        assert own["code"] == name
        said[name] = (dicom["code"], diagnostic["conclusion"])
    assert [code for code, _ in said.values()] == ["111242", "111241", "111245", "111245"]
    assert said["nothing_found"][1].startswith("PRELIMINARY AI RESULT, not verified by a person. Processed, nothing")
    assert "NOT READ: the images were refused. Found a lateral view" in said["refused"][1]
    assert "NOT PROCESSED: no engine ran" in said["not_processed"][1]
    assert "nothing found" not in said["refused"][1] + said["not_processed"][1]


def test_reasons_of_refusal_are_coded_and_a_part_unread_is_said() -> None:
    diagnostic = only(build_bundle(refused(), OPTIONS), "DiagnosticReport")
    assert diagnostic["conclusionCode"][1]["coding"][0]["code"] == "wrong_view"
    reason = (Reason(code="wrong_view", text="A lateral view."),)
    for base, code in ((report(), "111244"), (nothing_found(), "111243")):
        partly = only(build_bundle(replace(base, refusals=reason), OPTIONS), "DiagnosticReport")
        assert partly["conclusionCode"][0]["coding"][1]["code"] == code
        assert "Some images were not read. A lateral view." in partly["conclusion"]


def test_a_correction_takes_the_place_of_what_it_corrects() -> None:
    first, second = build_bundle(report(), OPTIONS), build_bundle(corrected(), OPTIONS, earlier=[report()])

    def urls(bundle: dict, kind: str) -> dict[str, str]:
        return {
            e["resource"]["code"]["text"]: e["request"]["url"]
            for e in bundle["entry"]
            if e["resource"]["resourceType"] == kind
        }

    assert urls(first, "DiagnosticReport") == urls(second, "DiagnosticReport")
    assert urls(first, "Observation") == urls(second, "Observation")
    states = {o["code"]["text"]: o["status"] for o in resources(second, "Observation")}
    assert states == {"Effusion": "preliminary", "Pneumothorax": "entered-in-error"}
    diagnostic = only(second, "DiagnosticReport")
    assert diagnostic["status"] == "preliminary"
    assert len(diagnostic["result"]) == 1
    assert diagnostic["conclusion"].startswith("CORRECTED PRELIMINARY AI RESULT (revision 2)")
    assert diagnostic["meta"]["tag"] == [{"system": "urn:radiolucent:code:revision", "code": "2"}]
    provenance = only(second, "Provenance")
    assert provenance["activity"]["coding"][0]["code"] == "UPDATE"
    assert provenance["entity"][1]["what"]["identifier"]["value"] == report().report_id


def test_a_picture_that_still_stands_is_not_withdrawn() -> None:
    """Two revisions with the same explanation: the newer version stands."""
    second = replace(corrected(), findings=(finding(),))
    bundle = build_bundle(second, OPTIONS, earlier=[report()])
    states = [m["status"] for m in resources(bundle, "Media")]
    assert states == ["completed", "completed"]


@pytest.mark.parametrize("withheld", [False, True], ids=["findings repeated", "findings left out"])
def test_a_retraction_leaves_no_finding_to_read(withheld: bool) -> None:
    given = replace(retracted(), findings=()) if withheld else retracted()
    bundle = build_bundle(given, OPTIONS, earlier=[report()] if withheld else [])
    assert only(bundle, "DiagnosticReport")["status"] == "entered-in-error"
    observations = resources(bundle, "Observation")
    assert len(observations) == 2
    for observation in observations:
        assert observation["status"] == "entered-in-error"
        assert "valueCodeableConcept" not in observation
        assert "component" not in observation
    assert [m["status"] for m in resources(bundle, "Media")] == ["entered-in-error"]
    assert "left upper zone" not in json.dumps(bundle)
    assert only(bundle, "DiagnosticReport")["conclusion"].startswith("RETRACTED")
    assert only(bundle, "Provenance")["activity"]["coding"][0]["code"] == "NULLIFY"


def test_the_patient_is_never_written_over() -> None:
    bundle = build_bundle(report(), OPTIONS)
    requests = {e["resource"]["resourceType"]: e["request"] for e in bundle["entry"]}
    assert requests["Patient"] == {
        "method": "POST",
        "url": "Patient",
        "ifNoneExist": "identifier=https://hospital.example.org/patient-id%7CPID-4711",
    }
    assert requests["ImagingStudy"]["ifNoneExist"] == f"identifier=urn:dicom:uid%7Curn:oid:{STUDY}"
    assert requests["Device"]["method"] == requests["Provenance"]["method"] == "POST"
    assert requests["Provenance"]["ifNoneExist"].startswith("_tag=")
    assert requests["DiagnosticReport"]["method"] == requests["Observation"]["method"] == "PUT"


def test_a_patient_in_dicom_is_the_same_in_fhir() -> None:
    patient = only(build_bundle(report(), OPTIONS), "Patient")
    assert patient["name"] == [
        {
            "text": "Dr. Ana Maria Müller-O'Hara",
            "family": "Müller-O'Hara",
            "given": ["Ana", "Maria"],
            "prefix": ["Dr."],
        }
    ]
    assert patient["gender"] == "female"
    assert "birthDate" not in patient  # 1961 had no 29 February
    assert patient["identifier"][0]["assigner"] == {"display": "HOSPITAL"}
    born = replace(CONTEXT, patient=replace(PATIENT, birth_date="19610228", sex="O"))
    later = only(build_bundle(report(context=born), OPTIONS), "Patient")
    assert (later["birthDate"], later["gender"]) == ("1961-02-28", "other")


def test_groups_of_a_name_are_told_apart() -> None:
    named = replace(CONTEXT, patient=replace(PATIENT, name="Yamada^Tarou=山田^太郎=やまだ^たろう"))
    names = only(build_bundle(report(context=named), OPTIONS), "Patient")["name"]
    marks = [(n["extension"][0]["valueCode"], n["family"], n["given"]) for n in names]
    assert marks == [("ABC", "Yamada", ["Tarou"]), ("IDE", "山田", ["太郎"]), ("SYL", "やまだ", ["たろう"])]


@pytest.mark.parametrize(
    ("issuer", "options", "system"),
    [
        ("HOSPITAL", OPTIONS, "https://hospital.example.org/patient-id"),
        ("HOSPITAL", FhirOptions(issuers={"HOSPITAL": "urn:oid:1.2.3"}), "urn:oid:1.2.3"),
        ("1.2.840.1", OPTIONS, "urn:oid:1.2.840.1"),
        ("https://other.example.org/id", OPTIONS, "https://other.example.org/id"),
    ],
)
def test_the_issuer_gives_the_system(issuer: str, options: FhirOptions, system: str) -> None:
    context = replace(CONTEXT, patient=replace(PATIENT, issuer=issuer))
    assert only(build_bundle(report(context=context), options), "Patient")["identifier"][0]["system"] == system


def test_equal_numbers_of_two_issuers_never_meet() -> None:
    found = set()
    for issuer in ("NORTH", "SOUTH", ""):
        context = replace(CONTEXT, patient=replace(PATIENT, issuer=issuer))
        found.add(build_bundle(report(context=context), FhirOptions())["entry"][0]["request"]["ifNoneExist"])
    assert len(found) == 3


def test_a_patient_without_identifier_meets_nobody_else() -> None:
    nobody = replace(CONTEXT, patient=Patient(patient_id="  ", name="Doe^J"))
    other = replace(nobody, study_instance_uid="1.2.3")
    one, again, another = (build_bundle(report(context=c), OPTIONS)["entry"][0] for c in (nobody, nobody, other))
    assert one == again
    assert one["resource"]["identifier"][0]["use"] == "temp"
    assert one["request"]["ifNoneExist"] != another["request"]["ifNoneExist"]


def test_conditions_are_escaped() -> None:
    odd = replace(CONTEXT, patient=replace(PATIENT, patient_id="a|b,c$d\\e &f=1#?ü"))
    condition = build_bundle(report(context=odd), OPTIONS)["entry"][0]["request"]["ifNoneExist"]
    assert condition == (
        "identifier=https://hospital.example.org/patient-id%7Ca%5C%7Cb%5C%2Cc%5C%24d%5C%5Ce%20%26f%3D1%23%3F%C3%BC"
    )


def test_the_order_is_named_by_accession_else_by_placer_number() -> None:
    def based_on(**changes: object) -> object:
        bundle = build_bundle(report(context=replace(CONTEXT, **changes)), OPTIONS)
        return only(bundle, "DiagnosticReport").get("basedOn")

    accession = based_on()[0]
    assert accession["type"] == "ServiceRequest"
    assert accession["identifier"]["value"] == "A-2024-1"
    assert accession["identifier"]["type"]["coding"][0]["code"] == "ACSN"
    assert based_on(accession_number="")[0]["identifier"]["value"] == "P-9"
    assert based_on(accession_number="", order=None) is None


def test_the_procedure_is_the_ordered_one_else_that_of_the_modality() -> None:
    def code(**changes: object) -> dict:
        return only(build_bundle(report(**changes), OPTIONS), "DiagnosticReport")["code"]["coding"][0]

    no_order = replace(CONTEXT, order=None)
    assert code()["code"] == "36643-5"
    assert code(context=no_order, modality="CT")["code"] == "25045-6"
    assert code(context=no_order, modality="")["code"] == "18748-4"
    local = replace(CONTEXT, order=replace(ORDER, procedure=Code(scheme="L", value="THX2", meaning="Thorax")))
    assert code(context=local) == {"code": "THX2", "display": "Thorax"}  # an unknown scheme is not given a system


def test_times_keep_their_zone() -> None:
    diagnostic = only(build_bundle(report(), OPTIONS), "DiagnosticReport")
    assert diagnostic["effectiveDateTime"] == "2024-05-17T09:30:00.000+02:00"
    assert diagnostic["issued"] == "2024-05-17T08:00:05.250+00:00"
    naive = replace(CONTEXT, started=datetime(2024, 5, 17, 9, 30))
    assert only(build_bundle(report(context=naive), OPTIONS), "ImagingStudy")["started"] == "2024-05-17"
    berlin = replace(OPTIONS, zone=ZoneInfo("Europe/Berlin"))
    started = only(build_bundle(report(context=naive), berlin), "ImagingStudy")["started"]
    assert started == "2024-05-17T09:30:00.000+02:00"
    old = replace(CONTEXT, started=datetime(1890, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam")))  # +00:19:32 in its day
    check_legal(only(build_bundle(report(context=old), OPTIONS), "ImagingStudy"))


def test_series_hold_their_instances_once() -> None:
    images = (image(1), image(1, frame=2), image(2), image(1, series="1.2.9", sop_class="1.2.840.10008.5.1.4.1.1.2"))
    study = only(build_bundle(report(images=images), OPTIONS), "ImagingStudy")
    assert [(s["modality"]["code"], len(s["instance"])) for s in study["series"]] == [("DX", 2), ("CT", 1)]
    assert [m["code"] for m in study["modality"]] == ["DX", "CT"]
    odd = (image(1, sop_class="1.2.840.10008.5.1.4.1.1.7"),)
    for said, written in (("XC", "XC"), ("no such modality!", "OT"), ("", "OT")):
        found = only(build_bundle(report(images=odd, modality=said), OPTIONS), "ImagingStudy")
        assert found["series"][0]["modality"]["code"] == written


def test_another_network_is_another_device() -> None:
    changed = replace(ENGINE, sha256="cd" * 32)
    one = build_bundle(report(), OPTIONS)
    two = build_bundle(report(engines=(changed,), findings=()), OPTIONS)
    engines = [r for b in (one, two) for r in resources(b, "Device") if "modelNumber" in r]
    assert engines[0]["identifier"][0] != engines[1]["identifier"][0]
    assert engines[0]["identifier"][1] == {"system": "urn:dicom:uid", "value": "urn:oid:2.25.7"}
    software = next(r for r in resources(one, "Device") if "modelNumber" not in r)
    assert software["version"] == [{"value": "0.3.0"}]
    assert software["identifier"][1]["value"] == "urn:oid:2.25.8"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"findings": (finding(), finding())}, "finding_twice"),
        ({"findings": (finding(probability=float("nan")),)}, "result_not_finite"),
        ({"produced_at": datetime(2024, 5, 17)}, "datetime_without_zone"),
    ],
)
def test_a_report_that_contradicts_itself_is_a_defect(changes: dict, code: str) -> None:
    with pytest.raises(InvariantBroken) as raised:
        build_bundle(report(**changes), OPTIONS)
    assert raised.value.code == code
    assert PATIENT.patient_id not in str(raised.value)


def test_the_bundle_is_stamped_when_the_report_was_made() -> None:
    bundle = build_bundle(report(produced_at=datetime(2025, 1, 1, tzinfo=UTC)), OPTIONS)
    assert bundle["timestamp"] == "2025-01-01T00:00:00.000+00:00"
    assert bundle["identifier"]["value"] == report().report_id
