"""From a DICOM file to a whole result folder, in one process after warm-up."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import packages, studies
from benchmarks.tables import Cell, Table
from benchmarks.timing import interleaved, spread
from radiolucent import wiring
from radiolucent.pipeline.options import Options, Summary

STEPS = ("prepare", "infer", "explain", "judge", "draw", "write_maps", "dicom")
HEAD = "head-ct-hemorrhage"


class Reading:
    """One file, one engine folder; each call reads the file into a fresh folder.

    ``forced`` is how many positives there must be, ``None`` where the engine is as shipped.
    """

    def __init__(self, file: Path, engines: Path, engine: str, out: Path, *, forced: int | None) -> None:
        self._file, self._engine, self._out = file, engine, out
        self._analyzer = wiring.analyzer([engines])
        self._forced = forced
        self.steps: list[dict[str, float]] = []
        self.objects = self.positives = self.written_bytes = 0

    def __call__(self) -> None:
        """Read it; a refusal is an error here, since nothing would be measured."""
        summary = Summary()
        options = Options(out=self._out, engine=self._engine, guards="flag")
        for outcome in self._analyzer.run([self._file], options, summary):
            if outcome.status != "processed":
                raise RuntimeError(f"{self._file.name}: {outcome.status}, {outcome.reason_text}")

    def look_and_clear(self) -> None:
        """Note the steps and what was written, then clear the folder."""
        document = json.loads(next(self._out.glob("*/result.json")).read_text(encoding="utf-8"))
        self.steps.append(document["timing_ms"])
        self.objects = len(document["objects"])
        self.positives = sum(finding["positive"] for finding in document["findings"])
        if self._forced is not None and self.positives != self._forced:
            raise RuntimeError(f"{self.positives} positive, {self._forced} forced: not what the table says")
        self.written_bytes = sum(p.stat().st_size for p in self._out.rglob("*") if p.is_file())
        shutil.rmtree(self._out)


def _placed(file: Path, package: Path, scratch: Path) -> list[str]:
    """Findings with a place and with evidence for them on this image: only those get every kind of object."""
    every = packages.force(package, scratch / f"{package.name}-probe", positives=packages.localisable(package))
    out = scratch / "probe"
    options = Options(out=out, engine=package.name, guards="flag", with_dicom=False)
    list(wiring.analyzer([every]).run([file], options, Summary()))
    findings = json.loads(next(out.glob("*/result.json")).read_text(encoding="utf-8"))["findings"]
    shutil.rmtree(out)
    placed = {f["key"] for f in findings if f["positive"] and "no_positive_evidence" not in f["flags"]}
    return [key for key in packages.localisable(package) if key in placed]


def _forced(file: Path, package: Path, scratch: Path, counts: Sequence[int]) -> dict[int, Path]:
    """Folders with a copy of a package in which some findings, or none, are forced to be positive."""
    placed = _placed(file, package, scratch)
    if len(placed) < max(counts):
        raise RuntimeError(f"only {len(placed)} findings of {package.name} have evidence to show on {file.name}")
    return {n: packages.force(package, scratch / f"{package.name}-{n}", positives=placed[:n]) for n in counts}


def _cases(scratch: Path) -> dict[str, Reading]:
    films = studies.write_films(scratch)
    config = packages.chest_config()
    shipped = {p.name: p for p in packages.shipped()}
    chest = shipped.get(config.id) or packages.write_untrained(config, scratch / "untrained")
    forced = _forced(films["uncompressed"], chest, scratch, (0, 1, 3))
    wanted = [("uncompressed", 0), ("uncompressed", 1), ("JPEG 2000", 1), ("JPEG-LS", 1), ("uncompressed", 3)]
    cases = {
        f"chest film, {name}, {count} positive forced": Reading(
            films[name], forced[count], config.id, scratch / "out" / f"chest-{i}", forced=count
        )
        for i, (name, count) in enumerate(wanted)
    }
    slice_of_head = studies.real_head_ct()
    if slice_of_head is not None and HEAD in shipped:
        as_shipped = shipped[HEAD].parent
        cases["head CT (real), thresholds as shipped"] = Reading(
            slice_of_head, as_shipped, HEAD, scratch / "out" / "ct", forced=None
        )
        for count, folder in _forced(slice_of_head, shipped[HEAD], scratch, (0, 2)).items():
            name = f"head CT (real), {count} positive forced"
            cases[name] = Reading(slice_of_head, folder, HEAD, scratch / "out" / f"ct-{count}", forced=count)
    return cases


def run(runs: int) -> list[Table]:
    """Whole time and its parts."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        (scratch / "out").mkdir()
        cases = _cases(scratch)
        for reading in cases.values():  # warm: load the engine, then start from an empty folder
            reading()
            reading.look_and_clear()
            reading.steps.clear()
        times = interleaved(cases, runs=runs, warm=0, after=lambda name: cases[name].look_and_clear())
    whole: list[tuple[Cell, ...]] = []
    parts: list[tuple[Cell, ...]] = []
    for name, reading in cases.items():
        whole.append((name, spread(times[name]), reading.positives, reading.objects, reading.written_bytes / 1e6))
        of_steps = [float(np.median([s.get(step, 0.0) for s in reading.steps])) for step in STEPS]
        rest = float(np.median(times[name] - np.array([s["total"] for s in reading.steps])))
        parts.append((name, *of_steps, rest))
    film = f"{studies.ROWS} x {studies.COLUMNS}"
    return [
        Table(
            title="One DICOM file in, all result objects written",
            columns=("file and engine", "ms (p95)", "positive", "DICOM objects", "MB written"),
            rows=whole,
            notes=[f"Chest film: phantom of {film} pixels, 12 bits in 16. Head CT: pydicom's 512 x 512 slice, real."],
        ),
        Table(
            title="Where the time goes (medians, ms, of `timing_ms` in result.json)",
            columns=("file and engine", *STEPS, "rest"),
            rows=parts,
            notes=[
                "`rest` is what `timing_ms` does not hold: discovery, hash, header, the HTML page (which draws its own "
                "smaller overlays), result.json, index, threads, renaming of folders.",
            ],
        ),
    ]
