"""The way of an image, in order: discover, open, name, prepare, infer, finish. Streams; memory stays flat."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from time import perf_counter

import numpy as np

import radiolucent
from radiolucent.deliver.folder import needing_room, open_folder, write_bytes
from radiolucent.engines.registry import Registry
from radiolucent.errors import EngineError, InputRefused, RadiolucentError, SettingsError
from radiolucent.infer.run import run as infer
from radiolucent.ingest.content import stem_of
from radiolucent.ingest.discover import discover
from radiolucent.pipeline.finishing import Finished, finish, finish_refused
from radiolucent.pipeline.lookahead import lookahead
from radiolucent.pipeline.names import Names
from radiolucent.pipeline.naming import name_frames
from radiolucent.pipeline.opening import defect, frame_facts, open_file, refusal_of
from radiolucent.pipeline.options import Options, Outcome, Summary
from radiolucent.pipeline.run_index import RunIndex
from radiolucent.pipeline.series import FrameBook, SeriesBook
from radiolucent.pipeline.work import Frame, Inferred, Prepared, Refused, Repeated
from radiolucent.prepare.decode import decode
from radiolucent.prepare.model_input import model_input
from radiolucent.prepare.picture import decode_picture
from radiolucent.records.image import DecodedFrame, ModelInput
from radiolucent.records.result import Reason
from radiolucent.report.result_json import dumps, series_json

READERS, OPEN_AHEAD, PREPARE_AHEAD, FINISH_AHEAD = 2, 16, 4, 2
Item = Inferred | Refused | Repeated


class Analyzer:
    """Reads images with the engines of a registry.

    Parameters
    ----------
    clock
        Gives the time that goes into the objects.
    """

    def __init__(self, registry: Registry, *, clock: Callable[[], datetime]) -> None:
        self._registry = registry
        self._clock = clock

    def run(self, paths: Sequence[Path], options: Options, summary: Summary) -> Iterator[Outcome]:
        """Read everything under ``paths``; outcomes come in order, each after its folder is whole.

        Raises
        ------
        SettingsError
            Unknown engine, an output folder that cannot be written or is full.
        EngineError
            An engine that fails its load checks.
        """
        if options.engine is not None:
            self._registry.files(options.engine)
        out = open_folder(options.out)
        series, frames = SeriesBook(self._registry.specs), FrameBook()
        with (
            needing_room(),
            RunIndex(out) if options.with_pages else nullcontext() as index,
            tempfile.TemporaryDirectory(prefix="radiolucent-") as scratch,
            ThreadPoolExecutor(READERS, "read") as readers,
            ThreadPoolExecutor(1, "finish") as writers,
        ):
            offered = discover(paths, scratch=Path(scratch), on_skip=lambda _: _count_skipped(summary))
            opener = partial(open_file, specs=self._registry.specs, options=options)
            named = name_frames(lookahead(readers, opener, offered, ahead=OPEN_AHEAD), Names())
            prepared = lookahead(readers, partial(prepare, options=options), named, ahead=PREPARE_AHEAD)
            inferred = self._infer(prepared, options.batch)
            closing = partial(self._finish, options=options)
            for done in lookahead(writers, closing, inferred, ahead=FINISH_AHEAD):
                if isinstance(done, Finished):
                    series.add(done.result)
                    frames.add(done)
                    if index is not None:
                        index.add(done)
                outcome = _outcome(done)
                summary.add(outcome)
                yield outcome
            summary.series = self._write_stacks(out, series, frames)

    def _infer(self, items: Iterable[Prepared | Refused | Repeated], size: int) -> Iterator[Item]:
        batch: list[Prepared | Refused | Repeated] = []
        for item in items:
            batch.append(item)
            if len(batch) == size:
                yield from self._infer_batch(batch)
                batch = []
        yield from self._infer_batch(batch)

    def _infer_batch(self, batch: Sequence[Prepared | Refused | Repeated]) -> Iterator[Item]:
        def engine_of(item: Prepared | Refused | Repeated) -> str:
            return item.frame.opened.spec.id if isinstance(item, Prepared) else ""

        for engine_id, group in groupby(batch, engine_of):
            if not engine_id:
                yield from (item for item in group if not isinstance(item, Prepared))
                continue
            ready = [item for item in group if isinstance(item, Prepared)]
            engine = self._registry.get(engine_id)
            started = perf_counter()
            inferences = infer(engine, [item.input for item in ready])
            share = (perf_counter() - started) * 1000 / len(ready)
            for item, inference in zip(ready, inferences, strict=True):
                yield Inferred(prepared=item, inference=inference, infer_ms=share)

    def _finish(self, item: Item, *, options: Options) -> Finished | Repeated:
        if isinstance(item, Repeated):
            return item
        now, software = self._clock(), radiolucent.__version__
        if isinstance(item, Refused):
            return finish_refused(item, options=options, now=now, software=software)
        try:
            return finish(item, options=options, now=now, software=software)
        except RadiolucentError as error:
            if isinstance(error, SettingsError | EngineError):
                raise
            reason = Reason(code=error.code, text=error.text)
        except Exception as error:  # noqa: BLE001  one bad image never stops the rest
            reason = defect(error)
        opened = item.prepared.frame.opened
        failed = refusal_of(reason, opened.file, instance=opened.instance, facts=item.prepared.facts, spec=opened.spec)
        folder = item.prepared.frame.folder
        return finish_refused(replace(failed, folder=folder), options=options, now=now, software=software)

    @staticmethod
    def _write_stacks(out: Path, series: SeriesBook, frames: FrameBook) -> int:
        for folder, document in frames.documents().items():
            write_bytes(out / folder / "result.json", dumps(document).encode("utf-8"))
        results = series.results()
        for result in results:
            target = out / result.series_instance_uid
            target.mkdir(exist_ok=True)
            write_bytes(target / "series.json", dumps(series_json(result)).encode("utf-8"))
        return len(results)


def prepare(item: Frame | Refused | Repeated, *, options: Options) -> Prepared | Refused | Repeated:
    """Decode one frame and fit it to its engine; only the model's array and an 8-bit display image are kept."""
    if not isinstance(item, Frame):
        return item
    started = perf_counter()
    opened = item.opened
    try:
        frame = _decode(item, options)
        array = model_input(frame, opened.spec.input)
    except InputRefused as error:
        reason = Reason(code=error.code, text=error.text)
    except Exception as error:  # noqa: BLE001  one bad image never stops the rest
        reason = defect(error)
    else:
        return _prepared(item, frame, array, started)
    failed = refusal_of(reason, opened.file, instance=opened.instance, facts=opened.facts, spec=opened.spec)
    return replace(failed, folder=item.folder)


