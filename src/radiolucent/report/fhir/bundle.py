"""A study report as one FHIR R4 transaction: everything of it is stored, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from radiolucent.errors import InvariantBroken
from radiolucent.records.result import EngineRef
from radiolucent.records.study import InstanceRef, StudyFinding, StudyReport
from radiolucent.report.fhir import media, observation, stated, systems
from radiolucent.report.fhir.datatypes import Resource, identifier
from radiolucent.report.fhir.device import engine_entry, software_entry
from radiolucent.report.fhir.diagnostic_report import report_entry
from radiolucent.report.fhir.imaging_study import study_entry
from radiolucent.report.fhir.options import FhirOptions
from radiolucent.report.fhir.provenance import provenance_entry
from radiolucent.report.fhir.scene import Scene
from radiolucent.report.fhir.subject import order_reference, patient_entry
from radiolucent.report.fhir.transaction import Entry


def build_bundle(report: StudyReport, options: FhirOptions, *, earlier: Sequence[StudyReport] = ()) -> Resource:
    """The transaction Bundle of a report, as JSON values.

    The same arguments give the same bundle, and a server that takes it twice holds what it held after the first time.

    Parameters
    ----------
    earlier
        Reports of the same study that may have been sent before. What they said and this one no longer says is
        withdrawn; without them a receiver would keep it as preliminary.

    Raises
    ------
    InvariantBroken
        ``finding_twice``, ``result_not_finite``, ``datetime_without_zone``: a report that contradicts itself.
    """
    _check_unique(report.findings)
    patient = patient_entry(report.context, options)
    order = order_reference(report.context, options)
    study = study_entry(report, options, patient=patient.reference(), order=order)
    scene = Scene(report=report, options=options, patient=patient.reference(), study=study.reference(), order=order)
    software = software_entry(report.software_version, options.software_device_uid)

    shown = [] if report.state == "retracted" else _shown(scene)
    by_image = {entry.uuid: entry for entry, _ in shown}
    standing = [] if report.state == "retracted" else _standing(scene, by_image.values())
    lapsed = _lapsed(scene, standing=standing, shown=list(by_image.values()), earlier=earlier)
    said_by_person = [] if report.state == "retracted" else stated.stated_entries(scene)
    lapsed += _lapsed_statements(scene, standing=said_by_person, earlier=earlier)
    findings = (
        [*standing, *said_by_person] if report.state != "retracted" else [e for e in lapsed if _is(e, "Observation")]
    )

    diagnostic = report_entry(scene, findings=findings, media=_captions(shown), software=software)
    engines = _engines(report)
    ours = [diagnostic, *standing, *said_by_person, *(e for e in by_image.values() if "meta" in e.resource), *lapsed]
    entries = [
        patient,
        study,
        software,
        *(engine_entry(engine, software=software.reference()) for engine in engines),
        *by_image.values(),
        *standing,
        *said_by_person,
        *lapsed,
        diagnostic,
        provenance_entry(scene, targets=ours, engines=engines, software=software),
    ]
    return {
        "resourceType": "Bundle",
        "identifier": identifier(systems.REPORT_REVISION, report.report_id),
        "type": "transaction",
        "timestamp": scene.issued,
        "entry": [entry.as_json() for entry in entries],
    }


def _check_unique(findings: Iterable[StudyFinding]) -> None:
    seen = [(f.engine.id, f.key) for f in findings]
    if len(set(seen)) != len(seen):
        raise InvariantBroken(
            "finding_twice",
            found="two findings of one engine under one key in a study's report",
            expected="each finding of an engine once in a study",
            action="Please report this defect.",
        )


def _is(entry: Entry, kind: str) -> bool:
    return bool(entry.resource["resourceType"] == kind)


def _engines(report: StudyReport) -> list[EngineRef]:
    """Engines of the report and of its findings, each once."""
    found = [*report.engines, *(f.engine for f in report.findings)]
    return list({(e.id, e.version, e.sha256): e for e in found}.values())


def _images_of(finding: StudyFinding) -> tuple[InstanceRef | None, tuple[InstanceRef, ...]]:
    """The explanation and the key images of a finding; a negative one shows none."""
    return (finding.explanation, finding.images) if finding.positive and not finding.is_rejected else (None, ())


def _shown(scene: Scene) -> list[tuple[Entry, str]]:
    """Images with the finding each is shown for, most critical finding first and its explanation before its images.

    A finding that a person rejected shows none any more.
    """
    shown = []
    for finding in scene.report.findings:
        explanation, images = _images_of(finding)
        if explanation is not None:
            entry = media.explanation_entry(finding, explanation, scene)
            shown.append((entry, f"Visual explanation: {finding.display}"))
        shown += [(media.key_image_entry(i, scene), f"Key image: {finding.display}") for i in images]
    return shown


def _captions(shown: Sequence[tuple[Entry, str]]) -> list[tuple[Entry, str]]:
    """Each image once, under all that is said of it."""
    words: dict[str, list[str]] = {}
    entries: dict[str, Entry] = {}
    for entry, said in shown:
        entries.setdefault(entry.full_url, entry)
        words.setdefault(entry.full_url, []).append(said)
    return [(entry, "; ".join(dict.fromkeys(words[url]))) for url, entry in entries.items()]


def _standing(scene: Scene, images: Iterable[Entry]) -> list[Entry]:
    by_key = {entry.resource["identifier"][0]["value"]: entry for entry in images}
    entries = []
    for finding in scene.report.findings:
        explanation, sources = _images_of(finding)
        refs = [r for r in (explanation, *sources) if r is not None]
        own = {media.image_key(r): by_key[media.image_key(r)] for r in refs}
        entries.append(observation.finding_entry(finding, scene, images=list(own.values())))
    return entries


def _lapsed(
    scene: Scene, *, standing: Sequence[Entry], shown: Sequence[Entry], earlier: Sequence[StudyReport]
) -> list[Entry]:
    """What was said before and is said no more; of a retraction, everything."""
    report = scene.report
    said = [*report.findings, *(f for one in earlier for f in one.findings)]
    found = [observation.withdrawn_entry(f, report=report, options=scene.options, patient=scene.patient) for f in said]
    found += [
        media.withdrawn_entry(f.explanation, report=report, patient=scene.patient)
        for f in said
        if f.positive and f.explanation is not None
    ]
    kept = {entry.uuid for entry in (*standing, *shown)}
    return list({e.uuid: e for e in reversed(found) if e.uuid not in kept}.values())[::-1]


def _lapsed_statements(scene: Scene, *, standing: Sequence[Entry], earlier: Sequence[StudyReport]) -> list[Entry]:
    """What persons stated in earlier decisions; of a retraction, what they state in this one."""
    kept = {entry.uuid for entry in standing}
    found = [entry for said in (scene.report, *earlier) for entry in stated.withdrawn_statements(scene, said)]
    return list({entry.uuid: entry for entry in found if entry.uuid not in kept}.values())
