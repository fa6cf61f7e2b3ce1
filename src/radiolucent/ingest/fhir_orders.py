"""An order out of a FHIR R4 server: the ServiceRequest of an accession number, with its Patient.

What a server returns is checked against what was asked, for a server may pass over a search parameter it does not
know and return every order it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from radiolucent.errors import PeerRefused
from radiolucent.records.engine import Code
from radiolucent.records.study import Order, Patient, Priority
from radiolucent.standards.code_systems import SCHEMES

_THO_IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
_PRIORITY: dict[str, Priority] = {"stat": "stat", "asap": "stat", "urgent": "stat", "routine": "routine"}
_CANCELLED = frozenset({"revoked", "entered-in-error"})
_NOT_YET = frozenset({"proposal", "plan"})
_SEX = {"male": "M", "female": "F", "other": "O"}
_PATIENT_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_MOST_ORDERS = 20


class FhirReader(Protocol):
    """Reads from a FHIR server; `radiolucent.deliver.fhir.FhirConnection` is one."""

    def get(self, path: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        """A resource as JSON values, by its path under the base address and search parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSystems:
    """Naming systems of the site.

    ``accession`` is the URI of accession numbers: with it, an equal number of another system is not met. ``patient``
    is the URI of the patient identifiers that DICOM carries; ``issuers`` gives the issuer as DICOM writes it, by URI.
    """

    accession: str | None = None
    patient: str | None = None
    issuers: Mapping[str, str] = field(default_factory=dict)


def find_order(reader: FhirReader, accession_number: str, systems: OrderSystems) -> Order | None:
    """The order of an accession number, or ``None`` where the server has none.

    Of several requests under one accession number (a group of procedures) the most urgent live one speaks; it is
    cancelled only where all are.

    Raises
    ------
    PeerRefused
        ``fhir_order_ambiguous``: requests of different patients, or too many, under this number;
        ``fhir_order_answer``: no searchset, or orders that were not asked for.
    PeerUnavailable, PeerRefused
        Whatever ``reader`` raises.
    """
    wanted = accession_number.strip()
    if not wanted:
        return None
    answer = reader.get(
        "ServiceRequest", {"identifier": _search(wanted, systems), "_include": "ServiceRequest:subject"}
    )
    requests = [request for _, request in _resources(answer, "ServiceRequest")]
    found = [r for r in requests if _carries(r, wanted, systems) and _counts(r)]
    if not found:
        if requests and not any(_names(r, wanted) for r in requests):
            raise _answer("orders that do not carry the accession number asked for")
        return None
    subjects = {_subject(request) for request in found}
    if len(subjects) > 1 or len(found) > _MOST_ORDERS:
        raise PeerRefused(
            "fhir_order_ambiguous",
            found=f"{len(found)} orders under one accession number, of {len(subjects)} patients",
            expected=f"at most {_MOST_ORDERS}, of one patient",
            action="Name the system of accession numbers in the settings, or have the order system mended.",
        )
    chosen = min(found, key=_rank)
    patient = _patient_of(reader, chosen, dict(_resources(answer, "Patient")))
    return _order(chosen, wanted, None if patient is None else _patient(patient, systems))


def _search(accession_number: str, systems: OrderSystems) -> str:
    """A token (FHIR R4 section 3.1.1.4.10), its special characters escaped."""
    escaped = re.sub(r"([\\|,$])", r"\\\1", accession_number)
    return f"{systems.accession}|{escaped}" if systems.accession else escaped


