"""The whole graph (evidence, anatomy, guards) against the same graph with logits alone, in ONNX Runtime."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime as ort

from benchmarks import packages
from benchmarks.tables import Cell, Table
from benchmarks.timing import Times, interleaved, paired_ratio, spread
from radiolucent.importing import graph

THREADS = 2
BATCHES = (1, 8)
ALL = ["logits", "evidence", "embedding"]


def session(path: Path, *, threads: int = THREADS) -> ort.InferenceSession:
    """A CPU session with two threads of its own."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def images(opened: ort.InferenceSession, count: int) -> np.ndarray:
    """Noise of the shape the graph wants."""
    _, channels, rows, columns = opened.get_inputs()[0].shape
    return np.random.default_rng(0).normal(0, 1, (count, channels, rows, columns)).astype(np.float32)


def candidates(scratch: Path) -> list[tuple[str, Path]]:
    """Graphs to measure: every shipped engine, and the chest engine with an untrained head where it is not shipped."""
    found = [(p.name, p / "model.onnx") for p in packages.shipped()]
    config = packages.chest_config()
    if config.id not in {name for name, _ in found}:
        package = packages.write_untrained(config, scratch / "untrained")
        found.append((f"{config.id} ({packages.UNTRAINED})", package / "model.onnx"))
    return found


def both(path: Path, scratch: Path, *, count: int, runs: int) -> Times:
    """Times of one graph with and without its explanation outputs."""
    plain_path = scratch / "plain.onnx"
    graph.plain_onnx(path, plain_path)
    whole, plain = session(path), session(plain_path)
    batch = {"image": images(whole, count)}
    cases = {
        "logits": partial(plain.run, ["logits"], batch),
        "evidence": partial(whole.run, [o.name for o in whole.get_outputs()], batch),
    }
    return interleaved(cases, runs=runs, settle=True)


def run(runs: int) -> list[Table]:
    """Cost of everything beside the logits, per engine."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        rows = [row for name, path in candidates(scratch) for row in _rows(name, path, scratch, runs)]
        explained = Table(
            title="The explanation inside the forward pass (ONNX Runtime, 2 threads)",
            columns=(
                *("engine", "file, MB", "findings", "evidence grid", "batch", "logits only, ms (p95)"),
                *("with every output, ms (p95)", "ms per image", "ratio (95 % interval)"),
            ),
            rows=rows,
        )
        return [explained]


def _rows(name: str, path: Path, scratch: Path, runs: int) -> list[tuple[Cell, ...]]:
    opened = session(path)
    evidence = opened.run(["evidence"], {"image": images(opened, 1)})[0]
    rows: list[tuple[Cell, ...]] = []
    for count in BATCHES:
        times = both(path, scratch, count=count, runs=runs)
        whole = spread(times["evidence"])
        rows.append(
            (
                name,
                path.stat().st_size / 1e6,
                evidence.shape[1],
                f"{evidence.shape[2]} x {evidence.shape[3]}",
                count,
                spread(times["logits"]),
                whole,
                whole.median / count,
                paired_ratio(times["evidence"], times["logits"]),
            )
        )
    return rows
