"""What validation adds to the bare forward pass, on the same decoded images."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

from benchmarks.tables import Cell, Table
from benchmarks.timing import interleaved, paired_ratio, spread
from radiolucent import wiring
from radiolucent.cohort.truth import Case
from radiolucent.cohort.validation.gathering import BATCH, Prepared, look, own_lanes, prepare, read_shard
from radiolucent.cohort.validation.observing import Refused
from radiolucent.cohort.validation.shards import pack
from radiolucent.engines.checks import Engine, load
from radiolucent.phantoms import chest

IMAGES, ROUNDS = 128, 9
SIDE = 320
BARE = "bare forward pass"
KINDS = (".png", ".jpg", ".jpeg", ".avif", ".dcm")


def run(folder: Path | None) -> list[Table]:
    """The chest engine on images of a folder, or on phantoms: by the clock on two cores, by processor time on one."""
    files = wiring.registry(None).files("chest-film")
    with tempfile.TemporaryDirectory() as scratch:
        paths = phantoms(Path(scratch)) if folder is None else some(folder)
        one, whole = load(files, threads=1), load(files)
        return [
            _table("By the clock, on all cores", one, paths, perf_counter, lanes=own_lanes(), whole=whole),
            _table("Processor time of all threads, on one core", one, paths, process_time, lanes=1),
        ]


def _table(
    title: str,
    engine: Engine,
    paths: list[Path],
    clock: Callable[[], float],
    *,
    lanes: int,
    whole: Engine | None = None,
) -> Table:
    """``whole`` has its graph on all cores; the other on one, with as many batches side by side as there are lanes."""
    made = [prepare(case, engine.spec) for case in to_cases(paths)]
    ready = [one for one in made if not isinstance(one, Refused)]
    batches = [ready[i : i + BATCH] for i in range(0, len(ready), BATCH)]
    arrays = [np.stack([one[3].array for one in batch]) for batch in batches]
    cases: dict[str, Callable[[], object]] = {BARE: partial(_forward, whole or engine, arrays, lanes=1)}
    if whole is not None:
        cases["bare forward pass, a batch on each core"] = partial(_forward, engine, arrays, lanes=lanes)
    cases["validation of decoded images"] = partial(_validated, engine, batches, lanes=lanes)
    cases["validation of files"] = partial(read_shard, [one[0] for one in ready], engine, lanes=lanes)
    times = interleaved(cases, runs=ROUNDS, warm=1, clock=clock)
    rows: list[tuple[Cell, ...]] = [
        (name, spread(taken / len(ready)), paired_ratio(taken, times[BARE])) for name, taken in times.items()
    ]
    columns = ("", "ms per image (p95)", "ratio (95 % interval)")
    return Table(title=f"{title}: {len(ready)} images in batches of {BATCH}", columns=columns, rows=rows)


def _forward(engine: Engine, batches: Iterable[np.ndarray], *, lanes: int) -> None:
    name = engine.session.get_inputs()[0].name
    with ThreadPoolExecutor(lanes) as pool:
        list(pool.map(lambda batch: engine.session.run(None, {name: batch}), batches))


def _validated(engine: Engine, batches: list[list[Prepared]], *, lanes: int) -> bytes:
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(lanes) as pool:
        return pack([one for some in pool.map(partial(look, engine=engine), batches) for one in some])


def some(folder: Path) -> list[Path]:
    """So many files of a folder, evenly over it."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in KINDS)
    return found[:: max(1, len(found) // IMAGES)][:IMAGES]


def phantoms(folder: Path) -> list[Path]:
    """Chest phantoms as pictures."""
    paths = []
    for number in range(IMAGES):
        values, _ = chest.pixels(np.random.default_rng(number))
        pixels = Image.fromarray(np.clip(values * (255 / values.max()), 0, 255).astype(np.uint8))
        paths.append(folder / f"{number}.png")
        pixels.resize((SIDE, SIDE)).save(paths[-1])
    return paths


def to_cases(paths: list[Path]) -> list[Case]:
    """Cases without truth, each image a patient of its own."""
    nothing = {"labels": {}, "masks": {}, "boxes": {}, "subgroups": {}}
    return [
        Case(row=i, image=path, second=None, group=str(i), part="test", source="", **nothing)  # type: ignore[arg-type]
        for i, path in enumerate(paths, start=2)
    ]
