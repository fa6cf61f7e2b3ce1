"""Does a map say what the network uses: deletion, insertion, and stability of maps.

Deletion and insertion after Petsiuk, Das and Saenko 2018 (RISE): cells of the model's grid are replaced by the same
cells of a blurred image, most evidence first, and the calibrated probability is followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radiolucent.cohort.measure import Interval, bootstrap, mean, sigmoid, spearman
from radiolucent.cohort.reading import Reading, prepared
from radiolucent.engines.checks import Engine
from radiolucent.infer.run import run
from radiolucent.records.geometry import Geometry
from radiolucent.records.image import Inference, ModelInput

STEPS = 10
BLUR = 0.05
NOISE, SHIFT = 0.02, 0.02
ORDERS = ("evidence", "random", "centre")
Image = NDArray[np.float32]
Order = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One true positive whose map is put to the test. ``image [C, H, W]`` is the model's input."""

    index: int
    group: str
    image: Image
    geometry: Geometry
    evidence: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Faithfulness:
    """Means over probes with intervals over groups.

    Parameters
    ----------
    deletion, insertion
        Area under the curve of probability by order (``evidence``, ``random``, ``centre``).
    deletion_gain, insertion_gain
        How much better the evidence's order is than the other two; above 0 speaks for the map.
    noise_correlation, shift_correlation
        Spearman correlation of the map before and after (the shift undone).
    noise_change, shift_change
        Mean absolute change of probability.
    """

    probes: int
    groups: int
    steps: int
    deletion: dict[str, Interval]
    insertion: dict[str, Interval]
    deletion_gain: dict[str, Interval]
    insertion_gain: dict[str, Interval]
    noise_correlation: Interval
    noise_change: Interval
    shift_correlation: Interval
    shift_change: Interval


def choose_probes(readings: Sequence[Reading], engine: Engine, *, most: int, seed: int = 11) -> list[Probe]:
    """Up to ``most`` pairs of test image and finding that is there and reaches its threshold, by a seeded draw.

    Findings whose maps are never shown are left out. Where nothing reaches its threshold, any positive serves.
    """
    findings = engine.spec.findings
    pairs = [
        (r, k)
        for r in readings
        for k, f in enumerate(findings)
        if r.case.labels.get(f.key) == 1 and f.display_class != "notify-only"
    ]
    called = [(r, k) for r, k in pairs if chance(engine, r.inference, k) >= findings[k].threshold]
    chosen = called or pairs
    order = np.random.default_rng(seed).permutation(len(chosen))[:most]
    probes = []
    for reading, k in (chosen[i] for i in sorted(order)):
        _, made = prepared(reading.case, engine.spec)
        probes.append(
            Probe(
                index=k,
                group=reading.case.group,
                image=made.array,
                geometry=made.geometry,
                evidence=reading.inference.evidence[k],
            )
        )
    return probes


def chance(engine: Engine, inference: Inference, index: int) -> float:
    """Calibrated probability of a finding."""
    slope, intercept = engine.spec.findings[index].calibration
    return float(sigmoid(np.array(slope * float(inference.logits[index]) + intercept)))


def blurred(image: Image) -> Image:
    """``[C, H, W]`` without detail: a Gaussian of 5 % of the side."""
    sigma = BLUR * max(image.shape[1:])
    return np.asarray(ndimage.gaussian_filter(image, (0, sigma, sigma)), dtype=np.float32)


def orders(evidence: NDArray[np.float32], *, generator: np.random.Generator) -> dict[str, Order]:
    """Cells of the grid, first one first: by evidence, at random, and from the centre outwards."""
    height, width = evidence.shape
    rows, columns = np.mgrid[:height, :width]
    away = (rows - (height - 1) / 2) ** 2 + (columns - (width - 1) / 2) ** 2
    return {
        "evidence": np.argsort(-evidence.ravel(), kind="stable"),
        "random": generator.permutation(evidence.size),
        "centre": np.argsort(away.ravel(), kind="stable"),
    }


def steps_of(start: Image, end: Image, order: Order, grid: tuple[int, int], *, steps: int = STEPS) -> list[Image]:
    """``steps + 1`` images from ``start`` to ``end``, replacing cells of a ``grid`` in ``order``."""
    height, width = start.shape[1:]
    place = np.empty(order.size, dtype=np.intp)
    place[order] = np.arange(order.size)
    rows, columns = np.arange(height) * grid[0] // height, np.arange(width) * grid[1] // width
    when = place.reshape(grid)[np.ix_(rows, columns)]
    limits = np.linspace(0, order.size, steps + 1)
    return [np.where(when < limit, end, start) for limit in limits]


