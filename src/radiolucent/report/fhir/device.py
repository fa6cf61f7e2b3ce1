"""The software and its engines as devices (HL7 AI Transparency on FHIR; DICOM SR to FHIR: algorithm under equipment).

A device is identified by what it is made of, so another network is another device, and an old result keeps naming the
one that made it.
"""

from __future__ import annotations

from radiolucent.records.result import EngineRef
from radiolucent.report.fhir import systems
from radiolucent.report.fhir.datatypes import Resource, coding, concept, identifier, present, text, uid_identifier
from radiolucent.report.fhir.scene import engine_name
from radiolucent.report.fhir.transaction import Entry, condition, name_uuid
from radiolucent.standards import codes

_NAME = "Radiolucent"


def software_entry(version: str, device_uid: str) -> Entry:
    """This software, the equipment that the engines run in."""
    uuid = name_uuid("software", version)
    return Entry(
        uuid=uuid,
        resource=present(
            resourceType="Device",
            identifier=[i for i in (identifier(systems.DEVICE, str(uuid)), uid_identifier(device_uid)) if i],
            status="active",
            manufacturer=_NAME,
            deviceName=[{"name": _NAME, "type": "user-friendly-name"}],
            version=[{"value": text(version)}] if text(version) else None,
        ),
        found_by=condition("identifier", systems.DEVICE, str(uuid)),
        is_ours=False,
    )


def engine_entry(engine: EngineRef, *, software: Resource) -> Entry:
    """An engine: the algorithm, under the software that ran it. It has no UDI, for it is no medical device."""
    uuid = name_uuid("engine", engine.id, engine.version, engine.sha256)
    return Entry(
        uuid=uuid,
        resource=present(
            resourceType="Device",
            identifier=[i for i in (identifier(systems.DEVICE, str(uuid)), uid_identifier(engine.device_uid)) if i],
            status="active",
            serialNumber=text(engine.sha256),
            deviceName=[
                {"name": engine_name(engine), "type": "user-friendly-name"},
                {"name": text(engine.id), "type": "model-name"},
            ],
            modelNumber=text(engine.id),
            type=concept(
                coding(codes.ARTIFICIAL_INTELLIGENCE),
                {"system": systems.AI_DEVICE_TYPE, "code": "Artificial-Intelligence"},
                words="Artificial intelligence",
            ),
            version=[{"value": text(engine.version)}] if text(engine.version) else None,
            parent=software,
        ),
        found_by=condition("identifier", systems.DEVICE, str(uuid)),
        is_ours=False,
    )
