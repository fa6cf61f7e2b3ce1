"""What the explanation costs: the whole graph against the same graph with logits alone, in turns."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radiolucent.cohort.measure import Interval
from radiolucent.cohort.needs import need
from radiolucent.engines.checks import open_session, probe_image
from radiolucent.records.engine import EngineSpec

THREADS, ROUNDS, WARM = 2, 40, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """One image through the graph.

    Parameters
    ----------
    image_ms
        Median time of one image with every output, with the 5th and 95th percentile, in milliseconds.
    ratio
        Median of its ratio to the same image with logits alone, round by round, with a 95 % bootstrap interval.
    """

    threads: int
    rounds: int
    image_ms: Interval
    ratio: Interval


def speed(graph: bytes, spec: EngineSpec, *, rounds: int = ROUNDS) -> Speed:
    """Time both graphs in turns, in a new random order each round, each after one untimed call."""
    onnx = need("onnx")
    need("onnx.utils")
    with tempfile.TemporaryDirectory() as folder:
        whole, plain = Path(folder) / "whole.onnx", Path(folder) / "plain.onnx"
        whole.write_bytes(graph)
        onnx.utils.extract_model(str(whole), str(plain), ["image"], ["logits"])
        sessions = [open_session(p.read_bytes(), threads=THREADS) for p in (whole, plain)]
    image = {"image": probe_image(spec)[:1]}
    generator = np.random.default_rng(17)
    times = np.zeros((rounds, 2))
    for turn in range(-WARM, rounds):
        for which in generator.permutation(2):
            sessions[which].run(None, image)
            started = time.perf_counter()
            sessions[which].run(None, image)
            if turn >= 0:
                times[turn, which] = (time.perf_counter() - started) * 1e3
    ratios = times[:, 0] / times[:, 1]
    drawn = np.median(generator.choice(ratios, (1000, rounds)), axis=1)
    return Speed(
        threads=THREADS,
        rounds=rounds,
        image_ms=Interval(float(np.median(times[:, 0])), *(float(v) for v in np.percentile(times[:, 0], [5, 95]))),
        ratio=Interval(float(np.median(ratios)), *(float(v) for v in np.percentile(drawn, [2.5, 97.5]))),
    )