def _prepared(item: Frame, frame: DecodedFrame, array: ModelInput, started: float) -> Prepared:
    return Prepared(
        frame=item,
        facts=frame.facts,
        input=array,
        display8=np.rint(frame.display * np.float32(255.0)).astype(np.uint8),
        notes=frame.notes,
        prepare_ms=(perf_counter() - started) * 1000,
    )


def _decode(item: Frame, options: Options) -> DecodedFrame:
    opened = item.opened
    if opened.instance is None:
        return decode_picture(
            opened.file,
            stem=stem_of(opened.file.label),
            age_years=options.age_years,
            sex=options.sex,
            patient_left_at="right" if opened.spec.zones == "chest" else None,
        )
    facts = opened.facts
    if facts.number_of_frames > 1:
        facts = frame_facts(opened.file, opened.instance, options=options, frame_number=item.frame_number)
    return decode(opened.instance, facts=facts)


def _count_skipped(summary: Summary) -> None:
    summary.skipped += 1


def _outcome(done: Finished | Repeated) -> Outcome:
    if isinstance(done, Repeated):
        return Outcome(
            label=done.label,
            folder=done.folder,
            status="repeated",
            engine=None,
            primary=None,
            probability=None,
            confidence=None,
            positives=0,
            reason_code=None,
            reason_text=None,
            milliseconds=0.0,
        )
    result = done.result
    primary = next((f for f in result.findings if f.key == result.primary), None)
    return Outcome(
        label=done.label,
        folder=done.folder,
        status=result.status,
        engine=None if result.engine is None else result.engine.id,
        primary=result.primary,
        probability=None if primary is None else primary.probability,
        confidence=None if primary is None else primary.confidence,
        positives=len(result.positives),
        reason_code=None if result.reason is None else result.reason.code,
        reason_text=None if result.reason is None else result.reason.text,
        milliseconds=done.milliseconds,
    )
