"""Which earlier study a study is compared with, and the comparison: in the report, and as a file beside the result.

Films are compared, each with the film of the same view. The slices of two stacks are not the same slices, so stacks are
not.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from radiolucent.deliver.folder import write_bytes
from radiolucent.errors import RadiolucentError
from radiolucent.ingest.pull import Candidate, Current, choose_priors
from radiolucent.logs import event
from radiolucent.pipeline.compare import compare_folders
from radiolucent.pipeline.study_context import study_context
from radiolucent.records.comparison import Comparison, FindingChange
from radiolucent.records.engine import EngineSpec
from radiolucent.records.study import PriorChange, StudyFinding, StudyReport
from radiolucent.report.comparison_json import comparison_json
from radiolucent.report.result_json import Json, dumps
from radiolucent.store.priors import KeptStudy, read_before
from radiolucent.store.work import StudyRow

log = logging.getLogger(__name__)
COMPARISON = "comparison.json"
MOST_CANDIDATES = 50
MODALITY, BODY_PART = "00080060", "00180015"
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """The earlier study of a comparison: its key and result folder, UID, and date (``YYYY-MM-DD`` or empty)."""

    study_key: str
    study_instance_uid: str
    date: str
    folder: Path


def folder_of(root: Path, study_key: str, revision: int) -> Path:
    """Where the result of a study's revision is kept."""
    return root / "results" / study_key / f"{revision:04d}"


def prior_of(kept: Sequence[KeptStudy], study: StudyRow, headers: Sequence[str], *, root: Path) -> Prior | None:
    """The most recent earlier study of the same kind among those of the patient, or ``None``.

    Parameters
    ----------
    headers
        Image headers of the study that asks, as DICOM JSON.
    """
    current = current_of(study, headers)
    by_uid = {each.study_instance_uid: each for each in kept}
    found = [_described(each.study_instance_uid, each.header, each.headers) for each in kept]
    chosen = choose_priors(found, of=current, limit=1)
    if not chosen:
        return None
    best, day = by_uid[chosen[0].study_instance_uid], chosen[0].started
    return Prior(
        study_key=best.study_key,
        study_instance_uid=best.study_instance_uid,
        date=f"{day[:4]}-{day[4:6]}-{day[6:8]}" if len(day) >= 8 else "",
        folder=folder_of(root, best.study_key, best.revision),
    )


def current_of(study: StudyRow, headers: Sequence[str]) -> Current:
    """A study as the one that wants priors; ``headers`` are of its images, as DICOM JSON."""
    described = _described(study.study_instance_uid, study.header, headers)
    return Current(
        study_instance_uid=study.study_instance_uid,
        modality=next(iter(described.modalities), ""),
        body_part=next(iter(described.body_parts), ""),
        started=described.started,
    )


def _described(study_instance_uid: str, header: str, headers: Sequence[str]) -> Candidate:
    said: Document = json.loads(header)
    date, time = (_value(said, tag) for tag in ("00080020", "00080030"))
    images = [json.loads(each) for each in headers]
    return Candidate(
        study_instance_uid=study_instance_uid,
        patient_id="",
        started=date + time.split(".")[0] if date else "",
        modalities=_all(images, MODALITY),
        body_parts=_all(images, BODY_PART),
    )


def _value(header: Document, tag: str) -> str:
    values = header.get(tag, {}).get("Value") or [""]
    return str(values[0] or "").strip()


def _all(headers: Sequence[Document], tag: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value.upper() for each in headers if (value := _value(each, tag))))


def with_changes(report: StudyReport, folder: Path, prior: Prior, *, specs: Sequence[EngineSpec]) -> StudyReport:
    """The report with what changed since ``prior``; as it was where nothing can be compared, whatever the reason.

    The comparisons of all pairs of images are written to ``comparison.json`` in ``folder``.
    """
    try:
        compared = _compare(folder, prior.folder, specs)
        document: dict[str, Json] = {
            "prior": {"study_key": prior.study_key, "date": prior.date},
            "comparisons": [comparison_json(each) for each in compared],
        }
        write_bytes(folder / COMPARISON, dumps(document).encode("utf-8"))
    except (RadiolucentError, OSError, ValueError, KeyError) as error:
        event(log, "comparison_failed", level=logging.WARNING, kind=type(error).__name__)
        return report
    return replace(report, findings=tuple(_changed(each, compared, prior) for each in report.findings))


def _compare(current: Path, prior: Path, specs: Sequence[EngineSpec]) -> list[Comparison]:
    now, before = _films(current), _films(prior)
    pairs = ((path, _same_view(document, before)) for path, document in now.items())
    return [compare_folders(other, path, specs=specs) for path, other in pairs if other is not None]


def _films(folder: Path) -> dict[Path, Document]:
    """Read images that are no slices of a stack, by their folders."""
    found = {path.parent: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*/result.json"))}
    stacks = {path.parent.name for path in folder.glob("*/series.json")}
    return {
        path: document
        for path, document in found.items()
        if document["status"] == "processed" and document["image"]["series_instance_uid"] not in stacks
    }


def _same_view(document: Document, others: Mapping[Path, Document]) -> Path | None:
    def key(of: Document) -> tuple[object, ...]:
        return (of["engine"]["id"], of["image"]["view"], of["image"]["laterality"])

    return next((path for path, other in others.items() if key(other) == key(document)), None)


def _changed(finding: StudyFinding, compared: Sequence[Comparison], prior: Prior) -> StudyFinding:
    """The finding with its change on the image on which it is most plain."""
    shown = finding.images[0].sop_instance_uid if finding.images else ""
    for each in compared:
        is_here = each.engine is not None and each.engine.id == finding.engine.id and each.comparable
        if is_here and each.current.sop_instance_uid == shown:
            for change in each.changes:
                if change.key == finding.key and (change.prior_positive or change.current_positive):
                    return replace(finding, change=_change(change, each, prior))
    return finding


def _change(change: FindingChange, compared: Comparison, prior: Prior) -> PriorChange:
    return PriorChange(
        change=change.change,
        prior_study_instance_uid=prior.study_instance_uid,
        prior_date=prior.date,
        prior_probability=change.prior_probability,
        reasons=change.reasons,
        cautions=(*compared.cautions, *change.cautions),
    )


def kept_before(connection: Connection, study: StudyRow) -> list[KeptStudy]:
    """Studies of the same patient that were read and still have their result."""
    return read_before(connection, study_context(study, None).patient, but=study.study_key, limit=MOST_CANDIDATES)
