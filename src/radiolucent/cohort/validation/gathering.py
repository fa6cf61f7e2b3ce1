"""Read a cohort into shards: decode ahead and judge behind in threads, one forward pass a batch; memory for a shard."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from pydicom import Dataset

from radiolucent.cohort.needs import need
from radiolucent.cohort.reading import BATCH, add_second, first_frame
from radiolucent.cohort.truth import Case
from radiolucent.cohort.validation.crew import ALONE, Crew, by_workers
from radiolucent.cohort.validation.observing import Observation, Refused, observe
from radiolucent.cohort.validation.shards import SHARD, pack, path_of, write_shard
from radiolucent.engines.checks import Engine
from radiolucent.engines.package import PackageFiles
from radiolucent.engines.routing import check_engine
from radiolucent.errors import InputRefused
from radiolucent.infer.run import run
from radiolucent.prepare.model_input import model_input
from radiolucent.records.engine import EngineSpec
from radiolucent.records.image import DecodedFrame, ModelInput

AHEAD = 2 * BATCH
THREADS = 2
Prepared = tuple[Case, DecodedFrame, Dataset | None, ModelInput]


def gather(
    cases: Sequence[Case],
    engine: Engine,
    files: PackageFiles,
    folder: Path,
    *,
    crew: Crew = ALONE,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Read every image whose shard is not there yet.

    Parameters
    ----------
    files
        The engine's own package, which a crew's workers load for themselves.
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
    if crew == ALONE:
        for number, some in missing.items():
            write_shard(folder, number, read_shard(some, engine, progress))
    elif missing:
        for number, content in by_workers(missing, files, engine.spec, crew, read_shard):
            write_shard(folder, number, content)
            progress(len(missing[number]))


def read_shard(cases: Sequence[Case], engine: Engine, progress: Callable[[int], None] = lambda _: None) -> bytes:
    """Read the images of one shard, in order: the content of its file, whoever reads them."""
    with ThreadPoolExecutor(THREADS) as pool:
        return pack(look(_batches(_ahead(pool, cases, engine.spec)), engine, pool, progress))


def look(
    batches: Iterable[Sequence[Prepared | Refused]],
    engine: Engine,
    pool: ThreadPoolExecutor,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Observation | Refused]:
    """Run prepared images through the graph, a batch at a time; what it says is judged while the next batch runs.

    Maps are small products, for which a second thread of the linear algebra costs more than it gives.
    """
    made: list[Observation | Refused] = []
    waiting: list[Future[Observation] | Refused] = []
    with need("threadpoolctl").threadpool_limits(1, user_api="blas"):
        for batch in batches:
            following = _submitted(batch, engine, pool)
            made += _done(waiting)
            waiting = following
            progress(len(batch))
        return made + _done(waiting)


def _submitted(
    batch: Sequence[Prepared | Refused], engine: Engine, pool: ThreadPoolExecutor
) -> list[Future[Observation] | Refused]:
    found = iter(run(engine, [one[3] for one in batch if not isinstance(one, Refused)]))
    return [one if isinstance(one, Refused) else pool.submit(observe, *one, next(found), engine.spec) for one in batch]


def _done(waiting: Sequence[Future[Observation] | Refused]) -> list[Observation | Refused]:
    return [one if isinstance(one, Refused) else one.result() for one in waiting]


def _ahead(pool: ThreadPoolExecutor, cases: Sequence[Case], spec: EngineSpec) -> Iterator[Prepared | Refused]:
    """Cases in order, a bounded number of them decoded before they are asked for."""
    waiting: deque[Future[Prepared | Refused]] = deque()
    rest = iter(cases)
    for case in islice(rest, AHEAD):
        waiting.append(pool.submit(prepare, case, spec))
    while waiting:
        yield waiting.popleft().result()
        for case in islice(rest, 1):
            waiting.append(pool.submit(prepare, case, spec))


def _batches(items: Iterable[Prepared | Refused]) -> Iterator[list[Prepared | Refused]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


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
