"""Images that a result points at: key images, and the pictures that explain a finding.

R4 has no ImagingSelection. Media is what R4 consumers show beside a report (``DiagnosticReport.media``) and what
``Observation.derivedFrom`` may name; the elements of R5 ImagingSelection travel in an extension under their R5 names.
"""

from __future__ import annotations

from radiolucent.records.study import InstanceRef, StudyFinding, StudyReport
from radiolucent.report.fhir import systems
from radiolucent.report.fhir.datatypes import UID, Resource, coding, concept, identifier, present, text, uid_identifier
from radiolucent.report.fhir.labels import meta
from radiolucent.report.fhir.scene import Scene
from radiolucent.report.fhir.transaction import Entry, condition, name_uuid
from radiolucent.standards import codes

_TYPE = {"system": systems.MEDIA_TYPE, "code": "image", "display": "Image"}


def explanation_entry(finding: StudyFinding, image: InstanceRef, scene: Scene) -> Entry:
    """The picture that shows where a finding's evidence lies: DCM 130401 "Visual explanation"."""
    method = text(finding.engine.method)
    return _entry(
        image,
        present(
            resourceType="Media",
            meta=meta(scene.report),
            extension=_selection(image, is_explanation=True),
            identifier=_identifiers(image),
            partOf=[scene.study],
            status="completed",
            type=concept(_TYPE),
            subject=scene.patient,
            createdDateTime=scene.issued,
            issued=scene.issued,
            reasonCode=[concept(coding(codes.VISUAL_EXPLANATION), words="Visual explanation")],
            device=scene.device(finding.engine),
            content=_content(image, scene, f"Visual explanation: {finding.display}"),
            note=[
                {
                    "text": text(
                        f"Where the evidence for {finding.display} lies"
                        f"{f' ({method})' if method else ''}: evidence about the model, not proof about the patient."
                    )
                }
            ],
        ),
    )


def key_image_entry(image: InstanceRef, scene: Scene) -> Entry:
    """A source image (or frame) on which findings are most plain."""
    frame = f", frame {image.frame_number}" if image.frame_number > 1 else ""
    return _entry(
        image,
        present(
            resourceType="Media",
            extension=_selection(image, is_explanation=False),
            identifier=_identifiers(image),
            partOf=[scene.study],
            status="completed",
            type=concept(_TYPE),
            subject=scene.patient,
            createdDateTime=scene.effective,
            content=_content(image, scene, f"Key image{frame}"),
        ),
    )


def withdrawn_entry(image: InstanceRef, *, report: StudyReport, patient: Resource) -> Entry:
    """A picture of ours that no longer holds: what it showed is taken out of the current version."""
    return _entry(
        image,
        {
            "resourceType": "Media",
            "meta": meta(report),
            "identifier": _identifiers(image),
            "status": "entered-in-error",
            "type": concept(_TYPE),
            "subject": patient,
            "content": {"title": "Withdrawn"},
        },
    )


def image_key(image: InstanceRef) -> str:
    """The name of an image or frame in our own identifier system."""
    return str(name_uuid("image", image.sop_instance_uid, str(image.frame_number)))


def _entry(image: InstanceRef, resource: Resource) -> Entry:
    return Entry(
        uuid=name_uuid("image", image.sop_instance_uid, str(image.frame_number)),
        resource=resource,
        found_by=condition("identifier", systems.IMAGE, image_key(image)),
        is_ours=True,
    )


def _identifiers(image: InstanceRef) -> list[Resource]:
    return [i for i in (identifier(systems.IMAGE, image_key(image)), uid_identifier(image.sop_instance_uid)) if i]


def _content(image: InstanceRef, scene: Scene, title: str) -> Resource:
    base, url = scene.options.wado_url, None
    if base and image.series_instance_uid:
        url = (
            f"{base.rstrip('/')}/studies/{scene.report.context.study_instance_uid}"
            f"/series/{image.series_instance_uid}/instances/{image.sop_instance_uid}"
        )
    return present(contentType="application/dicom", url=url, title=text(title))


def _selection(image: InstanceRef, *, is_explanation: bool) -> list[Resource]:
    """Code, series and instance (with its frame) as R5 ImagingSelection has them."""
    if not UID.fullmatch(image.sop_instance_uid):
        return []
    parts: list[Resource] = []
    if is_explanation:
        parts.append({"url": "code", "valueCodeableConcept": concept(coding(codes.VISUAL_EXPLANATION))})
    if UID.fullmatch(image.series_instance_uid):
        parts.append({"url": "seriesUid", "valueId": image.series_instance_uid})
    instance: list[Resource] = [{"url": "uid", "valueId": image.sop_instance_uid}]
    if UID.fullmatch(image.sop_class_uid):
        sop_class = {"system": systems.URI, "code": f"urn:oid:{image.sop_class_uid}"}
        instance.append({"url": "sopClass", "valueCoding": sop_class})
    if image.frame_number > 1:
        instance.append({"url": "subset", "valueString": str(image.frame_number)})
    parts.append({"url": "instance", "extension": instance})
    return [{"url": systems.IMAGING_SELECTION, "extension": parts}]
