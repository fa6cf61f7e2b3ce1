"""From a study's result folder to its report and the rows of its objects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.uid import UID

import radiolucent
from radiolucent.judge.study import ImageReading, StackReading, StudyReading, judge_study
from radiolucent.prepare.identity import identify, split_part10
from radiolucent.records.engine import Code
from radiolucent.records.result import EngineRef, Reason
from radiolucent.records.study import (
    InstanceRef,
    ObjectKind,
    ReportState,
    ResultObject,
    StudyContext,
    StudyFinding,
    StudyReport,
)
from radiolucent.store.kept import ObjectRow
from radiolucent.store.work import SourceRow

KINDS: dict[str, ObjectKind] = {
    "1.2.840.10008.5.1.4.1.1.88.34": "structured_report",
    "1.2.840.10008.5.1.4.1.1.7": "secondary_capture",
    "1.2.840.10008.5.1.4.1.1.7.4": "secondary_capture",
    "1.2.840.10008.5.1.4.1.1.30": "parametric_map",
    "1.2.840.10008.5.1.4.1.1.66.4": "segmentation",
    "1.2.840.10008.5.1.4.1.1.11.1": "presentation_state",
    "1.2.840.10008.5.1.4.1.1.88.59": "rejection",
}
"""Kinds of our objects by SOP Class (PS3.4 annex B.5)."""
ORDER: tuple[ObjectKind, ...] = (
    *("secondary_capture", "parametric_map", "segmentation", "presentation_state", "structured_report", "rejection"),
)
"""In which objects are told of and sent: pictures first, and before whatever refers to them."""
IDENTITY = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID")


def report_id(study_instance_uid: str, revision: int, engines: Sequence[EngineRef], state: ReportState) -> str:
    """The same for the same study, revision, engines and state; 32 hexadecimal digits."""
    parts = [study_instance_uid, str(revision), state, *(f"{e.id} {e.version} {e.sha256}" for e in engines)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def object_rows(folder: Path, root: Path, *, implementation_class_uid: str) -> list[ObjectRow]:
    """Every DICOM object under a result folder, as the store keeps it.

    By image, then by kind, then by their own numbers: the picture of the most critical finding comes first.
    """
    rows = []
    for path in sorted(folder.glob("**/dicom/*.dcm")):
        data = path.read_bytes()
        dataset, syntax = split_part10(data)
        found = identify(
            dataset,
            transfer_syntax_uid=syntax,
            calling_ae="",
            peer="",
            implementation_class_uid=implementation_class_uid,
        ).received
        source = path.parent.parent.relative_to(folder).as_posix().split("/")[0]
        rows.append(
            ObjectRow(
                sop_instance_uid=found.sop_instance_uid,
                sop_class_uid=found.sop_class_uid,
                series_instance_uid=found.series_instance_uid,
                transfer_syntax_uid=syntax,
                kind=KINDS[found.sop_class_uid],
                source_uid=source,
                sha256=hashlib.sha256(data).hexdigest(),
                size_bytes=len(data),
                path=path.relative_to(root).as_posix(),
                header=found.instance_header,
            )
        )
    return sorted(rows, key=_place)


def _place(row: ObjectRow) -> tuple[str, int, int]:
    number = json.loads(row.header).get("00200013", {}).get("Value", [0])[0]
    return row.source_uid, ORDER.index(KINDS[row.sop_class_uid]), int(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a report is about; ``replaces``: the identity of the report before it."""

    images: Sequence[SourceRow]
    context: StudyContext
    revision: int
    replaces: str | None


def build_report(folder: Path, source: Source, *, objects: Sequence[ObjectRow], now: datetime) -> StudyReport:
    """The report of a study whose images were read into ``folder``."""
    known = {row.sop_instance_uid: row for row in source.images}
    captures = _captures(folder)
    images = [
        _image(json.loads(path.read_text(encoding="utf-8")), path.parent, known, captures)
        for path in sorted(folder.glob("*/result.json"))
    ]
    stacks = [_stack(json.loads(p.read_text(encoding="utf-8"))) for p in sorted(folder.glob("*/series.json"))]
    return _assemble(judge_study(images, stacks), source, objects=objects, now=now)


def not_processed(reason: Reason, source: Source, *, now: datetime) -> StudyReport:
    """The report of a study that no engine could read: not the same as one with nothing found."""
    reading = StudyReading(
        status="not_processed", engines=(), findings=(), refusals=(reason,), impression=f"Not processed. {reason.text}"
    )
    return _assemble(reading, source, objects=(), now=now)


