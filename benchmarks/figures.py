"""What the figures of a validation cost as cohorts grow: time and memory over stored observations, no image read.

Each size runs in a process of its own (``python -m benchmarks.figures SIZE [FOLDER]``),
so that its peak of memory is its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from benchmarks.tables import Cell, Table
from benchmarks.validating import phantoms, some, to_cases
from radiolucent import wiring
from radiolucent.cohort.truth import Case
from radiolucent.cohort.validation.gathering import BATCH, look, prepare
from radiolucent.cohort.validation.observing import Observation
from radiolucent.cohort.validation.records import Ask
from radiolucent.cohort.validation.roster import Roster
from radiolucent.cohort.validation.shards import SHARD, folder_of, pack, write_shard
from radiolucent.cohort.validation.validate import validate
from radiolucent.engines.checks import Engine, load

SIZES = (1_000, 10_000, 100_000)
RESAMPLES, PERMUTATIONS, PER_PATIENT, MACHINES = 100, 99, 3, 4


def run(folder: Path | None) -> list[Table]:
    """Time and memory by size."""
    rows: list[tuple[Cell, ...]] = []
    for size in SIZES:
        command = [sys.executable, "-m", "benchmarks.figures", str(size), *([str(folder)] if folder else [])]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        got = json.loads(said.stdout.decode().splitlines()[-1])
        rows.append((f"{size:,}", got["wall"], got["cpu"], 1000 * got["cpu"] / size, round(got["mb"]), got["kb"]))
    title = f"All figures of stored observations, chest engine, {RESAMPLES} resamples, {PERMUTATIONS} permutations"
    columns = ("images", "s", "processor s", "ms of it per image", "peak memory, MB", "kB per image on disk")
    return [Table(title=title, columns=columns, rows=rows)]


def one(size: int, folder: Path | None) -> dict[str, float]:
    """Store ``size`` observations like a few real ones, then make every figure of them."""
    files = wiring.registry(None).files("chest-film")
    engine = load(files)
    with tempfile.TemporaryDirectory() as scratch:
        paths = phantoms(Path(scratch)) if folder is None else some(folder)
        read = _read(to_cases(paths), engine)
        generator = np.random.default_rng(0)
        first, keys = to_cases(paths)[0], [f.key for f in engine.spec.findings]
        cases = tuple(
            replace(
                first,
                row=row,
                group=f"p{row // PER_PATIENT}",
                labels={key: float(generator.random() < 0.2) for key in keys},
                subgroups={"machine": "ABCD"[row // PER_PATIENT % MACHINES]},
            )
            for row in range(2, size + 2)
        )
        out = Path(scratch) / "out"
        kept = folder_of(out, cases, engine.spec)
        kept.mkdir(parents=True)
        for shard, start in enumerate(range(0, size, SHARD)):
            made = [_like(read[case.row % len(read)], case, generator) for case in cases[start : start + SHARD]]
            write_shard(kept, shard, pack(made))
        disk = sum(path.stat().st_size for path in kept.iterdir())
        roster = Roster(cases=cases, left_out={}, unmatched=(), unmatched_count=0, without_truth=0)
        ask = Ask(source=None, resamples=RESAMPLES, permutations=PERMUTATIONS)
        wall, cpu = perf_counter(), process_time()
        validate(files, ask, out=out, roster_of=lambda _: roster)
        wall, cpu = perf_counter() - wall, process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": wall, "cpu": cpu, "mb": peak, "kb": disk / size / 1000}


def _read(cases: list[Case], engine: Engine) -> list[Observation]:
    batches = [cases[start : start + BATCH] for start in range(0, len(cases), BATCH)]
    made = [look([prepare(case, engine.spec) for case in some], engine) for some in batches]
    return [one for some in made for one in some if isinstance(one, Observation)]


def _like(seen: Observation, case: Case, generator: np.random.Generator) -> Observation:
    chances = np.clip(seen.chances + generator.normal(0, 0.1, seen.chances.shape), 0, 1).astype(np.float32)
    embedding = seen.embedding + generator.normal(0, 0.1, seen.embedding.shape).astype(np.float32)
    strata = {**seen.strata, "machine": case.subgroups["machine"]}
    return replace(
        seen,
        row=case.row,
        group=case.group,
        sha256=str(case.row),
        strata=strata,
        chances=chances,
        embedding=embedding,
    )


if __name__ == "__main__":
    print(json.dumps(one(int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)))
