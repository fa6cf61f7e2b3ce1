"""What runs inside the reading process: engines loaded once, then one job after the other."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import threading
from contextlib import suppress
from datetime import datetime
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import perf_counter

from radiolucent.engines.registry import Registry, shipped_folder
from radiolucent.errors import EngineError, RadiolucentError
from radiolucent.pipeline.analyze import Analyzer
from radiolucent.pipeline.options import Options, Summary
from radiolucent.pipeline.read_job import ReadDone, ReadJob

NICENESS = 10


def serve(line: Connection, engines: tuple[Path, ...], memory_bytes: int, yields: bool) -> None:
    """Answer jobs until the line is closed. Signals are the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="watch", daemon=True).start()
    if yields:
        os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    analyzer, broken = _load(engines)
    with suppress(EOFError, OSError):  # nobody is there any more
        line.send("ready")
        while True:
            job = line.recv()
            line.send(_failed(broken) if analyzer is None else _read(analyzer, job))


def _end_with_parent() -> None:
    """End at once when the parent was killed: whoever takes its work over needs the processor and the memory."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _load(engines: tuple[Path, ...]) -> tuple[Analyzer | None, RadiolucentError | None]:
    """Every engine, checked; a broken one stops all reading until it is mended, and every study says so."""
    try:
        registry = Registry(engines or (shipped_folder(),))
        for spec in registry.specs:
            registry.get(spec.id)
    except RadiolucentError as error:
        return None, error
    return Analyzer(registry, clock=lambda: datetime.now().astimezone()), None


def _read(analyzer: Analyzer, job: ReadJob) -> ReadDone:
    started = perf_counter()
    summary = Summary()
    options = Options(out=job.out, engine=job.engine, guards=job.guards, with_pages=False, issue=job.issue)
    try:
        for _ in analyzer.run(job.paths, options, summary):
            pass
    except RadiolucentError as error:
        return _failed(error)
    return ReadDone(
        processed=summary.processed, refused=summary.refused, milliseconds=(perf_counter() - started) * 1000
    )


def _failed(error: RadiolucentError | None) -> ReadDone:
    told = error or EngineError("no_engine_loaded", found="no engine", expected="an engine", action="Install one.")
    return ReadDone(processed=0, refused=0, milliseconds=0.0, code=told.code, text=told.text)
