"""Answers of our read interface out of stored bundles; the HTTP routes pass them on as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from radiolucent.report.fhir.capability import (
    DEFAULT_COUNT,
    FORMATS,
    MOST_COUNT,
    SEARCH_PARAMETERS,
    SearchParameter,
)
from radiolucent.report.fhir.datatypes import Resource
from radiolucent.report.fhir.matching import ValueNotUnderstood, meets

_URN = "urn:uuid:"
_WHOLE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP status and the resource to send with it."""

    status: int
    body: Resource


def resources(bundle: Mapping[str, Any]) -> list[Resource]:
    """The resources of one bundle, each with its ``id``, its references resolved to ``Type/id``.

    A resource's id is the UUID of its ``fullUrl``, the same in every bundle that speaks of the same thing; where that
    is no UUID, the id that the resource has. ``meta.lastUpdated`` is the bundle's time.
    """
    found: list[tuple[str, Resource]] = [
        (str(entry.get("fullUrl", "")), entry["resource"]) for entry in bundle.get("entry", []) if "resource" in entry
    ]
    known = {url: f"{resource['resourceType']}/{url.removeprefix(_URN)}" for url, resource in found if url}
    out = []
    for url, resource in found:
        whole = _resolved(resource, {u: r for u, r in known.items() if u.startswith(_URN)})
        if url.startswith(_URN):
            whole["id"] = url.removeprefix(_URN)
        if "timestamp" in bundle:
            whole["meta"] = {"lastUpdated": bundle["timestamp"], **whole.get("meta", {})}
        out.append(
            {"resourceType": whole.pop("resourceType"), **({"id": whole.pop("id")} if "id" in whole else {}), **whole}
        )
    return out


def read(bundles: Iterable[Mapping[str, Any]], kind: str, identity: str) -> Answer:
    """The resource ``kind/identity`` as the last bundle has it; 404 where there is none, or none of that type."""
    found = _current(bundles, kind).get(identity) if kind in SEARCH_PARAMETERS else None
    if found is None:
        return _refused(404, "not-found", "No such resource.")
    return Answer(status=200, body=found)


def search(
    bundles: Iterable[Mapping[str, Any]], kind: str, parameters: Sequence[tuple[str, str]], *, base_url: str
) -> Answer:
    """A searchset: resources of one type that meet every parameter, one page of them.

    Parameters
    ----------
    bundles
        Stored bundles, oldest first: of a resource that several speak of, the last word counts.
    parameters
        Names and values as the query had them, in order, already decoded; a name that comes twice must be met twice.

    Returns
    -------
    Answer
        200 with a Bundle; 400 with an OperationOutcome for a parameter, modifier or value that is not supported (it
        is never left out quietly, for that would answer another question); 404 for an unknown type. No value of the
        query is repeated in an OperationOutcome.
    """
    if kind not in SEARCH_PARAMETERS:
        return _refused(404, "not-supported", "This type is not offered; the CapabilityStatement lists those that are.")
    known = {parameter.name: parameter for parameter in SEARCH_PARAMETERS[kind]}
    conditions: list[tuple[SearchParameter, str]] = []
    page = {"_count": DEFAULT_COUNT, "_offset": 0}
    for name, value in parameters:
        if name in page:
            if not _WHOLE.fullmatch(value):
                return _refused(400, "value", f"{name} is a whole number from 0 on.")
            page[name] = int(value)
        elif name == "_format":
            if value not in FORMATS:
                return _refused(400, "not-supported", "Only JSON is offered.")
        elif name in known:
            conditions.append((known[name], value))
        else:
            return _refused(400, "not-supported", _unsupported(name, known))
    try:
        found = [
            resource
            for resource in _current(bundles, kind).values()
            if all(meets(resource, parameter, value, base_url=base_url) for parameter, value in conditions)
        ]
        # also an empty store must say that it did not understand
        for parameter, value in conditions:
            meets({}, parameter, value, base_url=base_url)
    except ValueNotUnderstood:
        return _refused(400, "value", "A value has not the form of its parameter's type.")
    return Answer(status=200, body=_page(found, kind, parameters, base_url=base_url, page=page))


def _unsupported(name: str, known: Mapping[str, SearchParameter]) -> str:
    if name.split(":")[0].split(".")[0] in known:
        return "Neither modifiers nor chained parameters are supported."
    return "A parameter that is not supported; the CapabilityStatement lists those that are."


def _current(bundles: Iterable[Mapping[str, Any]], kind: str) -> dict[str, Resource]:
    found: dict[str, Resource] = {}
    for bundle in bundles:
        if any(entry.get("resource", {}).get("resourceType") == kind for entry in bundle.get("entry", [])):
            found.update(
                (str(resource["id"]), resource)
                for resource in resources(bundle)
                if resource["resourceType"] == kind and "id" in resource
            )
    return found


def _resolved(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            name: known.get(item, item) if name == "reference" and isinstance(item, str) else _resolved(item, known)
            for name, item in value.items()
        }
    return [_resolved(item, known) for item in value] if isinstance(value, list) else value


def _page(
    found: Sequence[Resource],
    kind: str,
    parameters: Sequence[tuple[str, str]],
    *,
    base_url: str,
    page: Mapping[str, int],
) -> Resource:
    base, start, count = base_url.rstrip("/"), page["_offset"], min(page["_count"], MOST_COUNT)
    kept = [(name, value) for name, value in parameters if name not in page]

    def link(relation: str, offset: int) -> Resource:
        query = urlencode([*kept, ("_count", count), ("_offset", offset)])
        return {"relation": relation, "url": f"{base}/{kind}?{query}"}

    links = [link("self", start)]
    if count and start + count < len(found):
        links.append(link("next", start + count))
    if count and start:
        links.append(link("previous", max(0, start - count)))
    entries = [
        {"fullUrl": f"{base}/{kind}/{one['id']}", "resource": one, "search": {"mode": "match"}}
        for one in found[start : start + count]
    ]
    body: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "link": links}
    return {**body, "entry": entries} if entries else body


def _refused(status: int, code: str, words: str) -> Answer:
    issue = {"severity": "error", "code": code, "diagnostics": words}
    return Answer(status=status, body={"resourceType": "OperationOutcome", "issue": [issue]})