def area(engine: Engine, probe: Probe, images: Sequence[Image]) -> float:
    """Area under the probability over the share of replaced cells, by the trapezoid rule."""
    got = run(engine, [ModelInput(array=image, geometry=probe.geometry) for image in images])
    curve = np.array([chance(engine, inference, probe.index) for inference in got])
    return float(np.trapezoid(curve, np.linspace(0, 1, len(curve))))


def faithfulness(
    probes: Sequence[Probe],
    engine: Engine,
    *,
    resamples: int,
    seed: int = 12,
    progress: Callable[[int], None] = lambda _: None,
) -> Faithfulness:
    """Deletion, insertion and stability of some maps (see the module)."""
    generator = np.random.default_rng(seed)
    rows = []
    for probe in probes:
        rows.append({**_curves(probe, engine, generator), **_stability(probe, engine, generator)})
        progress(1)
    groups = np.array([p.group for p in probes], dtype=np.str_)

    def over(column: Callable[[dict[str, float]], float]) -> Interval:
        values = np.array([column(row) for row in rows], dtype=np.float64)
        return bootstrap(groups, lambda i: mean(values[i]), resamples=resamples)

    others = ORDERS[1:]
    return Faithfulness(
        probes=len(probes),
        groups=len(set(groups)),
        steps=STEPS,
        deletion={name: over(lambda row, n=name: row[f"deletion {n}"]) for name in ORDERS},  # type: ignore[misc]
        insertion={name: over(lambda row, n=name: row[f"insertion {n}"]) for name in ORDERS},  # type: ignore[misc]
        deletion_gain={
            name: over(lambda row, n=name: row[f"deletion {n}"] - row["deletion evidence"])  # type: ignore[misc]
            for name in others
        },
        insertion_gain={
            name: over(lambda row, n=name: row["insertion evidence"] - row[f"insertion {n}"])  # type: ignore[misc]
            for name in others
        },
        noise_correlation=over(lambda row: row["noise correlation"]),
        noise_change=over(lambda row: row["noise change"]),
        shift_correlation=over(lambda row: row["shift correlation"]),
        shift_change=over(lambda row: row["shift change"]),
    )


def _curves(probe: Probe, engine: Engine, generator: np.random.Generator) -> dict[str, float]:
    dull = blurred(probe.image)
    grid = (probe.evidence.shape[0], probe.evidence.shape[1])
    out = {}
    for name, order in orders(probe.evidence, generator=generator).items():
        out[f"deletion {name}"] = area(engine, probe, steps_of(probe.image, dull, order, grid))
        out[f"insertion {name}"] = area(engine, probe, steps_of(dull, probe.image, order, grid))
    return out


def _stability(probe: Probe, engine: Engine, generator: np.random.Generator) -> dict[str, float]:
    mean_, std = np.float32(engine.spec.input.mean), np.float32(engine.spec.input.std)
    unit = probe.image * std + mean_
    noisy = np.clip(unit + generator.normal(0, NOISE, unit.shape), 0, 1).astype(np.float32)
    moved = list(_shifts(unit))
    images = [unit, noisy, *(image for image, _ in moved)]
    got = run(engine, [ModelInput(array=(image - mean_) / std, geometry=probe.geometry) for image in images])
    chances = [chance(engine, inference, probe.index) for inference in got]
    maps = [inference.evidence[probe.index] for inference in got]
    cells = np.array(maps[0].shape) / np.array(unit.shape[1:])
    back = [
        ndimage.shift(after, -np.array(by) * cells, order=1, mode="nearest")
        for after, (_, by) in zip(maps[2:], moved, strict=True)
    ]
    return {
        "noise correlation": spearman(maps[0], maps[1]),
        "noise change": abs(chances[1] - chances[0]),
        "shift correlation": mean(np.array([spearman(maps[0], after) for after in back])),
        "shift change": float(np.mean([abs(after - chances[0]) for after in chances[2:]])),
    }


def _shifts(image: Image) -> Iterator[tuple[Image, tuple[int, int]]]:
    """The image moved by 2 % of its side in four directions; what comes in is 0, as padding is."""
    height, width = image.shape[1:]
    down, right = max(1, round(SHIFT * height)), max(1, round(SHIFT * width))
    for by in ((down, 0), (-down, 0), (0, right), (0, -right)):
        out = np.zeros_like(image)
        to = [slice(max(0, n), side + min(0, n)) for n, side in zip(by, (height, width), strict=True)]
        take = [slice(max(0, -n), side + min(0, -n)) for n, side in zip(by, (height, width), strict=True)]
        out[:, to[0], to[1]] = image[:, take[0], take[1]]
        yield out, by
