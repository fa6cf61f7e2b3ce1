"""Peak resident memory of one ``radiolucent analyze`` over many files, in its own process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil

from benchmarks import packages, studies
from benchmarks.tables import Table

ENGINE = "head-ct-hemorrhage"
EVERY_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Course:
    """Resident megabytes over the life of a process, and how long it lived."""

    resident_mb: np.ndarray
    seconds: float

    def quarter(self, number: int) -> float:
        """Greatest resident memory within quarter 0, 1, 2 or 3 of the run."""
        return float(np.array_split(self.resident_mb, 4)[number].max())


def watch(arguments: list[str]) -> Course:
    """Run ``radiolucent`` and sample its resident memory; fails if it does."""
    started = perf_counter()
    command = [sys.executable, "-m", "radiolucent.cli.main", *arguments]
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    samples = []
    while process.poll() is None:
        try:
            samples.append(process.memory_info().rss / 1e6)
        except psutil.NoSuchProcess:
            break
        try:
            process.wait(EVERY_S)
        except psutil.TimeoutExpired:
            continue
    seconds = perf_counter() - started
    if process.wait() != 0:
        raise RuntimeError(process.stderr.read().decode()[-2000:])
    return Course(resident_mb=np.array(samples), seconds=seconds)


def run(files: int) -> list[Table]:
    """A tenth of the files, then all: flat memory shows as two like peaks."""
    if ENGINE not in {p.name for p in packages.shipped()}:
        return []
    rows = []
    for count in (max(8, files // 10), files):
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            size = studies.write_stack(scratch / "in", files=count)
            course = watch(["analyze", str(scratch / "in"), "--out", str(scratch / "out"), "--no-dicom", "--json"])
            done = sum(1 for _ in (scratch / "out").glob("*/result.json"))
        rows.append(
            (
                count,
                done,
                size / 1e6,
                float(course.resident_mb.max()),
                course.quarter(0),
                course.quarter(3),
                count / course.seconds,
            )
        )
    return [
        Table(
            title="Memory of one `radiolucent analyze --no-dicom` over many files",
            columns=(
                *("files", "results", "MB in", "peak resident, MB", "peak in first quarter", "in last quarter"),
                "files per second, start-up included",
            ),
            rows=rows,
            notes=[
                f"Head CT phantom slices of {studies.SMALL} x {studies.SMALL} pixels, 16 bit, each its own instance, "
                f"{studies.PER_SERIES} to a series; engine {ENGINE} as shipped; sampled every {EVERY_S} s.",
            ],
        )
    ]
