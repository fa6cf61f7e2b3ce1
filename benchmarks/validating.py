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

from benchmarks.tables import Cell, Table
from benchmarks.timing import interleaved, paired_ratio, spread
from radiolucent import wiring
from radiolucent.cohort.reading import BATCH
from radiolucent.cohort.truth import Case
from radiolucent.cohort.validation.gathering import THREADS, Prepared, look, prepare, read_shard
from radiolucent.cohort.validation.observing import Refused
from radiolucent.cohort.validation.shards import pack
from radiolucent.engines.checks import Engine, load
from radiolucent.phantoms import chest

IMAGES, ROUNDS = 48, 5
SIDE = 320
KINDS = (".png", ".jpg", ".jpeg", ".avif", ".dcm")


def run(folder: Path | None) -> list[Table]:
    """The chest engine on images of a folder, or on phantoms: by the clock on two cores, by processor time on one."""
    files = wiring.registry(None).files("chest-film")
    with tempfile.TemporaryDirectory() as scratch:
        paths = phantoms(Path(scratch)) if folder is None else some(folder)
        one, two = load(files, threads=1), load(files, threads=2)
        return [
            _table("Graph on two cores, by the clock", two, paths, perf_counter),
            _table("Graph on one core, processor time of all threads", one, paths, process_time),
        ]


def _table(title: str, engine: Engine, paths: list[Path], clock: Callable[[], float]) -> Table:
    made = [prepare(case, engine.spec) for case in to_cases(paths)]
    ready = [one for one in made if not isinstance(one, Refused)]
    batches = [ready[i : i + BATCH] for i in range(0, len(ready), BATCH)]
    arrays = [np.stack([one[3].array for one in batch]) for batch in batches]
    cases: dict[str, Callable[[], object]] = {
        "bare forward pass": partial(_forward, engine, arrays),
        "validation of decoded images": partial(_validated, engine, batches),
        "validation of files": partial(read_shard, [one[0] for one in ready], engine),
    }
    times = interleaved(cases, runs=ROUNDS, warm=1, clock=clock)
    bare, count = times["bare forward pass"], len(ready)
    rows: list[tuple[Cell, ...]] = [
        (name, spread(taken / count), paired_ratio(taken, bare)) for name, taken in times.items()
    ]
    columns = ("", "ms per image (p95)", "ratio (95 % interval)")
    return Table(title=f"{title}: {count} images in batches of {BATCH}", columns=columns, rows=rows)


def _forward(engine: Engine, batches: Iterable[np.ndarray]) -> None:
    name = engine.session.get_inputs()[0].name
    for batch in batches:
        engine.session.run(None, {name: batch})


def _validated(engine: Engine, batches: list[list[Prepared]]) -> bytes:
    with ThreadPoolExecutor(THREADS) as pool:
        return pack(look(batches, engine, pool))


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
