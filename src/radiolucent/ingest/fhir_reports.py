"""Reports out of FHIR (R4) bundles and NDJSON: what DiagnosticReport and Observation say in codes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from radiolucent.records.engine import Code
from radiolucent.records.reported import Reported, Standing, Statement
from radiolucent.standards import codes
from radiolucent.standards.code_systems import presence_of, scheme_of

Resource = Mapping[str, Any]
FINAL = frozenset(("final", "amended", "corrected", "appended"))
_DICOM_UID, _OID = "urn:dicom:uid", "urn:oid:"
_ACCESSION = "ACSN"
_OURS = ("urn:radiolucent:code:study-status", "urn:radiolucent:code:refusal")
_SUMMARY = frozenset(f"11124{digit}" for digit in range(1, 6))
"""Conclusion codes that say how a reading went (ours, and PS3.16 CID 6047), and no finding."""
CERTAINTY = replace(codes.CERTAINTY_OF_FINDING, meaning="")
_MOMENT = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?)?)?)?")


def read_documents(documents: Iterable[object]) -> Iterator[Reported]:
    """The reports of JSON documents: bundles, each with references of its own, and resources that stand alone."""
    alone: list[tuple[str, Resource]] = []
    for document in documents:
        if not isinstance(document, Mapping):
            continue
        if document.get("resourceType") == "Bundle":
            yield from _Scope(_entries(document)).reports()
        else:
            alone.append(("", document))
    yield from _Scope(alone).reports()


def _entries(bundle: Resource) -> Iterator[tuple[str, Resource]]:
    for entry in _maps(bundle.get("entry")):
        resource = entry.get("resource")
        if isinstance(resource, Mapping):
            yield str(entry.get("fullUrl") or ""), resource


class _Scope:
    """Resources that may refer to one another."""

    def __init__(self, resources: Iterable[tuple[str, Resource]]) -> None:
        self._all: list[Resource] = []
        self._by_name: dict[str, Resource] = {}
        for url, resource in resources:
            self._all.append(resource)
            for name in (url, f"{resource.get('resourceType')}/{resource.get('id')}"):
                self._by_name[name] = resource

    def reports(self) -> Iterator[Reported]:
        """Each DiagnosticReport with its results, then each Observation that belongs to none."""
        told: set[int] = set()
        for report in self._of("DiagnosticReport"):
            results = [found for each in _maps(report.get("result")) if (found := self._find(each, report)) is not None]
            told.update(map(id, results))
            yield self._report(report, results)
        for observation in self._of("Observation"):
            if id(observation) not in told:
                yield self._report(observation, [observation])

    def _of(self, kind: str) -> list[Resource]:
        return [each for each in self._all if each.get("resourceType") == kind]

    def _find(self, reference: Resource, within: Resource) -> Resource | None:
        said = str(reference.get("reference") or "")
        if said.startswith("#"):
            inside = (each for each in _maps(within.get("contained")) if each.get("id") == said[1:])
            return next(inside, None)
        return self._by_name.get(said) or self._by_name.get("/".join(said.split("/")[-2:])) if said else None

    def _report(self, report: Resource, results: Sequence[Resource]) -> Reported:
        studies, accessions = self._whose([report, *results])
        concepts = [c for c in _maps(report.get("conclusionCode")) if _codes(c) and not _is_aside(c)]
        return Reported(
            report=_identity(report),
            at=_moment(report),
            standing=_standing(report),
            study_instance_uids=studies,
            accession_numbers=accessions,
            statements=(
                *(Statement(codes=_codes(concept), is_present=True) for concept in concepts),
                *(said for each in results if _standing(each) == "final" for said in _all_stated(each)),
            ),
        )

    def _whose(self, resources: Sequence[Resource]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Study UIDs and accession numbers, by identifiers of the report, its studies and its orders."""
        found: list[Resource] = []
        for each in resources:
            found += _maps(each.get("identifier"))
            for name in ("imagingStudy", "study", "basedOn", "derivedFrom", "partOf"):
                for reference in _maps(each.get(name)):
                    found += _maps(reference.get("identifier"))
                    other = self._find(reference, each)
                    if other is not None and other.get("resourceType") in ("ImagingStudy", "ServiceRequest"):
                        found += _maps(other.get("identifier"))
        uids = [str(i.get("value") or "").removeprefix(_OID) for i in found if i.get("system") == _DICOM_UID]
        numbers = [str(i.get("value") or "") for i in found if _is_accession(i)]
        return tuple(dict.fromkeys(filter(None, uids))), tuple(dict.fromkeys(filter(None, numbers)))


def _all_stated(observation: Resource) -> list[Statement]:
    """What an Observation says, and each of its components; how sure somebody is, is no finding."""
    components = [each for each in _maps(observation.get("component")) if CERTAINTY not in _codes(each.get("code"))]
    return [said for each in (observation, *components) for said in _stated(each) if said.codes]


def _stated(observation: Resource) -> list[Statement]:
    """The finding stands in ``code`` and the value says present or absent, or the value is the finding."""
    asked, value = _codes(observation.get("code")), _codes(observation.get("valueCodeableConcept"))
    said = observation.get("valueBoolean")
    presence = said if isinstance(said, bool) else presence_of(value)
    if presence is None:
        flags = [code.value for concept in _maps(observation.get("interpretation")) for code in _codes(concept)]
        presence = True if "POS" in flags else False if "NEG" in flags else None
        if value:
            return [Statement(codes=value, is_present=presence is not False)]
    return [Statement(codes=asked, is_present=presence)] if presence is not None else []


def _standing(report: Resource) -> Standing:
    status = str(report.get("status") or "")
    return "final" if status in FINAL else "withdrawn" if status == "entered-in-error" else "open"


def _identity(report: Resource) -> str:
    first = next((f"{i.get('system')}|{i.get('value')}" for i in _maps(report.get("identifier"))), "")
    return first or f"{report.get('resourceType')}/{report.get('id', '')}"


def _moment(report: Resource) -> str:
    """When this version was made, as digits; zones are not told apart."""
    meta = report.get("meta")
    last = meta.get("lastUpdated") if isinstance(meta, Mapping) else None
    for said in (report.get("issued"), last, report.get("effectiveDateTime")):
        found = _MOMENT.match(str(said or ""))
        if found:
            return "".join(part or "" for part in found.groups()).ljust(14, "0")
    return ""


def _is_accession(identifier: Resource) -> bool:
    kind = identifier.get("type")
    return isinstance(kind, Mapping) and any(each.get("code") == _ACCESSION for each in _maps(kind.get("coding")))


def _is_aside(concept: Resource) -> bool:
    said = _codes(concept)
    return bool(said) and all(c.scheme in _OURS or (c.scheme == "DCM" and c.value in _SUMMARY) for c in said)


def _codes(concept: object) -> tuple[Code, ...]:
    """The codings of a concept; those without a system cannot be known."""
    codings = _maps(concept.get("coding")) if isinstance(concept, Mapping) else []
    return tuple(
        Code(scheme=scheme_of(str(each["system"])), value=str(each["code"]), meaning="")
        for each in codings
        if each.get("system") and each.get("code")
    )


def _maps(value: object) -> list[Resource]:
    """The objects of a list, whatever a sender put there; one object stands for a list of itself."""
    if isinstance(value, Mapping):
        return [value]
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
