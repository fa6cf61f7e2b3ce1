"""Entries of a transaction that can be sent twice (FHIR R4 sections 3.1.0.5.3, 3.1.0.7.1, 3.1.0.11)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote
from uuid import NAMESPACE_URL, UUID, uuid5

from radiolucent.report.fhir.datatypes import Resource

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:radiolucent:fhir:1")


def name_uuid(*parts: str) -> UUID:
    """A version 5 UUID that is a pure function of ``parts``; parts are length-prefixed, so no two lists collide."""
    return uuid5(_NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts))


def condition(parameter: str, system: str, value: str) -> str:
    """A search for one token, escaped for search (FHIR R4 section 3.1.1.4.0.1) and for a URL."""
    escaped = value
    for char in "\\|,$":
        escaped = escaped.replace(char, f"\\{char}")
    return f"{parameter}={quote(f'{system}|{escaped}', safe=':/')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A resource and how a server shall take it.

    What is ours (``is_ours``) is written over wherever ``found_by`` finds it; what is another's, such as the patient,
    is only made where it is missing.
    """

    uuid: UUID
    resource: Resource
    found_by: str
    is_ours: bool

    @property
    def full_url(self) -> str:
        """Identity within the bundle."""
        return self.uuid.urn

    def reference(self, display: str = "") -> Resource:
        """A Reference to this entry."""
        return {"reference": self.full_url, **({"display": display} if display else {})}

    def as_json(self) -> Resource:
        """The entry with its request."""
        kind = str(self.resource["resourceType"])
        request = (
            {"method": "PUT", "url": f"{kind}?{self.found_by}"}
            if self.is_ours
            else {"method": "POST", "url": kind, "ifNoneExist": self.found_by}
        )
        return {"fullUrl": self.full_url, "resource": self.resource, "request": request}
