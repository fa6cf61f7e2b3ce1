"""Interleaved timing: every round runs every case once, in a new order, so that a slow moment hits all alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
Times = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Milliseconds of one case over all rounds."""

    median: float
    p95: float
    least: float


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Median of the ratios within rounds, with its 95 % bootstrap interval over rounds."""

    median: float
    low: float
    high: float


def interleaved(
    cases: Mapping[str, Callable[[], object]],
    *,
    runs: int,
    warm: int = 2,
    settle: bool = False,
    after: Callable[[str], None] | None = None,
    seed: int = 0,
    clock: Callable[[], float] = perf_counter,
) -> Times:
    """Milliseconds ``[runs]`` of each case.

    Parameters
    ----------
    warm
        Untimed calls of each case before the first round.
    settle
        One untimed call of a case right before each timed one, so that what the case before it left behind (caches,
        threads of another session that still spin) is gone.
    after
        Called with a case's name after each of its timed calls, outside the timing: to look at what it left, and
        clear it away.
    clock
        Seconds: of the wall, or of the processor (`time.process_time`).
    """
    for case in cases.values():
        for _ in range(warm):
            case()
    generator = np.random.default_rng(seed)
    names = list(cases)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(runs):
        for name in generator.permutation(names):
            case = cases[str(name)]
            if settle:
                case()
            started = clock()
            case()
            taken[str(name)].append((clock() - started) * 1000)
            if after is not None:
                after(str(name))
    return {name: np.array(values) for name, values in taken.items()}


def spread(times: NDArray[np.float64]) -> Spread:
    """Median, 95th percentile and least."""
    return Spread(median=float(np.median(times)), p95=float(np.percentile(times, 95)), least=float(times.min()))


def paired_ratio(over: NDArray[np.float64], under: NDArray[np.float64], *, seed: int = 0) -> Ratio:
    """``over / under`` round by round: the median, and its percentile interval when rounds are resampled."""
    ratios = over / under
    chosen = np.random.default_rng(seed).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    low, high = np.percentile(np.median(ratios[chosen], axis=1), [2.5, 97.5])
    return Ratio(median=float(np.median(ratios)), low=float(low), high=float(high))
