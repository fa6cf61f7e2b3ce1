"""AuditEvents hold against FHIR's model, and against the BALP profiles that they claim."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from audit_cases import ACTIONS, STUDY, event, events
from fhir.resources.R4B.auditevent import AuditEvent as Model
from hypothesis import given

from radiolucent.audit.canonical import link
from radiolucent.audit.fhir import BALP, audit_event
from radiolucent.audit.participants import Reporter
from radiolucent.records.audit import AuditAction, AuditEvent

US = Reporter(source_id="reader-1", site_id="North", ae_title="RADIOLUCENT", address="https://reader.example/fhir")
DCM = "http://dicom.nema.org/resources/ontology/DCM"
HTTP = {"interface": "http"}


def read(one: AuditEvent, reporter: Reporter = US) -> dict[str, Any]:
    text = json.dumps(audit_event(one, reporter, entry=link(None, one)))
    resource: dict[str, Any] = json.loads(text)
    Model.model_validate_json(text)
    _required_in_r4(resource)
    if "meta" in resource:
        _balp(resource)
    return resource


def _required_in_r4(resource: dict[str, Any]) -> None:
    """What R4 demands and the model leaves open: cardinalities, and strings that say something."""
    assert resource["resourceType"] == "AuditEvent"
    assert resource["type"]["code"]
    assert resource["recorded"]
    assert resource["source"]["observer"]
    assert all(type(agent["requestor"]) is bool for agent in resource["agent"])
    assert [agent["requestor"] for agent in resource["agent"]].count(True) == 1
    for entity in resource.get("entity", []):
        assert not ("name" in entity and "query" in entity)  # sev-1
        assert all(d["type"].strip() and d["valueString"].strip() for d in entity.get("detail", []))


PROFILES = {
    "Create": ("C", "create", "110153", "110152"),
    "Read": ("R", "read", "110152", "110153"),
    "Update": ("U", "update", "110153", "110152"),
    "Delete": ("D", "delete", "110150", "custodian"),
    "Query": ("E", "search", "110153", "110152"),
}


def _balp(resource: dict[str, Any]) -> None:
    (url,) = resource["meta"]["profile"]
    name = url.removeprefix(BALP)
    entities = resource["entity"]
    patients = [e for e in entities if e["type"]["code"] == "1"]
    if name == "PrivacyDisclosure.Source":
        assert (resource["type"]["code"], resource["action"]) == ("110106", "R")
        assert "disclose" in [s["code"] for s in resource["subtype"]]
        source, recipient = _agents(resource, "110153", "110152")
        assert source["who"] == resource["source"]["observer"]  # val-audit-source
        assert len(entities) >= 2
    else:
        action, code, client, server = PROFILES[name.removeprefix("Patient")]
        assert resource["type"]["code"] == "rest"
        assert (resource["action"], resource["outcome"]) == (action, "0")
        assert resource["subtype"][0] == {
            "system": "http://hl7.org/fhir/restful-interaction",
            "code": code,
            "display": code,
        }
        source, recipient = _agents(resource, client, server)
        systems = [e for e in entities if e["type"]["code"] == "2"]
        assert len(systems) == 1
        if code == "search":
            assert systems[0]["role"]["code"] == "24"
            assert systems[0]["query"]
            assert not systems[0].keys() & {"what", "lifecycle", "detail"}
        else:
            assert systems[0]["role"]["code"] in ("3", "4", "20")
            assert systems[0]["what"]
        assert code != "delete" or len(resource["subtype"]) == 1
    assert all(agent["who"] and agent["network"]["address"] for agent in (source, recipient))
    assert len(patients) == (0 if "Patient" not in name and name in PROFILES else 1)
    assert all(p["what"]["type"] == "Patient" and p["role"]["code"] == "1" for p in patients)


def _agents(resource: dict[str, Any], first: str, second: str) -> tuple[dict[str, Any], dict[str, Any]]:
    kinds = {agent["type"]["coding"][0]["code"]: agent for agent in resource["agent"]}
    assert kinds.keys() == {first, second}
    return kinds[first], kinds[second]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("interface", ["", "http", "dimse", "stow", "fhir", "mllp"])
@pytest.mark.parametrize("actor", ["CT_ONE", "radiolucent"])
@pytest.mark.parametrize("patient", ["PAT-1", ""])
def test_every_action_is_valid(action: AuditAction, interface: str, actor: str, patient: str) -> None:
    details = {"interface": interface, "query": "PatientID=PAT-1", "destination": "pacs"}
    read(event(action, actor=actor, patient_id=patient, details=details))


@given(events)
def test_any_event_is_valid(one: AuditEvent) -> None:
    read(one)
    read(one, Reporter())


@pytest.mark.parametrize(
    ("one", "profile"),
    [
        (event("access", details=HTTP), "PatientRead"),
        (event("access", patient_id="", details=HTTP), "Read"),
        (event("decision", details=HTTP), "PatientUpdate"),
        (event("delete", details=HTTP), "PatientDelete"),
        (event("receive", details={"interface": "dicomweb"}), "PatientCreate"),
        (event("send", actor="radiolucent", details={"interface": "stow"}), "PatientCreate"),
        (event("query", details={**HTTP, "query": "GET /studies?PatientID=1"}), "PatientQuery"),
        (event("query", patient_id="", details={**HTTP, "query": "GET /studies"}), "Query"),
        (event("send", actor="radiolucent", details={"interface": "fhir"}), "PrivacyDisclosure.Source"),
        (event("send", actor="radiolucent", details={"interface": "mllp"}), "PrivacyDisclosure.Source"),
    ],
)
def test_what_fits_a_profile_claims_it(one: AuditEvent, profile: str) -> None:
    assert read(one)["meta"]["profile"] == [BALP + profile]


@pytest.mark.parametrize(
    "one",
    [
        event("receive", details={"interface": "dimse"}),
        event("access", outcome="minor_failure", details=HTTP),
        event("access", peer="", details=HTTP),
        event("access", study_instance_uid="", details=HTTP),
        event("query", details=HTTP),
        event("retract", actor="radiolucent", details={"interface": "stow"}),
        event("send", actor="radiolucent", patient_id="", details={"interface": "fhir"}),
        event("inference", actor="radiolucent"),
        event("start"),
    ],
)
def test_what_does_not_fit_claims_nothing(one: AuditEvent) -> None:
    resource = read(one)
    assert "meta" not in resource
    assert resource["type"]["system"] == DCM


def test_a_received_study() -> None:
    one = event(details={"images": "3", "empty": " "})
    resource = read(one)
    assert resource["id"] == link(None, one).sha256
    assert resource["type"] == {"system": DCM, "code": "110104", "display": "DICOM Instances Transferred"}
    assert (resource["action"], resource["outcome"]) == ("C", "0")
    assert resource["recorded"] == "2026-03-04T05:06:07.000089Z"
    sender, receiver = resource["agent"]
    assert sender["who"] == {"identifier": {"value": "CT_ONE"}}
    assert sender["network"] == {"address": "10.0.0.7", "type": "2"}
    assert receiver["network"] == {"address": "https://reader.example/fhir", "type": "5"}
    study, patient, details = resource["entity"]
    assert study["what"]["identifier"] == {"system": "urn:dicom:uid", "value": f"urn:oid:{STUDY}"}
    assert patient["what"]["identifier"] == {"value": "PAT-1"}
    assert details["detail"] == [
        {"type": "sequence", "valueString": "1"},
        {"type": "images", "valueString": "3"},
    ]


def test_a_query_is_kept_as_it_came() -> None:
    asked = "GET /studies?PatientName=<M\u00fcller>"
    resource = read(event("query", details={**HTTP, "query": asked}))
    (query,) = [e["query"] for e in resource["entity"] if "query" in e]
    assert base64.b64decode(query).decode() == asked
    assert asked not in json.dumps(resource, ensure_ascii=False)


def test_a_failure_says_its_code() -> None:
    resource = read(event("send", outcome="serious_failure", details={"code": "pacs_refused"}))
    assert (resource["outcome"], resource["outcomeDesc"]) == ("8", "pacs_refused")
