"""Last stage: explain, judge, report, and hand over to the folder, for one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from radiolucent.deliver.folder import needing_room, whole_folder
from radiolucent.deliver.image_folder import write_anatomy, write_dicom, write_evidence, write_picture, write_text
from radiolucent.explain.anatomy import Drawn, crop_to_source, measure
from radiolucent.explain.explain import explain
from radiolucent.judge.guards import content_guards
from radiolucent.judge.judge import judge, refused
from radiolucent.pipeline.options import Options
from radiolucent.pipeline.work import Inferred, Refused
from radiolucent.records.engine import EngineSpec
from radiolucent.records.image import ImageFacts
from radiolucent.records.result import Explanation, Finding, ImageResult
from radiolucent.report.dicom import DicomOptions, build_objects
from radiolucent.report.html import data_uri, render_html
from radiolucent.report.overlay import Overlay, render_overlay, render_plain, thumbnail
from radiolucent.report.result_json import Json, dumps, to_json

PAGE_SIDE = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """An image whose folder is whole: its result without maps, and its JSON."""

    label: str
    folder: str
    result: ImageResult
    document: dict[str, Json]
    milliseconds: float


class Stopwatch:
    """Milliseconds by step."""

    def __init__(self, **before: float) -> None:
        self.steps: dict[str, float] = dict(before)
        self._started = perf_counter()

    def lap(self, step: str) -> None:
        """Everything since the last lap belongs to ``step`` too."""
        now = perf_counter()
        self.steps[step] = round(self.steps.get(step, 0.0) + (now - self._started) * 1000, 2)
        self._started = now

    @property
    def total(self) -> float:
        """Sum of all steps."""
        return round(sum(self.steps.values()), 2)


def finish(item: Inferred, *, options: Options, now: datetime, software: str) -> Finished:
    """Everything after inference, ending with a whole folder.

    Raises
    ------
    SettingsError
        ``disk_full`` when the output folder takes no more.
    """
    prepared, frame = item.prepared, item.prepared.frame
    spec, facts = frame.opened.spec, prepared.facts
    watch = Stopwatch(prepare=round(prepared.prepare_ms, 2), infer=round(item.infer_ms, 2))
    content = content_guards(item.inference, spec)
    if content.refusals and options.guards == "refuse":
        raise content.refusals[0]
    regions = Drawn(item.inference, spec)
    said = partial(
        judge,
        item.inference,
        spec,
        facts=facts,
        measures=measure(item.inference, spec, facts=facts, drawn=regions),
        flags=(*frame.opened.flags, *content.flags),
        notes=prepared.notes,
    )
    wanted = _wanted(said(explanations={}), spec, options)
    watch.lap("judge")
    explanations = _explanations(item, wanted, regions)
    watch.lap("explain")
    result = said(explanations=explanations)
    watch.lap("judge")
    display = prepared.display8.astype(np.float32) / np.float32(255.0)
    header = None if frame.opened.instance is None else frame.opened.instance.dataset
    drawn = item.inference.anatomy
    page = _Page(
        label=frame.opened.file.label,
        result=result,
        display=display,
        header=header,
        spec=spec,
        anatomy=None if drawn is None else crop_to_source(drawn, prepared.input.geometry),
    )
    document = _write(page, frame.folder, options=options, now=now, software=software, watch=watch)
    return Finished(
        label=frame.opened.file.label,
        folder=frame.folder,
        result=_without_maps(result),
        document=document,
        milliseconds=watch.total,
    )


def finish_refused(item: Refused, *, options: Options, now: datetime, software: str) -> Finished:
    """A refusal as a result, in its own folder, with a report object where the header allows one."""
    facts = item.facts or ImageFacts(stem=item.stem, source_sha256=item.sha256 or "", rows=0, columns=0)
    result = refused(item.reason, facts=facts, spec=item.spec)
    watch = Stopwatch()
    page = _Page(label=item.label, result=result, display=None, header=item.header, spec=item.spec)
    document = _write(page, item.folder, options=options, now=now, software=software, watch=watch)
    return Finished(label=item.label, folder=item.folder, result=result, document=document, milliseconds=watch.total)


def _wanted(first: ImageResult, spec: EngineSpec, options: Options) -> dict[str, int]:
    """Finding key to the index of the trained finding whose map explains it."""
    if options.maps == "none":
        return {}
    index = {f.key: k for k, f in enumerate(spec.findings)}
    base = {d.key: d.base for d in spec.derived}
    return {
        f.key: index[key]
        for f in first.findings
        if (f.positive or options.maps == "all") and f.display_class != "notify-only"
        if (key := base.get(f.key, f.key)) is not None
    }


def _explanations(item: Inferred, wanted: Mapping[str, int], regions: Drawn) -> dict[str, Explanation]:
    prepared = item.prepared
    made = explain(
        item.inference,
        wanted.values(),
        engine=prepared.frame.opened.spec,
        geometry=prepared.input.geometry,
        facts=prepared.facts,
        display8=prepared.display8,
        drawn=regions,
    )
    return {key: made[k] for key, k in wanted.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    label: str
    result: ImageResult
    display: NDArray[np.float32] | None
    header: Dataset | None
    spec: EngineSpec | None

    anatomy: NDArray[np.float32] | None = None

    @property
    def explained(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.result.findings if f.explanation is not None)

    @property
    def drawn(self) -> ImageResult:
        """The result without maps that may not be drawn: what pictures, pages and objects show."""
        return replace(self.result, findings=tuple(replace(f, explanation=f.shown) for f in self.result.findings))


def _write(
    page: _Page, folder: str, *, options: Options, now: datetime, software: str, watch: Stopwatch
) -> dict[str, Json]:
    parent, name = (options.out / folder).parent, Path(folder).name
    with needing_room():
        parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(parent, name) as scratch:
            return _fill(page, scratch, options=options, now=now, software=software, watch=watch)


def _fill(
    page: _Page, scratch: Path, *, options: Options, now: datetime, software: str, watch: Stopwatch
) -> dict[str, Json]:
    overlays = _overlays(page, options)
    watch.lap("draw")
    evidence_paths = {f.key: write_evidence(scratch, f.key, f.explanation.map) for f in page.explained if f.explanation}
    shown = overlays if options.with_pages else {}
    overlay_paths = {key: write_picture(scratch, f"overlay/{key}.png", o.pixels) for key, o in shown.items()}
    watch.lap("write_maps")
    regions = () if page.spec is None or page.spec.anatomy is None else page.spec.anatomy.regions
    anatomy = None if page.anatomy is None else write_anatomy(scratch, page.anatomy)
    objects = _objects(page, scratch, overlays, options=options, now=now, software=software)
    watch.lap("dicom")
    document = to_json(
        page.result,
        timing_ms=watch.steps | {"total": watch.total},
        objects=objects,
        evidence_paths=evidence_paths,
        overlay_paths=overlay_paths,
        anatomy=None if anatomy is None else (anatomy, regions),
    )
    write_text(scratch, "result.json", dumps(document))
    if options.with_pages:
        write_text(scratch, "report.html", _html(page, options))
    return document


def _overlays(page: _Page, options: Options, *, max_side: int | None = None) -> dict[str, Overlay]:
    engine = page.result.engine
    if page.display is None or engine is None:
        return {}
    return {
        f.key: render_overlay(
            page.display,
            f.explanation,
            finding=f.display,
            probability=f.probability,
            confidence=f.confidence,
            engine_id=engine.id,
            engine_version=engine.version,
            colour_map=options.colour_map,
            max_side=max_side,
        )
        for f in page.drawn.findings
        if f.explanation is not None
    }


def _html(page: _Page, options: Options) -> str:
    overlays = _overlays(page, options, max_side=PAGE_SIDE)
    plain: str | None = None
    if page.display is not None:
        like = overlays.get(page.result.findings[0].key) if page.result.findings else None
        plain = data_uri(
            thumbnail(page.display, max_side=PAGE_SIDE)
            if like is None
            else render_plain(page.display, like=like, max_side=PAGE_SIDE).pixels
        )
    pictures = {key: data_uri(overlay.pixels) for key, overlay in overlays.items()}
    return render_html(page.drawn, label=page.label, overlays=pictures, plain=plain, spec=page.spec)


def _objects(
    page: _Page,
    scratch: Path,
    overlays: Mapping[str, Overlay],
    *,
    options: Options,
    now: datetime,
    software: str,
) -> list[str]:
    if page.header is None or page.spec is None or not options.with_dicom:
        return []
    built = build_objects(
        page.header,
        page.drawn,
        {key: overlay.pixels for key, overlay in overlays.items()},
        now=now,
        options=DicomOptions(
            fractional_segmentation=options.fractional_seg, software_version=software, issue=options.issue
        ),
    )
    return [write_dicom(scratch, f"{o.kind}-{o.key}" if o.key else o.kind, o.encoded) for o in built.objects]


def _without_maps(result: ImageResult) -> ImageResult:
    return replace(result, findings=tuple(replace(f, explanation=None) for f in result.findings))
