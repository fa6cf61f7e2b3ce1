"""Read a cohort into shards, batch by batch, as many side by side as there are cores; memory for a shard."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from pydicom import Dataset

from radiolucent.cohort.needs import need
from radiolucent.cohort.reading import add_second, first_frame
from radiolucent.cohort.truth import Case
from radiolucent.cohort.validation.crew import ALONE, Crew, by_workers
from radiolucent.cohort.validation.observing import Observation, Refused, observe
from radiolucent.cohort.validation.shards import SHARD, pack, path_of, write_shard
from radiolucent.engines.checks import Engine, load
from radiolucent.engines.package import PackageFiles
from radiolucent.engines.routing import check_engine
from radiolucent.errors import InputRefused
from radiolucent.infer.run import run
from radiolucent.prepare.model_input import model_input
from radiolucent.records.engine import EngineSpec
from radiolucent.records.image import DecodedFrame, ModelInput

MOST_LANES = 4
BATCH = 4
"""Of a lane: with several side by side, small ones keep to a core's cache and out of one another's way."""
Prepared = tuple[Case, DecodedFrame, Dataset | None, ModelInput]


def gather(
    cases: Sequence[Case],
    files: PackageFiles,
    spec: EngineSpec,
    folder: Path,
    *,
    crew: Crew = ALONE,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Read every image whose shard is not there yet.

    Parameters
    ----------
    files, spec
        The engine's own package, which whoever reads loads with its graph on one core, and what it says of itself.
    folder
        `shards.folder_of` these cases and this engine; made where it is missing.
    progress
        Told how many more images are done.

    Raises
    ------
    EngineError, SettingsError
        Of workers: see `crew`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = {number: cases[start : start + SHARD] for number, start in enumerate(range(0, len(cases), SHARD))}
    missing = {number: some for number, some in shards.items() if not path_of(folder, number).exists()}
    progress(sum(len(some) for number, some in shards.items() if number not in missing))
    if missing and crew == ALONE:
        engine = load(files, threads=1)
        for number, some in missing.items():
            write_shard(folder, number, read_shard(some, engine, lanes=own_lanes(), progress=progress))
    elif missing:
        for number, content in by_workers(missing, files, spec, crew, read_shard):
            write_shard(folder, number, content)
            progress(len(missing[number]))


def own_lanes() -> int:
    """Batches that one process reads side by side: one more than cores, up to where Python's lock is the limit.

    So every core has something to compute while one lane waits for the lock or for a file.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_LANES, cores + 1)


def read_shard(
    cases: Sequence[Case], engine: Engine, *, lanes: int = 1, progress: Callable[[int], None] = lambda _: None
) -> bytes:
    """Read the images of one shard, in order: the content of its file, whoever reads them.

    A lane decodes, runs and judges a batch of its own, with a graph that keeps to one core: no core waits for another
    in the middle of a pass, and while one judges, which Python lets one do at a time, the others compute.
    """
    batches = [cases[start : start + BATCH] for start in range(0, len(cases), BATCH)]
    made: list[Observation | Refused] = []
    with need("threadpoolctl").threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(lanes) as pool:
        for some in pool.map(partial(_read_batch, engine=engine), batches):
            made += some
            progress(len(some))
    return pack(made)


def _read_batch(cases: Sequence[Case], engine: Engine) -> list[Observation | Refused]:
    return look([prepare(case, engine.spec) for case in cases], engine)


def look(batch: Sequence[Prepared | Refused], engine: Engine) -> list[Observation | Refused]:
    """Run a batch of prepared images through the graph, and judge what it says of each."""
    found = iter(run(engine, [one[3] for one in batch if not isinstance(one, Refused)]))
    return [one if isinstance(one, Refused) else observe(*one, next(found), engine.spec) for one in batch]


def prepare(case: Case, spec: EngineSpec) -> Prepared | Refused:
    """An image as the engine wants it, or the code of why it is refused, as at run time."""
    try:
        frame, header = first_frame(case.image, spec)
        check_engine(frame.facts, spec)
        made = model_input(frame, spec.input)
        add_second(made, frame, case, spec)
    except InputRefused as error:
        return Refused(row=case.row, code=error.code)
    return case, frame, header, made
