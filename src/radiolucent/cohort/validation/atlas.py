"""The map atlas: where the engine looks, as mean maps in the body's own frame, and how far groups differ in it.

The distance of two mean maps is the total variation distance, half the sum of absolute differences: the share of the
evidence that would have to move. Few images make it large by themselves, so it always stands beside the distance that
chance gives: the mean over permutations of patients, which also give p.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.measure import NAN, NOTHING, Floats, Groups, Interval
from radiolucent.cohort.validation.estimates import (
    LEAST_UNITS,
    NO_ESTIMATE,
    Z95,
    Estimate,
    corrected,
    difference,
)
from radiolucent.cohort.validation.observing import GRID
from radiolucent.cohort.validation.shards import Observed
from radiolucent.cohort.validation.subgroups import Mask, Stratum

PERMUTATIONS = 999
DRAWN = 300
"""Patients of a group, and of the others, among whom permutations are made."""
SHOWN = 12
Maps = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Where one finding's evidence lies in one group, against all other images (or a reference cohort).

    Parameters
    ----------
    images, patients, with_map
        Images of the group, their patients, and images of which a map in the body's frame could be made.
    called
        Images in which the product calls the finding.
    inside, margin
        Mean share of positive evidence inside the expected region and at the margins of the picture.
    inside_gap, margin_gap, inside_q, margin_q
        Difference to the others and its false discovery rate.
    distance, by_chance, p, q
        Distance of the mean maps, what permutations give on average, p, false discovery rate.
    saying
        ``too few to say`` with fewer than ten patients on a side.
    cases
        Rows of images whose own maps lie farthest from the others' mean map.
    """

    key: str
    by: str
    value: str
    images: int
    patients: int
    with_map: int
    called: int
    inside: Interval
    margin: Interval
    inside_gap: float
    margin_gap: float
    inside_p: float
    margin_p: float
    distance: float
    by_chance: float
    p: float
    inside_q: float = NAN
    margin_q: float = NAN
    q: float = NAN
    saying: str = ""
    cases: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Maps of a bounded draw of patients: ``maps [n, K, GRID * GRID]``, and the images (of a cohort) they are of."""

    maps: Maps
    groups: Groups
    at: NDArray[np.intp]


def mean_estimate(values: Floats, groups: Groups) -> Estimate:
    """Mean of the values that are there, with a standard error that takes patients as clusters."""
    known = ~np.isnan(values)
    values, groups = values[known], groups[known]
    if len(values) == 0:
        return NO_ESTIMATE
    _, inverse = np.unique(groups, return_inverse=True)
    count, middle = int(inverse.max()) + 1, float(values.mean())
    if count < 2:
        return Estimate(interval=Interval(middle, NAN, NAN), error=NAN, units=count)
    off = np.bincount(inverse, weights=values - middle)
    error = math.sqrt(count / (count - 1) * float(off @ off)) / len(values)
    return Estimate(interval=Interval(middle, middle - Z95 * error, middle + Z95 * error), error=error, units=count)


def total_variation(first: Maps, second: Maps) -> NDArray[np.float64]:
    """Half the sum of absolute differences over the last axis, each map first brought to a sum of 1."""
    totals = [np.maximum(maps.sum(axis=-1, keepdims=True), 1e-12) for maps in (first, second)]
    return np.asarray(0.5 * np.abs(first / totals[0] - second / totals[1]).sum(axis=-1), dtype=np.float64)


def draw(observed: Observed, strata: Sequence[Stratum], *, seed: int = 3) -> Sample:
    """Maps of at most `DRAWN` patients of every stratum, and of as many of all: memory has a bound."""
    generator = np.random.default_rng(seed)
    chosen: set[str] = set()
    usable = observed.arrays["has_frame"] > 0
    for members in (np.ones(len(observed), dtype=bool), *(s.members for s in strata)):
        names = np.unique(observed.groups[members & usable])
        chosen.update(generator.permutation(names)[:DRAWN].tolist())
    at = np.flatnonzero(np.isin(observed.groups, sorted(chosen)) & usable)
    return Sample(maps=load(observed, at), groups=observed.groups[at], at=at)


def load(observed: Observed, at: NDArray[np.intp]) -> Maps:
    """``[n, K, GRID * GRID]`` of some images."""
    count = observed.arrays["shares"].shape[1] if len(observed) else 0
    out = np.zeros((len(at), count, GRID * GRID), dtype=np.float32)
    for here, values in observed.large("maps", at):
        out[here] = values.reshape(len(here), count, -1)
    return out


def permuted(
    maps: Maps, groups: Groups, members: Mask, *, permutations: int = PERMUTATIONS, seed: int = 4
) -> tuple[Floats, Floats, Floats]:
    """``(distance, by chance, p)``, each ``[K]``, of the members' mean maps from the others'.

    Whole patients are exchanged. A patient with images on both sides counts on each side as one unit. p is
    ``(1 + as far by chance) / (1 + permutations)`` (Phipson and Smyth 2010).
    """
    units, inverse = np.unique(np.char.add(groups, np.where(members, "|1", "|0")), return_inverse=True)
    side = np.char.endswith(units, "|1")
    n, count, cells = len(units), maps.shape[1], maps.shape[2]
    sums = np.zeros((n, count * cells), dtype=np.float32)
    np.add.at(sums, inverse, maps.reshape(len(maps), -1))
    sums /= np.maximum(np.bincount(inverse), 1)[:, None]
    whole = sums.sum(axis=0)
    generator = np.random.default_rng(seed)
    orders = np.array([side, *(generator.permutation(side) for _ in range(permutations))], dtype=np.float32)
    far = np.empty((len(orders), count))
    for start in range(0, len(orders), 100):
        first = orders[start : start + 100] @ sums
        shape = (len(first), count, cells)
        far[start : start + 100] = total_variation(first.reshape(shape), (whole - first).reshape(shape))
    p = (1 + (far[1:] >= far[0] - 1e-9).sum(axis=0)) / (1 + permutations)
    return far[0], far[1:].mean(axis=0), p


def cells(
    observed: Observed,
    keys: Sequence[str],
    strata: Sequence[Stratum],
    sample: Sample,
    *,
    permutations: int = PERMUTATIONS,
) -> list[Cell]:
    """Every finding in every stratum; false discovery rates are filled."""
    out = []
    for stratum in strata:
        inside = stratum.members[sample.at]
        enough = min(len(np.unique(sample.groups[m])) for m in (inside, ~inside)) >= LEAST_UNITS
        nothing = np.full(len(keys), NAN)
        tested = permuted(sample.maps, sample.groups, inside, permutations=permutations) if enough else (nothing,) * 3
        far = _farthest(sample, inside) if enough else [()] * len(keys)
        out += [
            _cell(observed, key, k, stratum, (tested[0][k], tested[1][k], tested[2][k]), far[k])
            for k, key in enumerate(keys)
        ]
    return with_rates(out)


def with_rates(rows: Sequence[Cell]) -> list[Cell]:
    """False discovery rates: maps, shares inside and shares at margins are three families of tests."""
    q, inside, margin = (corrected([getattr(c, name) for c in rows]) for name in ("p", "inside_p", "margin_p"))
    return [replace(c, q=q[i], inside_q=inside[i], margin_q=margin[i]) for i, c in enumerate(rows)]


def _farthest(sample: Sample, inside: Mask) -> list[tuple[int, ...]]:
    """By finding: the members (positions in the cohort) whose maps lie farthest from the others' mean map."""
    others = sample.maps[~inside].mean(axis=0)
    mine = np.flatnonzero(inside)
    out = []
    for k in range(sample.maps.shape[1]):
        own = sample.maps[mine, k]
        far = np.where(own.sum(axis=1) > 0, total_variation(own, others[k][None]), -1.0)
        out.append(tuple(int(sample.at[mine[i]]) for i in np.argsort(-far)[:SHOWN]))
    return out


