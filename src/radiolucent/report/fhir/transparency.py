"""Engines and their cards, for whoever asks what a machine is (HL7 AI Transparency: AI-Device, AI-ModelCard)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from radiolucent.records.result import DISCLAIMER, EngineRef
from radiolucent.report.fhir import systems
from radiolucent.report.fhir.datatypes import Resource, coded, concept, identifier, instant, present, text
from radiolucent.report.fhir.device import engine_entry, software_entry
from radiolucent.report.fhir.scene import engine_name
from radiolucent.report.fhir.transaction import Entry, condition, name_uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class Carded:
    """An engine with what its maker says of it: intended use, and the whole card in Markdown."""

    engine: EngineRef
    intended_use: str
    card: str


def transparency_bundle(engines: Sequence[Carded], *, version: str, device_uid: str, made_at: datetime) -> Resource:
    """A collection: the software, and for each engine its Device and the DocumentReference of its card.

    A Device is the one that results name; it points at its card.

    Raises
    ------
    InvariantBroken
        ``datetime_without_zone``.
    """
    software = software_entry(version, device_uid)
    entries = [software]
    for each in engines:
        card = _card_entry(each, made_at)
        entries += [_device_entry(each, card, software), card]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": instant(made_at),
        "entry": [{"fullUrl": entry.full_url, "resource": entry.resource} for entry in entries],
    }


def _device_entry(carded: Carded, card: Entry, software: Entry) -> Entry:
    plain = engine_entry(carded.engine, software=software.reference("Radiolucent"))
    kind = coded(systems.AI_DEVICE_TYPE, "Deep-Learning-Models", "Deep Learning Models")
    said = present(
        meta={"profile": [systems.AI_DEVICE]},
        extension=[
            {"url": systems.AI_KIND, "valueCodeableConcept": kind},
            {"url": systems.MODEL_CARD_OF, "valueReference": card.reference(_title(carded.engine))},
        ],
        note=[{"text": text(carded.intended_use)}] if text(carded.intended_use) else None,
        safety=[concept(words=DISCLAIMER)],
    )
    return Entry(uuid=plain.uuid, resource={**plain.resource, **said}, found_by=plain.found_by, is_ours=plain.is_ours)


def _card_entry(carded: Carded, made_at: datetime) -> Entry:
    engine = carded.engine
    uuid = name_uuid("model card", engine.id, engine.version, engine.sha256, carded.card)
    content = carded.card.encode("utf-8")
    return Entry(
        uuid=uuid,
        resource=present(
            resourceType="DocumentReference",
            meta={"profile": [systems.AI_MODEL_CARD]},
            identifier=[identifier(systems.MODEL_CARD, str(uuid))],
            status="current",
            type=coded(systems.AI_INPUTS, "AIModelCard", "AI Model-Card"),
            category=[coded(systems.AI_INPUTS, "AIModelCardMarkdownFormat", "Markdown Format")],
            date=instant(made_at),
            description=_title(engine),
            content=[
                {
                    "attachment": {
                        "contentType": "text/markdown",
                        "language": "en",
                        "data": base64.b64encode(content).decode("ascii"),
                        "size": len(content),
                        "title": f"{engine.id}.md",
                    }
                }
            ],
        ),
        found_by=condition("identifier", systems.MODEL_CARD, str(uuid)),
        is_ours=True,
    )


def _title(engine: EngineRef) -> str:
    return f"Card of {text(engine_name(engine))}"
