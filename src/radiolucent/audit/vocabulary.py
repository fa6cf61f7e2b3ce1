"""What our actions are called in DICOM's audit vocabulary (PS3.15 A.5.3, codes of PS3.16 CID 400 to 405)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from radiolucent.records.audit import AuditAction, AuditEvent, AuditOutcome
from radiolucent.records.engine import Code

ActionCode = Literal["C", "R", "U", "D", "E"]
"""Create, read, update, delete, execute."""
Shape = Literal["application", "log", "received", "sent", "exported", "data", "query", "alert", "login"]
"""Which participants and objects a message has; see `radiolucent.audit.participants`."""
SCHEME = "99RADIOLUCENT"
"""Coding scheme of our own actions, which each message carries as a further event type."""


def _dcm(value: str, meaning: str) -> Code:
    return Code(scheme="DCM", value=value, meaning=meaning)


APPLICATION_ACTIVITY = _dcm("110100", "Application Activity")
AUDIT_LOG_USED = _dcm("110101", "Audit Log Used")
INSTANCES_ACCESSED = _dcm("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = _dcm("110104", "DICOM Instances Transferred")
STUDY_DELETED = _dcm("110105", "DICOM Study Deleted")
EXPORT = _dcm("110106", "Export")
ORDER_RECORD = _dcm("110109", "Order Record")
PATIENT_RECORD = _dcm("110110", "Patient Record")
PROCEDURE_RECORD = _dcm("110111", "Procedure Record")
QUERY = _dcm("110112", "Query")
SECURITY_ALERT = _dcm("110113", "Security Alert")
USER_AUTHENTICATION = _dcm("110114", "User Authentication")
APPLICATION_START = _dcm("110120", "Application Start")
APPLICATION_STOP = _dcm("110121", "Application Stop")
LOGIN = _dcm("110122", "Login")
NODE_AUTHENTICATION = _dcm("110126", "Node Authentication")
EMERGENCY_OVERRIDE_STARTED = _dcm("110127", "Emergency Override Started")
SOFTWARE_CONFIGURATION = _dcm("110131", "Software Configuration")
APPLICATION = _dcm("110150", "Application")
APPLICATION_LAUNCHER = _dcm("110151", "Application Launcher")
DESTINATION_ROLE = _dcm("110152", "Destination Role ID")
SOURCE_ROLE = _dcm("110153", "Source Role ID")
DESTINATION_MEDIA = _dcm("110154", "Destination Media")
URI_MEDIA = _dcm("110037", "URI")
STUDY_INSTANCE_UID = _dcm("110180", "Study Instance UID")
SOP_CLASS_UID = _dcm("110181", "SOP Class UID")
NODE_ID = _dcm("110182", "Node ID")
# PS3.15 A.5.1.2.4: values of RFC 3881, which are no coded terminology of DICOM's own.
PATIENT_NUMBER = Code(scheme="RFC-3881", value="2", meaning="Patient Number")
SEARCH_CRITERIA = Code(scheme="RFC-3881", value="10", meaning="Search Criteria")
URI = Code(scheme="RFC-3881", value="12", meaning="URI")
CHAIN_ENTRY = Code(scheme=SCHEME, value="audit-entry", meaning="Audit chain entry")

OUTCOMES: dict[AuditOutcome, str] = {"success": "0", "minor_failure": "4", "serious_failure": "8"}
"""EventOutcomeIndicator (PS3.15 A.5.1.1); FHIR R4 uses the same values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What an event is: EventID, EventActionCode, EventTypeCodes, and the shape of its message."""

    event: Code
    action: ActionCode
    shape: Shape
    types: tuple[Code, ...] = field(default=())


def _data(event: Code, action: ActionCode) -> Meaning:
    return Meaning(event=event, action=action, shape="data")


def _alert(kind: Code) -> Meaning:
    return Meaning(event=SECURITY_ALERT, action="E", shape="alert", types=(kind,))


MEANINGS: dict[AuditAction, Meaning] = {
    "start": Meaning(event=APPLICATION_ACTIVITY, action="E", shape="application", types=(APPLICATION_START,)),
    "stop": Meaning(event=APPLICATION_ACTIVITY, action="E", shape="application", types=(APPLICATION_STOP,)),
    "receive": Meaning(event=INSTANCES_TRANSFERRED, action="C", shape="received"),
    "refuse": Meaning(event=INSTANCES_TRANSFERRED, action="C", shape="received"),
    "order": _data(ORDER_RECORD, "C"),
    "patient_update": _data(PATIENT_RECORD, "U"),
    "patient_merge": _data(PATIENT_RECORD, "U"),
    "inference": _data(INSTANCES_ACCESSED, "R"),
    "result": _data(INSTANCES_ACCESSED, "C"),
    # Whether the receiver had copies, a sender cannot know: then A.5.3.7 wants E.
    "send": Meaning(event=INSTANCES_TRANSFERRED, action="E", shape="sent"),
    "retract": _data(INSTANCES_ACCESSED, "D"),
    "query": Meaning(event=QUERY, action="E", shape="query"),
    "access": _data(INSTANCES_ACCESSED, "R"),
    "decision": _data(INSTANCES_ACCESSED, "U"),
    "truth": _data(PROCEDURE_RECORD, "U"),
    "login": Meaning(event=USER_AUTHENTICATION, action="E", shape="login", types=(LOGIN,)),
    "setting_change": _alert(SOFTWARE_CONFIGURATION),
    "quarantine": _data(PROCEDURE_RECORD, "U"),
    "rerun": _data(PROCEDURE_RECORD, "U"),
    "delete": _data(STUDY_DELETED, "D"),
    "checkpoint": Meaning(event=AUDIT_LOG_USED, action="R", shape="log"),
}
ORDER_ACTIONS: dict[str, ActionCode] = {"NW": "C", "XO": "U", "CA": "D", "DC": "D"}
"""By order control (HL7 table 0119)."""
EXPORTS = frozenset({"mllp", "fhir"})
"""Interfaces over which what we send is no DICOM instance: a conversion for an EHR is an export (A.5.3.4)."""


def meaning(event: AuditEvent) -> Meaning:
    """What an event is. A few details decide between messages; ``docs/audit.md`` lists them.

    ``control`` of an order; ``interface`` of what is sent; ``resource`` or ``kind`` of what is read; ``stage`` of a
    refusal.
    """
    plain, details = MEANINGS[event.action], event.details
    if event.action == "order":
        return _data(ORDER_RECORD, ORDER_ACTIONS.get(details.get("control", ""), "C"))
    if event.action == "send" and details.get("interface") in EXPORTS:
        return Meaning(event=EXPORT, action="R", shape="exported")
    if event.action == "access" and details.get("resource") == "audit_log":
        return Meaning(event=AUDIT_LOG_USED, action="R", shape="log")
    if event.action == "access" and details.get("kind") == "break_glass":
        return _alert(EMERGENCY_OVERRIDE_STARTED)
    if event.action == "access" and details.get("kind") == "training_export":
        return _data(EXPORT, "R")
    if event.action == "refuse" and details.get("stage") == "connection":
        return _alert(NODE_AUTHENTICATION)
    if event.action == "delete" and not event.study_instance_uid and event.patient_id:
        return _data(PATIENT_RECORD, "D")
    return plain


# XML 1.0 production 2 (Char): what may not stand in a document, not even escaped.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_BREAKS = str.maketrans("\t\n\r", "   ")


def clean(text: str) -> str:
    """A text on one line that XML and FHIR can hold: what they cannot becomes U+FFFD; blanks at the ends go."""
    return _NO_XML.sub("\ufffd", text.translate(_BREAKS)).strip()
