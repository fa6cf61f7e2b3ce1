"""The map atlas: where the engine looks, as mean maps in the body's own frame, and how far groups differ in it.

Only images that reach a finding's threshold count: the map of a finding that is not there says little. The distance of
two mean maps is the total variation distance, half the sum of absolute differences: the share of the evidence that
would have to move. Few images make it large by themselves, so it always stands beside the distance that chance gives:
the mean over permutations of patients, which also give p.
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
from radiolucent.cohort.validation.subgroups import Mask, Stratum, everything

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
    images, patients
        Images of the group and their patients.
    reached, reached_patients
        Images that reach the finding's threshold, so that their maps count, and their patients.
    inside, margin
        Mean share of positive evidence inside the expected region and at the margins of the picture.
    on_markers
        Mean share of positive evidence on letters, markers and metal, less the share of the picture that they take.
    inside_gap, margin_gap, on_markers_gap, inside_q, margin_q, on_markers_q
        Difference to the others and its false discovery rate.
    distance, by_chance, p, q
        Distance of the mean maps, what permutations give on average, p, false discovery rate.
    saying
        ``too few to say`` where fewer than ten patients reach the threshold.
    cases
        Positions, among the images read, of those whose own maps lie farthest from the others' mean map.
    """

    key: str
    by: str
    value: str
    images: int
    patients: int
    reached: int
    reached_patients: int
    inside: Interval
    margin: Interval
    on_markers: Interval
    inside_gap: float
    margin_gap: float
    on_markers_gap: float
    inside_p: float
    margin_p: float
    on_markers_p: float
    distance: float
    by_chance: float
    p: float
    inside_q: float = NAN
    margin_q: float = NAN
    on_markers_q: float = NAN
    q: float = NAN
    saying: str = ""
    cases: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Maps of a bounded draw of patients: ``maps [n, K, GRID * GRID]``, and the images (of a cohort) they are of.

    A map is 0 throughout where the finding's threshold is not reached.
    """

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


def as_share(found: Estimate) -> Interval:
    """Its interval, cut to what a share can be."""
    low, high = np.clip((found.interval.low, found.interval.high), 0.0, 1.0)
    return Interval(found.value, float(low), float(high))


def total_variation(first: Maps, second: Maps) -> NDArray[np.float64]:
    """Half the sum of absolute differences over the last axis, each map first brought to a sum of 1."""
    totals = [np.maximum(maps.sum(axis=-1, keepdims=True), 1e-12) for maps in (first, second)]
    return np.asarray(0.5 * np.abs(first / totals[0] - second / totals[1]).sum(axis=-1), dtype=np.float64)


def reaching(observed: Observed, thresholds: Sequence[float]) -> Mask:
    """``[N, K]`` whether an image has a map that counts: its body was found and the threshold is reached."""
    chances = observed.arrays["chances"].reshape(len(observed), -1)[:, : len(thresholds)]
    has_frame = observed.arrays["has_frame"].reshape(-1, 1) > 0
    return np.asarray((chances >= np.array(thresholds)) & has_frame)


def draw(observed: Observed, strata: Sequence[Stratum], reach: Mask, *, seed: int = 3) -> Sample:
    """Maps of at most `DRAWN` patients of every stratum, and of as many of all: memory has a bound."""
    generator = np.random.default_rng(seed)
    chosen: set[str] = set()
    usable = reach.any(axis=1)
    for members in (np.ones(len(observed), dtype=bool), *(s.members for s in strata)):
        names = np.unique(observed.groups[members & usable])
        chosen.update(generator.permutation(names)[:DRAWN].tolist())
    at = np.flatnonzero(np.isin(observed.groups, sorted(chosen)) & usable)
    maps = np.zeros((len(at), reach.shape[1], GRID * GRID), dtype=np.float32)
    for here, values in observed.large("maps", at):
        maps[here] = values.reshape(len(here), reach.shape[1], -1) * reach[at[here]][:, :, None]
    return Sample(maps=maps, groups=observed.groups[at], at=at)


def permuted(
    maps: Maps, groups: Groups, members: Mask, *, permutations: int = PERMUTATIONS, seed: int = 4
) -> tuple[Floats, Floats, Floats]:
    """``(distance, by chance, p)``, each ``[K]``, of the members' mean maps from the others'.

    Whole patients are exchanged. A patient with images on both sides counts on each side as one unit. p is
    ``(1 + as far by chance) / (1 + permutations)`` (Phipson and Smyth 2010). ``nan`` where fewer than ten patients of
    a side have a map of the finding.
    """
    units, inverse = np.unique(np.char.add(groups, np.where(members, "|1", "|0")), return_inverse=True)
    side = np.char.endswith(units, "|1")
    n, count, cells = len(units), maps.shape[1], maps.shape[2]
    sums = np.zeros((n, count * cells), dtype=np.float32)
    np.add.at(sums, inverse, maps.reshape(len(maps), -1))
    counted = np.zeros((n, count), dtype=np.float32)
    np.add.at(counted, inverse, (maps.sum(axis=2) > 0).astype(np.float32))
    sums /= np.repeat(np.maximum(counted, 1.0), cells, axis=1)
    whole = sums.sum(axis=0)
    generator = np.random.default_rng(seed)
    orders = np.array([side, *(generator.permutation(side) for _ in range(permutations))], dtype=np.float32)
    far = np.empty((len(orders), count))
    for start in range(0, len(orders), 100):
        first = orders[start : start + 100] @ sums
        shape = (len(first), count, cells)
        far[start : start + 100] = total_variation(first.reshape(shape), (whole - first).reshape(shape))
    p = (1 + (far[1:] >= far[0] - 1e-9).sum(axis=0)) / (1 + permutations)
    enough = np.minimum((counted[side] > 0).sum(axis=0), (counted[~side] > 0).sum(axis=0)) >= LEAST_UNITS
    return tuple(np.where(enough, found, NAN) for found in (far[0], far[1:].mean(axis=0), p))  # type: ignore[return-value]


def cells(
    observed: Observed,
    keys: Sequence[str],
    strata: Sequence[Stratum],
    sample: Sample,
    reach: Mask,
    *,
    permutations: int = PERMUTATIONS,
) -> list[Cell]:
    """Every finding in every stratum; false discovery rates are filled."""
    out = []
    for stratum in strata:
        inside = stratum.members[sample.at]
        both = bool(inside.any() and not inside.all())
        nothing = np.full(len(keys), NAN)
        tested = permuted(sample.maps, sample.groups, inside, permutations=permutations) if both else (nothing,) * 3
        far = farthest(sample, inside, sample.maps[~inside]) if both else [()] * len(keys)
        for k, key in enumerate(keys):
            pair = [Part(observed, m, reach, k) for m in (stratum.members, ~stratum.members)]
            out.append(cell_of(key, stratum, pair[0], pair[1], (tested[0][k], tested[1][k], tested[2][k]), far[k]))
    return with_rates(out)


def with_rates(rows: Sequence[Cell]) -> list[Cell]:
    """False discovery rates: maps, shares inside, at margins and on markers are four families of tests."""
    q, inside, margin, markers = (
        corrected([getattr(c, name) for c in rows]) for name in ("p", "inside_p", "margin_p", "on_markers_p")
    )
    return [
        replace(c, q=q[i], inside_q=inside[i], margin_q=margin[i], on_markers_q=markers[i]) for i, c in enumerate(rows)
    ]


def farthest(sample: Sample, inside: Mask, others: Maps) -> list[tuple[int, ...]]:
    """By finding: the members (positions in the cohort) whose maps lie farthest from the others' mean map."""
    mine = np.flatnonzero(inside)
    out = []
    for k in range(sample.maps.shape[1]):
        own = sample.maps[mine, k]
        far = np.where(own.sum(axis=1) > 0, total_variation(own, others[:, k].sum(axis=0)[None]), -1.0)
        order = np.argsort(-far, kind="stable")[:SHOWN]
        out.append(tuple(int(sample.at[mine[i]]) for i in order if far[i] >= 0))
    return out


