"""An event as a FHIR R4 AuditEvent, in the patterns of IHE Basic Audit Log Patterns (BALP) 1.1 where they fit.

BALP is about REST: Create, Read, Update, Delete and Query are claimed (``meta.profile``) for what went over HTTP, was
successful, and of which everything is known that the profile wants. What leaves for an EHR is a privacy disclosure,
told by its source. Everything else (DIMSE, HL7 v2, work of our own) is an AuditEvent of the same build whose type is
DICOM's own event code, as FHIR's value set foresees, and claims no profile.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from radiolucent.audit.canonical import utc
from radiolucent.audit.participants import OURSELVES, Participant, Reporter, access_point, participants
from radiolucent.audit.vocabulary import (
    APPLICATION,
    DESTINATION_ROLE,
    OUTCOMES,
    SCHEME,
    SOURCE_ROLE,
    ActionCode,
    Meaning,
    clean,
    meaning,
)
from radiolucent.records.audit import AuditEntry, AuditEvent
from radiolucent.records.engine import Code

Resource = dict[str, object]
BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
SYSTEMS = {"DCM": "http://dicom.nema.org/resources/ontology/DCM", SCHEME: "urn:radiolucent:audit-action"}
REST = frozenset({"dicomweb", "stow", "fhir", "http"})
"""Values of the detail ``interface`` that are REST."""
REST_ACTIONS = frozenset({"receive", "send", "query", "access", "decision", "delete"})
"""Actions that are one REST interaction when they come or go over such an interface; the others are work of our own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Interaction:
    """What a BALP profile wants: its name, action, FHIR's interaction code, the roles of client and server."""

    profile: str
    action: ActionCode
    code: str
    client: Resource
    server: Resource


def _coding(system: str, code: str, display: str) -> Resource:
    return {"system": system, "code": code, "display": display}


def _of(code: Code) -> Resource:
    return _coding(SYSTEMS[code.scheme], code.value, code.meaning)


_CUSTODIAN = _coding(f"{TERMINOLOGY}provenance-participant-type", "custodian", "Custodian")
_DISCLOSURE = _coding(f"{TERMINOLOGY}iso-21089-lifecycle", "disclose", "Disclose Record Lifecycle Event")
_REST = _coding(f"{TERMINOLOGY}audit-event-type", "rest", "Restful Operation")
_SENDS = {"client": _of(SOURCE_ROLE), "server": _of(DESTINATION_ROLE)}
_INTERACTIONS: dict[ActionCode, _Interaction] = {
    "C": _Interaction(profile="Create", action="C", code="create", **_SENDS),
    # What is read flows from the server to the client; a query flows the other way.
    "R": _Interaction(profile="Read", action="R", code="read", client=_of(DESTINATION_ROLE), server=_of(SOURCE_ROLE)),
    "U": _Interaction(profile="Update", action="U", code="update", **_SENDS),
    "D": _Interaction(profile="Delete", action="D", code="delete", client=_of(APPLICATION), server=_CUSTODIAN),
    "E": _Interaction(profile="Query", action="E", code="search", **_SENDS),
}


def audit_event(event: AuditEvent, reporter: Reporter, *, entry: AuditEntry | None = None) -> Resource:
    """The event as the JSON of an AuditEvent.

    With ``entry`` its id is the entry's hash, so that the same entry is the same resource wherever it is sent. Studies
    and patients are logical references (by identifier). Details go into an entity of our own.
    """
    what = meaning(event)
    took_part = participants(event, what, reporter)
    interaction = _interaction(event, what, took_part)
    resource: Resource = {"resourceType": "AuditEvent"}
    if entry is not None:
        resource["id"] = entry.sha256
    profile = _profile(event, what, took_part, interaction)
    if profile:
        resource["meta"] = {"profile": [BALP + profile]}
    resource["type"] = _of(what.event) if interaction is None else _REST
    resource["subtype"] = _subtypes(event, what, interaction)
    action = what.action if interaction is None else interaction.action
    resource |= {"action": action, "recorded": utc(event.at), "outcome": OUTCOMES[event.outcome]}
    if event.outcome != "success" and clean(event.details.get("code", "")):
        resource["outcomeDesc"] = clean(event.details["code"])
    resource["agent"] = [_agent(one, what, interaction, reporter) for one in took_part]
    resource["source"] = _source(reporter)
    entities = _entities(event, what, entry)
    if entities:
        resource["entity"] = entities
    return resource