def _resources(answer: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Resources of a type in a searchset, with the address of each."""
    if answer.get("resourceType") != "Bundle" or answer.get("type") != "searchset":
        raise _answer("an answer that is no searchset")
    for entry in _maps(answer.get("entry")):
        resource = entry.get("resource")
        if isinstance(resource, Mapping) and resource.get("resourceType") == kind:
            yield str(entry.get("fullUrl", "")), resource


def _answer(found: str) -> PeerRefused:
    return PeerRefused(
        "fhir_order_answer",
        found=found,
        expected="a searchset of orders with that accession number",
        action="Check that the address is that of a FHIR R4 server that searches ServiceRequest by identifier.",
    )


def _maps(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; what is neither is passed over."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _words(value: object) -> str:
    """A string without controls, lone surrogates, and the characters that part the fields of DICOM and HL7."""
    return re.sub(r"[\x00-\x1f\x7f\ud800-\udfff\\^=]+", " ", value).strip() if isinstance(value, str) else ""


def _codings(concept: object) -> list[Mapping[str, Any]]:
    return _maps(concept.get("coding")) if isinstance(concept, Mapping) else []


def _carries(request: Mapping[str, Any], accession_number: str, systems: OrderSystems) -> bool:
    """Whether a request has that accession number, in the site's system, or of type ACSN or without a type."""
    for found in _maps(request.get("identifier")):
        if found.get("value") != accession_number:
            continue
        kinds = {str(c.get("code")) for c in _codings(found.get("type"))}
        if found.get("system") == systems.accession if systems.accession else (not kinds or "ACSN" in kinds):
            return True
    return False


def _names(request: Mapping[str, Any], accession_number: str) -> bool:
    """Whether any identifier has that value: if none, the server passed over the search parameter."""
    values = (str(i.get("value", "")) for i in _maps(request.get("identifier")))
    return any(value.casefold() == accession_number.casefold() for value in values)


def _counts(request: Mapping[str, Any]) -> bool:
    return str(request.get("intent")) not in _NOT_YET and request.get("status") != "draft"


def _is_cancelled(request: Mapping[str, Any]) -> bool:
    return str(request.get("status")) in _CANCELLED or request.get("doNotPerform") is True


def _priority(request: Mapping[str, Any]) -> Priority:
    return _PRIORITY.get(str(request.get("priority")), "routine")


def _rank(request: Mapping[str, Any]) -> tuple[bool, bool, str]:
    return (_is_cancelled(request), _priority(request) != "stat", str(request.get("id", "")))


def _subject(request: Mapping[str, Any]) -> str:
    """The patient reference, without the version that it may name."""
    subject = request.get("subject")
    said = subject.get("reference") if isinstance(subject, Mapping) else None
    return said.split("/_history/")[0] if isinstance(said, str) else ""


def _patient_of(
    reader: FhirReader, request: Mapping[str, Any], included: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """The patient that came along, is contained, or is read from the same server; never from another address."""
    said = _subject(request)
    if said.startswith("#"):
        return next((p for p in _maps(request.get("contained")) if f"#{p.get('id')}" == said), None)
    if said in included:
        return included[said]
    kind, _, identity = said.partition("/")
    if kind != "Patient" or not _PATIENT_ID.fullmatch(identity) or not identity.strip("."):
        return None
    for patient in included.values():
        if patient.get("id") == identity:
            return patient
    answer = reader.get(said, {})
    return answer if answer.get("resourceType") == "Patient" and answer.get("id") == identity else None


def _order(request: Mapping[str, Any], accession_number: str, patient: Patient | None) -> Order:
    identifiers = _maps(request.get("identifier"))
    uids = [str(i.get("value", "")) for i in identifiers if i.get("system") == "urn:dicom:uid"]
    return Order(
        accession_number=accession_number,
        placer_order_number=_typed(identifiers, "PLAC"),
        filler_order_number=_typed(identifiers, "FILL"),
        priority=_priority(request),
        reason="; ".join(t for t in map(_concept_text, _maps(request.get("reasonCode"))) if t),
        procedure=_procedure(request.get("code")),
        study_instance_uid=next((u.removeprefix("urn:oid:") for u in uids), ""),
        patient=patient,
        is_cancelled=_is_cancelled(request),
    )


def _typed(identifiers: Sequence[Mapping[str, Any]], kind: str) -> str:
    for found in identifiers:
        if any(c.get("code") == kind and c.get("system") == _THO_IDENTIFIER_TYPE for c in _codings(found.get("type"))):
            return _words(found.get("value"))
    return ""


def _concept_text(concept: Mapping[str, Any]) -> str:
    return _words(concept.get("text")) or next((t for c in _codings(concept) if (t := _words(c.get("display")))), "")


def _procedure(concept: object) -> Code | None:
    """The first coding of a scheme that DICOM and HL7 know, else none: a code without scheme says nothing."""
    for coding in _codings(concept):
        scheme, value = SCHEMES.get(str(coding.get("system"))), _words(coding.get("code"))
        if scheme and value:
            meaning = _words(coding.get("display")) or _concept_text(concept if isinstance(concept, Mapping) else {})
            return Code(scheme=scheme, value=value, meaning=meaning or value)
    return None


def _patient(resource: Mapping[str, Any], systems: OrderSystems) -> Patient | None:
    """The patient under the identifier that DICOM knows: of the site's system, else of type MR, else the usual one."""
    identifiers = [i for i in _maps(resource.get("identifier")) if _words(i.get("value"))]
    if systems.patient:
        identifiers = [i for i in identifiers if i.get("system") == systems.patient]
    if not identifiers:
        return None
    chosen = min(identifiers, key=_identifier_rank)
    names = _maps(resource.get("name"))
    return Patient(
        patient_id=_words(chosen.get("value")),
        issuer=_issuer(chosen, systems),
        name=_person_name(min(names, key=lambda n: n.get("use") != "official")) if names else "",
        birth_date=_birth_date(resource.get("birthDate")),
        sex=_SEX.get(str(resource.get("gender")), ""),
    )


def _identifier_rank(found: Mapping[str, Any]) -> tuple[bool, bool, bool]:
    is_mr = any(c.get("code") == "MR" for c in _codings(found.get("type")))
    return (found.get("use") == "old", not is_mr, found.get("use") not in ("usual", "official"))


def _issuer(found: Mapping[str, Any], systems: OrderSystems) -> str:
    system, assigner = str(found.get("system", "")), found.get("assigner")
    named = _words(assigner.get("display")) if isinstance(assigner, Mapping) else ""
    return systems.issuers.get(system) or named or system.removeprefix("urn:oid:")


def _person_name(name: Mapping[str, Any]) -> str:
    """A DICOM PN (PS3.5 section 6.2.1.1): family, given, middle, prefix, suffix."""

    def parts(element: str) -> list[str]:
        found = name.get(element)
        return [w for item in found if (w := _words(item))] if isinstance(found, list) else []

    given = parts("given")
    whole = [
        _words(name.get("family")),
        given[0] if given else "",
        " ".join(given[1:]),
        " ".join(parts("prefix")),
        " ".join(parts("suffix")),
    ]
    return "^".join(whole).rstrip("^") or _words(name.get("text"))


def _birth_date(value: object) -> str:
    """A DA; an incomplete date is left out, for DICOM has none."""
    found = _DAY.fullmatch(value) if isinstance(value, str) else None
    return "".join(found.groups()) if found else ""