class Part:
    """The images of one side that reach a finding's threshold: shares of evidence and whose they are."""

    def __init__(self, observed: Observed, members: Mask, reach: Mask, k: int) -> None:
        here = members & reach[:, k]
        self.images, self.patients = int(members.sum()), len(set(observed.groups[members]))
        self.reached, self.reached_patients = int(here.sum()), len(set(observed.groups[here]))
        groups = observed.groups[here]
        self.inside = mean_estimate(observed.arrays["shares"][here, k], groups)
        self.margin = mean_estimate(observed.arrays["margins"][here, k], groups)
        self.on_markers = mean_estimate(observed.arrays["on_markers"][here, k], groups)


def cell_of(
    key: str,
    stratum: Stratum,
    here: Part,
    rest: Part,
    tested: tuple[float, float, float],
    far: tuple[int, ...],
) -> Cell:
    """A cell of the atlas out of its two sides; ``tested`` is distance, by chance, p."""
    inside, margin, on_markers = (
        difference(getattr(here, name), getattr(rest, name)) for name in ("inside", "margin", "on_markers")
    )
    few = here.reached_patients < LEAST_UNITS
    return Cell(
        key=key,
        by=stratum.by,
        value=stratum.value,
        images=here.images,
        patients=here.patients,
        reached=here.reached,
        reached_patients=here.reached_patients,
        inside=NOTHING if few else as_share(here.inside),
        margin=NOTHING if few else as_share(here.margin),
        on_markers=NOTHING if few else here.on_markers.interval,
        inside_gap=inside[0],
        inside_p=inside[1],
        margin_gap=margin[0],
        margin_p=margin[1],
        on_markers_gap=on_markers[0],
        on_markers_p=on_markers[1],
        distance=float(tested[0]),
        by_chance=float(tested[1]),
        p=float(tested[2]),
        saying="too few to say" if few else "",
        cases=far,
    )


