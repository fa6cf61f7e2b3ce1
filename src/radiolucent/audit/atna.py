"""An event as a DICOM audit message (PS3.15 A.5, schema of A.5.1.1)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from xml.etree import ElementTree

from radiolucent.audit.canonical import utc
from radiolucent.audit.participants import OURSELVES, Participant, Reporter, access_point, participants
from radiolucent.audit.vocabulary import (
    AUDIT_LOG_USED,
    CHAIN_ENTRY,
    DESTINATION_MEDIA,
    EXPORT,
    INSTANCES_ACCESSED,
    INSTANCES_TRANSFERRED,
    NODE_ID,
    ORDER_RECORD,
    OUTCOMES,
    PATIENT_NUMBER,
    PATIENT_RECORD,
    PROCEDURE_RECORD,
    SCHEME,
    SEARCH_CRITERIA,
    SOP_CLASS_UID,
    STUDY_DELETED,
    STUDY_INSTANCE_UID,
    URI,
    URI_MEDIA,
    Meaning,
    clean,
    meaning,
)
from radiolucent.records.audit import AuditEntry, AuditEvent
from radiolucent.records.engine import Code

NONE = "<none>"
"""Identifier of a study or patient that a message must name and that is not known."""
AUDIT_LOG = "urn:radiolucent:audit"
SETTINGS = "urn:radiolucent:settings"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_PATIENT_NEEDED = frozenset(
    {
        *(INSTANCES_ACCESSED, INSTANCES_TRANSFERRED, STUDY_DELETED, EXPORT),
        *(ORDER_RECORD, PATIENT_RECORD, PROCEDURE_RECORD),
    }
)
_STUDY_NEEDED = frozenset({INSTANCES_ACCESSED, INSTANCES_TRANSFERRED, STUDY_DELETED, EXPORT})


def message(event: AuditEvent, reporter: Reporter, *, entry: AuditEntry | None = None) -> str:
    """The event as an ``AuditMessage`` on one line, without XML declaration.

    All details go along, base64-encoded as the schema wants, in an object of our own that also names the entry of the
    chain. An event that should name a study or a patient and does not, names `NONE`.
    """
    what = meaning(event)
    root = ElementTree.Element("AuditMessage")
    _identification(root, event, what)
    for participant in participants(event, what, reporter):
        _participant(root, participant, reporter)
    site = {"AuditEnterpriseSiteID": clean(reporter.site_id)} if clean(reporter.site_id) else {}
    source = ElementTree.SubElement(
        root, "AuditSourceIdentification", {**site, "AuditSourceID": clean(reporter.source_id) or OURSELVES}
    )
    ElementTree.SubElement(source, "AuditSourceTypeCode", {"csd-code": "4"})  # application server
    root.extend(_objects(event, what))
    root.append(_chain_entry(event, entry))
    return ElementTree.tostring(root, encoding="unicode")


def _code(name: str, code: Code) -> ElementTree.Element:
    attributes = {"csd-code": code.value, "codeSystemName": code.scheme, "originalText": code.meaning}
    return ElementTree.Element(name, attributes)


def _identification(root: ElementTree.Element, event: AuditEvent, what: Meaning) -> None:
    attributes = {
        "EventActionCode": what.action,
        "EventDateTime": utc(event.at),
        "EventOutcomeIndicator": OUTCOMES[event.outcome],
    }
    element = ElementTree.SubElement(root, "EventIdentification", attributes)
    element.append(_code("EventID", what.event))
    ours = Code(scheme=SCHEME, value=event.action, meaning=event.action.replace("_", " "))
    element.extend(_code("EventTypeCode", code) for code in (*what.types, ours))
    if event.outcome != "success" and event.details.get("code"):
        ElementTree.SubElement(element, "EventOutcomeDescription").text = clean(event.details["code"])


def _participant(root: ElementTree.Element, participant: Participant, reporter: Reporter) -> None:
    attributes = {"UserID": participant.user_id}
    if participant.is_reporter and clean(reporter.ae_title):
        attributes["AlternativeUserID"] = f"AETITLES={clean(reporter.ae_title)}"  # A.5.2.2
    attributes["UserIsRequestor"] = "true" if participant.is_requestor else "false"
    point = access_point(participant.address)
    if point is not None:
        attributes |= {"NetworkAccessPointID": point.id, "NetworkAccessPointTypeCode": point.type}
    element = ElementTree.SubElement(root, "ActiveParticipant", attributes)
    if participant.role is not None:
        element.append(_code("RoleIDCode", participant.role))
    if participant.role == DESTINATION_MEDIA:
        ElementTree.SubElement(element, "MediaIdentifier").append(_code("MediaType", URI_MEDIA))


def _objects(event: AuditEvent, what: Meaning) -> Iterator[ElementTree.Element]:
    if what.shape == "query":
        yield _query(event)
    elif what.event == AUDIT_LOG_USED:
        yield _object(AUDIT_LOG, URI, kind="2", role="13", name="Security Audit Log")
    elif what.shape == "alert":
        yield _alert_subject(event)
    if event.study_instance_uid or what.event in _STUDY_NEEDED:
        yield _object(event.study_instance_uid, STUDY_INSTANCE_UID, kind="2", role="3")
    if event.patient_id or what.event in _PATIENT_NEEDED:
        yield _object(event.patient_id, PATIENT_NUMBER, kind="1", role="1")


def _object(
    identifier: str, code: Code, *, kind: str, role: str, name: str = "", query: str | None = None
) -> ElementTree.Element:
    """An object; the schema wants a name or a query of each, so the identifier stands for a name that is not known."""
    shown = clean(identifier) or NONE
    attributes = {
        "ParticipantObjectID": shown,
        "ParticipantObjectTypeCode": kind,
        "ParticipantObjectTypeCodeRole": role,
    }
    element = ElementTree.Element("ParticipantObjectIdentification", attributes)
    element.append(_code("ParticipantObjectIDTypeCode", code))
    if query is None:
        ElementTree.SubElement(element, "ParticipantObjectName").text = name or shown
    else:
        ElementTree.SubElement(element, "ParticipantObjectQuery").text = _base64(query)
    return element


def _query(event: AuditEvent) -> ElementTree.Element:
    """A.5.3.10: the query as it came, in the form of its protocol."""
    details = event.details
    sop_class = clean(details.get("sop_class_uid", ""))
    identifier = sop_class or clean(details.get("interface", "")) or "query"
    code = SOP_CLASS_UID if sop_class else SEARCH_CRITERIA
    element = _object(identifier, code, kind="2", role="3", query=details.get("query", ""))
    if sop_class:
        _detail(element, "TransferSyntax", details.get("transfer_syntax_uid", IMPLICIT_VR_LITTLE_ENDIAN))
    return element


def _alert_subject(event: AuditEvent) -> ElementTree.Element:
    """A.5.3.11: what the alert is about, our settings or the node that was turned away."""
    if event.action == "setting_change":
        subject = _object(SETTINGS, URI, kind="2", role="13")
    else:
        node = access_point(clean(event.peer))
        subject = _object("" if node is None else node.id, NODE_ID, kind="2", role="13")
    told = (event.action, event.details.get("kind", ""), event.details.get("code", ""))
    _detail(subject, "Alert Description", " ".join(word for word in told if word))
    return subject


def _chain_entry(event: AuditEvent, entry: AuditEntry | None) -> ElementTree.Element:
    """What the chain says of it, so that the message can be held against the chain."""
    identifier = "" if entry is None else entry.sha256
    element = _object(identifier, CHAIN_ENTRY, kind="2", role="13")
    if entry is not None:
        _detail(element, "sequence", str(entry.sequence))
    for name, value in sorted(event.details.items()):
        _detail(element, name, value)
    return element


def _detail(element: ElementTree.Element, name: str, value: str) -> None:
    attributes = {"type": clean(name) or "detail", "value": _base64(value)}
    ElementTree.SubElement(element, "ParticipantObjectDetail", attributes)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "backslashreplace")).decode("ascii")
