"""What our own read interface can do: one table, from which the CapabilityStatement and the search are made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from radiolucent.report.fhir.datatypes import Resource, instant, present, text

FHIR_VERSION = "4.0.1"
FORMATS = ("application/fhir+json", "json", "application/json")
DEFAULT_COUNT, MOST_COUNT = 50, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParameter:
    """A search parameter of one resource type.

    ``paths`` are elements that it looks into, of which one must match; ``target`` limits a reference to one type.
    """

    name: str
    kind: Literal["token", "reference", "date"]
    paths: tuple[str, ...]
    target: str = ""


def _token(name: str, *paths: str) -> SearchParameter:
    return SearchParameter(name=name, kind="token", paths=paths or (name,))


def _date(name: str, *paths: str) -> SearchParameter:
    return SearchParameter(name=name, kind="date", paths=paths or (name,))


def _reference(name: str, path: str, target: str = "") -> SearchParameter:
    return SearchParameter(name=name, kind="reference", paths=(path,), target=target)


_ID = _token("_id", "id")
_IDENTIFIER = _token("identifier")
_PATIENT = _reference("patient", "subject", "Patient")

SEARCH_PARAMETERS: dict[str, tuple[SearchParameter, ...]] = {
    "Device": (_ID, _IDENTIFIER),
    "DiagnosticReport": (
        _ID,
        _IDENTIFIER,
        _PATIENT,
        _date("date", "effectiveDateTime"),
        _date("issued"),
        _token("status"),
        _token("conclusion", "conclusionCode"),
    ),
    "ImagingStudy": (_ID, _IDENTIFIER, _PATIENT, _date("started"), _token("modality")),
    "Media": (_ID, _IDENTIFIER, _PATIENT, _date("created", "createdDateTime")),
    "Observation": (
        _ID,
        _IDENTIFIER,
        _PATIENT,
        _date("date", "effectiveDateTime"),
        _token("status"),
        _token("code"),
        _reference("derived-from", "derivedFrom"),
    ),
    "Patient": (_ID, _IDENTIFIER),
    "Provenance": (_ID, _reference("target", "target"), _date("recorded")),
}
"""Resource types that can be read and searched, each with its parameters (FHIR R4 section 3.1.1)."""


def capability_statement(*, software_version: str, base_url: str, now: datetime) -> Resource:
    """The CapabilityStatement of our read interface: an instance, R4, JSON, read and search.

    Parameters
    ----------
    base_url
        Address under which the interface is reached.
    now
        When this software was set up or this statement made; with a time zone.
    """
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(now),
        "kind": "instance",
        "software": present(name="Radiolucent", version=text(software_version)),
        "implementation": {"description": "Results of imaging AI, preliminary, read only", "url": base_url},
        "fhirVersion": FHIR_VERSION,
        "format": list(FORMATS[:2]),
        "rest": [
            {
                "mode": "server",
                "security": {"description": "HTTP bearer token; without one on this machine alone."},
                "resource": [_resource(kind) for kind in sorted(SEARCH_PARAMETERS)],
            }
        ],
    }


def _resource(kind: str) -> Resource:
    return {
        "type": kind,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "readHistory": False,
        "updateCreate": False,
        "conditionalCreate": False,
        "conditionalUpdate": False,
        "searchParam": [
            {"name": parameter.name, "type": parameter.kind, "documentation": _words(parameter)}
            for parameter in SEARCH_PARAMETERS[kind]
        ],
    }


def _words(parameter: SearchParameter) -> str:
    if parameter.kind == "date":
        return "Prefixes eq, ne, gt, lt, ge, le, sa, eb."
    return "Several values, separated by commas, are alternatives."