def mean_maps(observed: Observed, strata: Sequence[Stratum], reach: Mask) -> tuple[Maps, Maps]:
    """Mean maps ``[S, K, GRID, GRID]`` over the images that reach the threshold, a shard at a time.

    And mean bodies ``[S, GRID, GRID]`` over all images.
    """
    members = np.array([s.members for s in strata], dtype=np.float32).reshape(len(strata), -1)
    count, cells = reach.shape[1], GRID * GRID
    sums = np.zeros((len(strata), count, cells), dtype=np.float64)
    bodies = np.zeros((len(strata), cells), dtype=np.float64)
    at = np.flatnonzero(observed.arrays["has_frame"] > 0)
    for here, values in observed.large("maps", at):
        for k in range(count):
            sums[:, k] += members[:, at[here]] @ (values[:, k].reshape(len(here), -1) * reach[at[here], k, None])
    for here, values in observed.large("body", at):
        bodies += members[:, at[here]] @ values.reshape(len(here), -1)
    reached = np.maximum(members @ reach.astype(np.float32), 1.0)[:, :, None]
    framed = np.maximum(members[:, at].sum(axis=1), 1.0)[:, None]
    return (
        (sums / reached).astype(np.float32).reshape(len(strata), count, GRID, GRID),
        (bodies / framed).astype(np.float32).reshape(len(strata), GRID, GRID),
    )


def maps_of_all(observed: Observed, thresholds: Sequence[float]) -> tuple[Maps, Maps]:
    """`mean_maps` of a whole cohort: ``[1, K, GRID, GRID]`` and ``[1, GRID, GRID]``."""
    return mean_maps(observed, [everything(len(observed))], reaching(observed, thresholds))