def _assemble(reading: StudyReading, source: Source, *, objects: Sequence[ObjectRow], now: datetime) -> StudyReport:
    state: ReportState = "preliminary" if source.replaces is None else "corrected"
    headers = [json.loads(row.header) for row in source.images]
    modality = next((str(h["00080060"]["Value"][0]) for h in headers if h.get("00080060", {}).get("Value")), "")
    return StudyReport(
        report_id=report_id(source.context.study_instance_uid, source.revision, reading.engines, state),
        revision=source.revision,
        state=state,
        status=reading.status,
        context=source.context,
        produced_at=now,
        software_version=radiolucent.__version__,
        engines=reading.engines,
        findings=reading.findings,
        refusals=reading.refusals,
        images=tuple(_ref(row) for row in source.images),
        objects=tuple(result_object(row) for row in objects),
        impression=reading.impression,
        modality=modality,
        replaces=source.replaces,
    )


def standing_objects(report: StudyReport, earlier: Sequence[StudyReport]) -> tuple[ResultObject, ...]:
    """Objects of a report, and of what people have signed before it (``earlier``: oldest first), but for notes.

    What was taken back, and everything before it, stands no more.
    """
    found = {each.instance.sop_instance_uid: each for each in report.objects if each.kind != "rejection"}
    for before in reversed(earlier):
        if before.state == "retracted":
            break
        if before.is_signed:
            for each in before.objects:
                if each.kind != "rejection":
                    found.setdefault(each.instance.sop_instance_uid, each)
    return tuple(found.values())


def _ref(row: SourceRow) -> InstanceRef:
    return InstanceRef(
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        series_instance_uid=row.series_instance_uid,
    )


def result_object(row: ObjectRow) -> ResultObject:
    """An object as a report names it."""
    return ResultObject(kind=KINDS[row.sop_class_uid], instance=row.ref, source_sop_instance_uid=row.source_uid)


def _captures(folder: Path) -> dict[tuple[str, str], InstanceRef]:
    """By source folder and finding key: the secondary capture that shows its map."""
    found = {}
    for path in sorted(folder.glob("**/dicom/sc-*.dcm")):
        header = dcmread(
            path, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"]
        )
        where = path.parent.parent.relative_to(folder).as_posix()
        found[(where, path.stem.removeprefix("sc-"))] = InstanceRef(
            sop_class_uid=UID(header.SOPClassUID),
            sop_instance_uid=UID(header.SOPInstanceUID),
            series_instance_uid=UID(header.SeriesInstanceUID),
        )
    return found


def _image(
    document: Mapping[str, Any],
    folder: Path,
    classes: Mapping[str, SourceRow],
    captures: Mapping[tuple[str, str], InstanceRef],
) -> ImageReading:
    image = document["image"]
    uid = image["sop_instance_uid"] or folder.name
    row = classes.get(uid)
    ref = InstanceRef(
        sop_class_uid="" if row is None else row.sop_class_uid,
        sop_instance_uid=uid,
        series_instance_uid=image["series_instance_uid"] or ("" if row is None else row.series_instance_uid),
        frame_number=image["frame"] or 1,
    )
    engine = None if document["engine"] is None else EngineRef(**document["engine"])
    reason = None if document["reason"] is None else Reason(**document["reason"])
    where = folder.name if image["frames"] in (None, 1) else f"{folder.name}/frame-{ref.frame_number:04d}"
    findings = (
        ()
        if engine is None
        else tuple(_finding(f, engine, ref, captures.get((where, f["key"]))) for f in document["findings"])
    )
    return ImageReading(
        image=ref, engine=engine, reason=reason, findings=findings, impression=str(document["impression"])
    )


def _finding(
    found: Mapping[str, Any], engine: EngineRef, image: InstanceRef, capture: InstanceRef | None
) -> StudyFinding:
    shown = found["explanation"] or {}
    return StudyFinding(
        engine=engine,
        key=found["key"],
        display=found["display"],
        code=Code(**found["code"]),
        critical=found["critical"],
        alert=found["alert"],
        probability=found["probability"],
        threshold=found["threshold"],
        positive=found["positive"],
        confidence=found["confidence"],
        reasons=tuple(found["reasons"]),
        flags=tuple(found["flags"]),
        images=(image,),
        zone=shown.get("zone") if capture is not None else None,
        in_expected_region=shown.get("in_expected_region"),
        explanation=capture,
    )


def _stack(document: Mapping[str, Any]) -> StackReading:
    return StackReading(
        series_instance_uid=document["series_instance_uid"],
        engine_id=document["engine"]["id"],
        findings={f["key"]: (f["probability"], f["positive"]) for f in document["findings"]},
        impression=document["impression"],
    )
