"""Who reads a cohort: this process, processes beside it, a Ray cluster. Time, cores in use, and the same bytes."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from pathlib import Path
from time import perf_counter

import psutil

from benchmarks.tables import Cell, Table
from benchmarks.validating import KINDS, phantoms, to_cases
from radiolucent import wiring
from radiolucent.cohort.validation.crew import ALONE, Crew
from radiolucent.cohort.validation.gathering import gather
from radiolucent.engines.manifest import parse
from radiolucent.engines.package import MANIFEST

IMAGES = 1024
BUSY = ("user", "system", "nice")


def run(folder: Path | None) -> list[Table]:
    """Read the first images of a folder (or phantoms, again and again) by each crew, the engine's loading included."""
    files = wiring.registry(None).files("chest-film")
    spec = parse(files.read(MANIFEST))
    cores = os.cpu_count() or 1
    crews = {"one process": ALONE, f"{cores} processes": Crew(workers=cores)}
    if importlib.util.find_spec("ray") is not None:
        crews[f"Ray, {cores} workers"] = Crew(ray="auto")
    with tempfile.TemporaryDirectory() as scratch:
        paths = phantoms(Path(scratch)) if folder is None else sorted(p for p in folder.iterdir() if p.suffix in KINDS)
        cases = to_cases([paths[n % len(paths)] for n in range(IMAGES)])
        rows: list[tuple[Cell, ...]] = []
        for name, crew in crews.items():
            out = Path(scratch) / name
            before, started = _busy_s(), perf_counter()
            gather(cases, files, spec, out, crew=crew)
            took = perf_counter() - started
            digest = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(out.glob("*.npz")))).hexdigest()[:12]
            rows.append((name, took, 1000 * took / IMAGES, (_busy_s() - before) / took, digest))
    columns = ("who reads", "s", "ms per image", "cores in use", "SHA-256 of the shards")
    return [Table(title=f"{IMAGES:,} images by the chest engine", columns=columns, rows=rows)]


def _busy_s() -> float:
    """Processor time of everything on this machine."""
    times = psutil.cpu_times()
    return float(sum(getattr(times, name, 0.0) for name in BUSY))
