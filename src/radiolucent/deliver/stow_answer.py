"""Read a STOW-RS answer (PS3.18 10.5.3 and annex I.2), as DICOM JSON (annex F) or Native DICOM XML (PS3.19 A.1)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from radiolucent.standards.dicomweb_refusals import answer_unreadable

REFERENCED_SOP_SEQUENCE, FAILED_SOP_SEQUENCE = "00081199", "00081198"
REFERENCED_SOP_INSTANCE_UID = "00081155"
WARNING_REASON, FAILURE_REASON = "00081196", "00081197"
PROCESSING_FAILURE = 0x0110
_DECLARATIONS = (b"<!DOCTYPE", b"<!ENTITY")
Item = dict[str, str]
"""Tag to its first value as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server says of each instance: its warning (0 for none) or the reason why it failed."""

    stored: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)


def read_answer(body: bytes) -> Answer:
    """The outcome by SOP Instance UID; a server that says both of one instance has not stored it.

    Raises
    ------
    PeerRefused
        ``dicomweb_answer_unreadable``.
    """
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    try:
        items = _from_json(body) if start in (b"{", b"[") else _from_xml(body)
        failed = {
            item[REFERENCED_SOP_INSTANCE_UID]: int(item.get(FAILURE_REASON) or PROCESSING_FAILURE)
            for item in items[FAILED_SOP_SEQUENCE]
            if REFERENCED_SOP_INSTANCE_UID in item
        }
        stored = {
            item[REFERENCED_SOP_INSTANCE_UID]: int(item.get(WARNING_REASON) or 0)
            for item in items[REFERENCED_SOP_SEQUENCE]
            if item.get(REFERENCED_SOP_INSTANCE_UID) not in (None, *failed)
        }
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, ElementTree.ParseError):
        # Without its cause, which would quote the answer.
        raise answer_unreadable(request="STOW-RS") from None
    return Answer(stored=stored, failed=failed)


def _from_json(body: bytes) -> dict[str, list[Item]]:
    found: Any = json.loads(body)
    dataset = found[0] if isinstance(found, list) and found else found
    return {
        tag: [
            {key: str(element["Value"][0]) for key, element in item.items() if _is_plain(element)}
            for item in dataset.get(tag, {}).get("Value", ())
        ]
        for tag in (REFERENCED_SOP_SEQUENCE, FAILED_SOP_SEQUENCE)
    }


def _is_plain(element: Any) -> bool:
    values = element.get("Value")
    return isinstance(values, list) and bool(values) and isinstance(values[0], str | int | float)


def _from_xml(body: bytes) -> dict[str, list[Item]]:
    if any(word in body for word in _DECLARATIONS):
        raise ValueError
    root = ElementTree.fromstring(body)  # noqa: S314  without declarations there are no entities to expand
    if _local(root) != "NativeDicomModel":
        raise ValueError
    return {
        tag: [_item(item) for attribute in _attributes(root, tag) for item in attribute if _local(item) == "Item"]
        for tag in (REFERENCED_SOP_SEQUENCE, FAILED_SOP_SEQUENCE)
    }


def _item(item: ElementTree.Element) -> Item:
    found = {}
    for attribute in item:
        values = [each.text or "" for each in attribute if _local(each) == "Value"]
        if _local(attribute) == "DicomAttribute" and values:
            found[attribute.get("tag", "").upper()] = values[0].strip()
    return found


def _attributes(root: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    return [each for each in root if _local(each) == "DicomAttribute" and each.get("tag", "").upper() == tag]


def _local(element: ElementTree.Element) -> str:
    """The name without its namespace, which some servers leave out."""
    return element.tag.rpartition("}")[2]
