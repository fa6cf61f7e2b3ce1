"""Messages hold against the schema of PS3.15 A.5.1.1, here written down by hand as tables."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import datetime
from xml.etree import ElementTree

import pytest
from audit_cases import ACTIONS, STUDY, event, events
from hypothesis import given

from radiolucent.audit.atna import message
from radiolucent.audit.canonical import link
from radiolucent.audit.participants import Reporter
from radiolucent.records.audit import AuditAction, AuditEvent

US = Reporter(source_id="reader-1", site_id="North", ae_title="RADIOLUCENT", address="reader-1.example")
Check = Callable[[str], object]


def one_of(*values: str) -> Check:
    return lambda text: text in values


def up_to(last: int) -> Check:
    return one_of(*map(str, range(1, last + 1)))


def token(text: str) -> bool:
    """A token of XML Schema once its white space is collapsed; we demand something in it."""
    return bool(text.strip())


def base64_binary(text: str) -> bool:
    return base64.b64encode(base64.b64decode(text, validate=True)).decode() == text


def date_time(text: str) -> bool:
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)) and bool(datetime.fromisoformat(text))


CODED = ({"csd-code": token, "codeSystemName": token, "originalText": token}, {"displayName": token}, "")
# By element: required attributes, optional attributes, children in their order as a regular expression.
SCHEMA: dict[str, tuple[dict[str, Check], dict[str, Check], str]] = {
    "AuditMessage": (
        {},
        {},
        "(EventIdentification )(ActiveParticipant )+(AuditSourceIdentification )(ParticipantObjectIdentification )*",
    ),
    "EventIdentification": (
        {"EventDateTime": date_time, "EventOutcomeIndicator": one_of("0", "4", "8", "12")},
        {"EventActionCode": one_of("C", "R", "U", "D", "E")},
        "(EventID )(EventTypeCode )*(EventOutcomeDescription )?",
    ),
    "EventID": CODED,
    "EventTypeCode": CODED,
    "EventOutcomeDescription": ({}, {}, ""),
    "ActiveParticipant": (
        {"UserID": token, "UserIsRequestor": one_of("true", "false")},
        {
            "AlternativeUserID": token,
            "UserName": token,
            "NetworkAccessPointID": token,
            "NetworkAccessPointTypeCode": up_to(5),
        },
        "(RoleIDCode )*(MediaIdentifier )?",
    ),
    "RoleIDCode": CODED,
    "MediaIdentifier": ({}, {}, "(MediaType )"),
    "MediaType": CODED,
    "AuditSourceIdentification": (
        {"AuditSourceID": token},
        {"AuditEnterpriseSiteID": token},
        "(AuditSourceTypeCode )*",
    ),
    "AuditSourceTypeCode": ({"csd-code": up_to(9)}, {}, ""),
    "ParticipantObjectIdentification": (
        {"ParticipantObjectID": token},
        {
            "ParticipantObjectTypeCode": up_to(4),
            "ParticipantObjectTypeCodeRole": up_to(26),
            "ParticipantObjectDataLifeCycle": up_to(15),
            "ParticipantObjectSensitivity": token,
        },
        "(ParticipantObjectIDTypeCode )((ParticipantObjectName )|(ParticipantObjectQuery ))"
        "(ParticipantObjectDetail )*(ParticipantObjectDescription )*",
    ),
    "ParticipantObjectIDTypeCode": CODED,
    "ParticipantObjectName": ({}, {}, ""),
    "ParticipantObjectQuery": ({}, {}, ""),
    "ParticipantObjectDetail": ({"type": token, "value": base64_binary}, {}, ""),
}


def validate(element: ElementTree.Element) -> None:
    required, optional, children = SCHEMA[element.tag]
    assert required.keys() <= element.attrib.keys(), element.tag
    for name, value in element.attrib.items():
        assert {**required, **optional}[name](value), (element.tag, name, value)
    names = "".join(f"{child.tag} " for child in element)
    assert re.fullmatch(children, names), (element.tag, names)
    if element.tag == "ParticipantObjectQuery":
        assert base64_binary(element.text or "")
    elif element.tag in ("ParticipantObjectName", "EventOutcomeDescription"):
        assert token(element.text or "")
    else:
        assert not (element.text or "").strip()
    for child in element:
        validate(child)


def read(one: AuditEvent, reporter: Reporter = US) -> ElementTree.Element:
    text = message(one, reporter, entry=link(None, one))
    assert "\n" not in text
    root = ElementTree.fromstring(text)
    validate(root)
    return root


def objects(root: ElementTree.Element) -> dict[str, ElementTree.Element]:
    """Objects by the code of what identifies them."""
    found = {}
    for element in root.iter("ParticipantObjectIdentification"):
        code = element.find("ParticipantObjectIDTypeCode")
        assert code is not None
        found[code.attrib["csd-code"]] = element
    return found


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("actor", ["CT_ONE", "radiolucent"])
@pytest.mark.parametrize("filled", [True, False])
def test_every_action_is_valid(action: AuditAction, actor: str, filled: bool) -> None:
    empty = {} if filled else {"peer": "", "study_instance_uid": "", "patient_id": "", "details": {}}
    root = read(event(action, actor=actor, **empty), US if filled else Reporter())
    own = [e for e in root.iter("EventTypeCode") if e.attrib["codeSystemName"] == "99RADIOLUCENT"]
    assert [e.attrib["csd-code"] for e in own] == [action]


@given(events)
def test_any_event_is_valid_and_escaped(one: AuditEvent) -> None:
    read(one)


def test_a_received_study() -> None:
    one = event(actor='A&B<"', patient_id="<P>", details={"images": "3", "modality": "CT"})
    root = read(one)
    what = root.find("EventIdentification/EventID")
    assert what is not None
    assert what.attrib == {
        "csd-code": "110104",
        "codeSystemName": "DCM",
        "originalText": "DICOM Instances Transferred",
    }
    sender, receiver = root.findall("ActiveParticipant")
    assert sender.attrib == {
        "UserID": 'A&B<"',
        "UserIsRequestor": "true",
        "NetworkAccessPointID": "10.0.0.7",
        "NetworkAccessPointTypeCode": "2",
    }
    assert receiver.attrib == {
        "UserID": "reader-1",
        "AlternativeUserID": "AETITLES=RADIOLUCENT",
        "UserIsRequestor": "false",
        "NetworkAccessPointID": "reader-1.example",
        "NetworkAccessPointTypeCode": "1",
    }
    found = objects(root)
    study, patient, entry = found["110180"], found["2"], found["audit-entry"]
    assert study.attrib == {
        "ParticipantObjectID": STUDY,
        "ParticipantObjectTypeCode": "2",
        "ParticipantObjectTypeCodeRole": "3",
    }
    assert patient.attrib == {
        "ParticipantObjectID": "<P>",
        "ParticipantObjectTypeCode": "1",
        "ParticipantObjectTypeCodeRole": "1",
    }
    assert entry.attrib["ParticipantObjectID"] == link(None, one).sha256
    details = {e.attrib["type"]: base64.b64decode(e.attrib["value"]) for e in entry.iter("ParticipantObjectDetail")}
    assert details == {"sequence": b"1", "images": b"3", "modality": b"CT"}


def test_instances_without_study_or_patient_name_none() -> None:
    found = objects(read(event(study_instance_uid="", patient_id="")))
    assert found["110180"].attrib["ParticipantObjectID"] == "<none>"
    assert found["2"].attrib["ParticipantObjectID"] == "<none>"


def test_a_failure_says_its_code() -> None:
    root = read(event("send", outcome="minor_failure", details={"code": "pacs_refused"}))
    identification = root.find("EventIdentification")
    assert identification is not None
    assert identification.attrib["EventOutcomeIndicator"] == "4"
    assert identification.findtext("EventOutcomeDescription") == "pacs_refused"


def test_a_dicom_query() -> None:
    details = {"sop_class_uid": "1.2.840.10008.5.1.4.1.2.2.1", "query": "PatientID=PAT-1", "interface": "dimse"}
    query = objects(read(event("query", study_instance_uid="", details=details)))["110181"]
    assert query.attrib["ParticipantObjectID"] == "1.2.840.10008.5.1.4.1.2.2.1"
    assert base64.b64decode(query.findtext("ParticipantObjectQuery") or "") == b"PatientID=PAT-1"
    syntax = query.find("ParticipantObjectDetail")
    assert syntax is not None
    assert (syntax.attrib["type"], base64.b64decode(syntax.attrib["value"])) == ("TransferSyntax", b"1.2.840.10008.1.2")


def test_an_export_names_its_media() -> None:
    one = event("send", actor="radiolucent", details={"interface": "fhir", "destination": "ehr"})
    other = read(one).findall("ActiveParticipant")[1]
    assert [c.attrib["csd-code"] for c in other.iter() if "csd-code" in c.attrib] == ["110154", "110037"]


def test_a_caller_that_was_turned_away() -> None:
    root = read(event("refuse", study_instance_uid="", patient_id="", details={"stage": "connection"}))
    found = objects(root)
    assert found["110182"].attrib["ParticipantObjectID"] == "10.0.0.7"
    asked = {p.attrib["UserID"]: p.attrib["UserIsRequestor"] for p in root.iter("ActiveParticipant")}
    assert asked == {"CT_ONE": "false", "reader-1": "true"}, "A.5.3.11: FALSE for whoever caused it"
    assert "110180" not in found


def test_the_validator_can_fail() -> None:
    root = read(event())
    root.insert(0, root[1])
    with pytest.raises(AssertionError):
        validate(root)