def _cell(
    observed: Observed,
    key: str,
    k: int,
    stratum: Stratum,
    tested: tuple[float, float, float],
    far: tuple[int, ...],
) -> Cell:
    here, rest = stratum.members, ~stratum.members
    arrays, groups = observed.arrays, observed.groups
    inside = [mean_estimate(arrays["shares"][m, k], groups[m]) for m in (here, rest)]
    margin = [mean_estimate(arrays["margins"][m, k], groups[m]) for m in (here, rest)]
    gaps = [difference(*pair) for pair in (inside, margin)]
    few = len(set(groups[here])) < LEAST_UNITS
    return Cell(
        key=key,
        by=stratum.by,
        value=stratum.value,
        images=int(here.sum()),
        patients=len(set(groups[here])),
        with_map=int((arrays["has_frame"][here] > 0).sum()),
        called=int((arrays["words"][here, k] >= 0).sum()),
        inside=NOTHING if few else inside[0].interval,
        margin=NOTHING if few else margin[0].interval,
        inside_gap=gaps[0][0],
        inside_p=gaps[0][1],
        margin_gap=gaps[1][0],
        margin_p=gaps[1][1],
        distance=tested[0],
        by_chance=tested[1],
        p=tested[2],
        saying="too few to say" if few else "",
        cases=far,
    )


def mean_maps(observed: Observed, strata: Sequence[Stratum]) -> tuple[Maps, Maps]:
    """Mean maps ``[S, K, GRID, GRID]`` and mean bodies ``[S, GRID, GRID]``, over all images, a shard at a time."""
    at = np.flatnonzero(observed.arrays["has_frame"] > 0) if len(observed) else np.zeros(0, dtype=np.intp)
    members = np.array([s.members for s in strata], dtype=np.float32).reshape(len(strata), -1)
    count = observed.arrays["shares"].shape[1] if len(observed) else 0
    sums = np.zeros((len(strata), count * GRID * GRID), dtype=np.float64)
    bodies = np.zeros((len(strata), GRID * GRID), dtype=np.float64)
    for here, values in observed.large("maps", at):
        sums += members[:, at[here]] @ values.reshape(len(here), -1)
    for here, values in observed.large("body", at):
        bodies += members[:, at[here]] @ values.reshape(len(here), -1)
    n = np.maximum(members[:, at].sum(axis=1), 1.0)[:, None]
    return (
        (sums / n).astype(np.float32).reshape(len(strata), count, GRID, GRID),
        (bodies / n).astype(np.float32).reshape(len(strata), GRID, GRID),
    )
