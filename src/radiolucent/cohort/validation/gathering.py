"""Read a cohort into shards: decode ahead in threads, one forward pass a batch, memory for one shard."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from pydicom import Dataset

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
    made: list[Observation | Refused] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for batch in _batches(_ahead(pool, cases, engine.spec)):
            made += _observed(batch, engine)
            progress(len(batch))
    return pack(made)


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


def _observed(batch: Sequence[Prepared | Refused], engine: Engine) -> list[Observation | Refused]:
    ready = [one for one in batch if not isinstance(one, Refused)]
    found = iter(run(engine, [one[3] for one in ready]))
    return [
        one if isinstance(one, Refused) else observe(one[0], one[1], one[2], one[3], next(found), engine.spec)
        for one in batch
    ]