def _interaction(event: AuditEvent, what: Meaning, took_part: tuple[Participant, ...]) -> _Interaction | None:
    """The BALP pattern of an event, or ``None`` where one of its conditions does not hold."""
    needed = bool(event.details.get("query")) if what.shape == "query" else bool(event.study_instance_uid)
    fits = (
        event.action in REST_ACTIONS
        and what.shape in ("data", "query", "received", "sent")
        and event.details.get("interface") in REST
        and event.outcome == "success"
        and needed
        and len(took_part) == 2
        and all(one.address for one in took_part)
    )
    if not fits:
        return None
    # A sender says E of its transfer; to its peer's REST interface it was a create.
    return _INTERACTIONS["C" if what.shape == "sent" else what.action]


def _profile(
    event: AuditEvent, what: Meaning, took_part: tuple[Participant, ...], interaction: _Interaction | None
) -> str:
    if interaction is not None:
        return ("Patient" if event.patient_id else "") + interaction.profile
    is_told = len(took_part) == 2 and all(one.address for one in took_part)
    if what.shape == "exported" and is_told and event.patient_id and event.study_instance_uid:
        return "PrivacyDisclosure.Source"
    return ""


def _subtypes(event: AuditEvent, what: Meaning, interaction: _Interaction | None) -> list[Resource]:
    ours = _of(Code(scheme=SCHEME, value=event.action, meaning=event.action.replace("_", " ")))
    if interaction is not None:
        rest = _coding("http://hl7.org/fhir/restful-interaction", interaction.code, interaction.code)
        # The Delete profile allows this one subtype and no other.
        return [rest] if interaction.code == "delete" else [rest, _of(what.event), ours]
    return [*([_DISCLOSURE] if what.shape == "exported" else []), *(_of(code) for code in what.types), ours]


def _agent(one: Participant, what: Meaning, interaction: _Interaction | None, reporter: Reporter) -> Resource:
    agent: Resource = {}
    kind: Resource | None = None
    if interaction is not None:
        kind = interaction.client if one.is_requestor else interaction.server
    elif what.shape == "exported":
        kind = _of(SOURCE_ROLE if one.is_reporter else DESTINATION_ROLE)
    elif one.role is not None:
        kind = _of(one.role)
    if kind is not None:
        agent["type"] = {"coding": [kind]}
    agent["who"] = _ourselves(reporter) if one.is_reporter else {"identifier": {"value": one.user_id}}
    agent["requestor"] = one.is_requestor
    point = access_point(one.address)
    if point is not None:
        agent["network"] = {"address": point.id, "type": point.type}
    return agent


def _ourselves(reporter: Reporter) -> Resource:
    return {"identifier": {"value": clean(reporter.source_id) or OURSELVES}, "display": "Radiolucent"}


def _source(reporter: Reporter) -> Resource:
    site: Resource = {"site": clean(reporter.site_id)} if clean(reporter.site_id) else {}
    kind = _coding(f"{TERMINOLOGY}security-source-type", "4", "Application Server")
    return {**site, "observer": _ourselves(reporter), "type": [kind]}


def _entities(event: AuditEvent, what: Meaning, entry: AuditEntry | None) -> list[Resource]:
    entities: list[Resource] = []
    if clean(event.study_instance_uid):
        identifier = {"system": "urn:dicom:uid", "value": f"urn:oid:{clean(event.study_instance_uid)}"}
        study = {"type": "ImagingStudy", "identifier": identifier}
        # A query's own entity is the one system object that its profile allows; there the study is another thing.
        kind = ("4", "Other") if what.shape == "query" else ("2", "System Object")
        entities.append({"what": study, **_kind(*kind), **_role("3", "Report")})
    if clean(event.patient_id):
        patient = {"type": "Patient", "identifier": {"value": clean(event.patient_id)}}
        entities.append({"what": patient, **_kind("1", "Person"), **_role("1", "Patient")})
    if what.shape == "query" and event.details.get("query"):
        query = base64.b64encode(event.details["query"].encode("utf-8", "backslashreplace")).decode("ascii")
        entities.append({**_kind("2", "System Object"), **_role("24", "Query"), "query": query})
    details = _details(event, entry)
    if details:
        entities.append({**_kind("4", "Other"), "name": "details", "detail": details})
    return entities


def _kind(code: str, display: str) -> Resource:
    return {"type": _coding(f"{TERMINOLOGY}audit-entity-type", code, display)}


def _role(code: str, display: str) -> Resource:
    return {"role": _coding(f"{TERMINOLOGY}object-role", code, display)}


def _details(event: AuditEvent, entry: AuditEntry | None) -> list[Resource]:
    told = {} if entry is None else {"sequence": str(entry.sequence)}
    told |= {name: value for name, value in sorted(event.details.items()) if name != "query" or event.action != "query"}
    cleaned = ((clean(name), clean(value)) for name, value in told.items())
    return [{"type": name, "valueString": value} for name, value in cleaned if name and value]
