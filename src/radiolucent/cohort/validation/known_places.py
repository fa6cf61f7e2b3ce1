"""Findings whose place is known: does the map's peak lie there, and are those near the margin missed more often."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.measure import NAN, Floats, Interval
from radiolucent.cohort.truth import place
from radiolucent.cohort.validation.estimates import NO_ESTIMATE, Estimate, corrected, difference, share_estimate
from radiolucent.cohort.validation.observing import MARGIN
from radiolucent.cohort.validation.shards import Observed
from radiolucent.records.engine import EngineSpec

SIDE = 512
"""Known places are drawn on a square of this side, of which the peak is a point."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """One finding where its place is known.

    Parameters
    ----------
    hit_rate, centre_hit_rate
        How often the peak of its map, and the middle of the picture, lie where the finding is.
    at_margin
        Images in which the finding reaches into the margin of the picture (`observing.MARGIN`).
    missed_at_margin, missed_elsewhere
        Share of images under the threshold.
    p, q
        Of the difference of the two, by the normal approximation; q over all findings. ``nan``: too few patients.
    """

    key: str
    places: int
    patients: int
    hit_rate: Interval
    centre_hit_rate: Interval
    at_margin: int
    missed_at_margin: Interval
    missed_elsewhere: Interval
    p: float
    q: float = NAN


def known_places(observed: Observed, spec: EngineSpec) -> tuple[Places, ...]:
    """Every trained finding that has a box or a mask anywhere."""
    found = [row for k in range(len(spec.findings)) if (row := _places(observed, spec, k)) is not None]
    rates = corrected([row.p for row in found])
    return tuple(replace(row, q=q) for row, q in zip(found, rates, strict=True))


def _places(observed: Observed, spec: EngineSpec, k: int) -> Places | None:
    finding, rim = spec.findings[k], _margin()
    seen: list[tuple[int, bool, bool, bool]] = []
    for i, case in enumerate(observed.cases):
        truth = place(case, finding.key, (SIDE, SIDE)) if case.has_place(finding.key) else None
        if truth is not None:
            hit = _holds(truth, observed.arrays["peaks"][i, k])
            seen.append((i, hit, bool(truth[SIDE // 2, SIDE // 2]), bool((truth & rim).any())))
    if not seen:
        return None
    at = np.array([one[0] for one in seen])
    hits, centre, is_near = np.array([one[1:] for one in seen]).T
    groups = observed.groups[at]
    missed = observed.arrays["chances"][at, k] < finding.threshold
    near, elsewhere = (_share(missed[here], groups[here]) for here in (is_near, ~is_near))
    return Places(
        key=finding.key,
        places=len(at),
        patients=len(set(groups)),
        hit_rate=share_estimate(hits, groups).interval,
        centre_hit_rate=share_estimate(centre, groups).interval,
        at_margin=int(is_near.sum()),
        missed_at_margin=near.interval,
        missed_elsewhere=elsewhere.interval,
        p=difference(near, elsewhere)[1],
    )


def _share(missed: Mask, groups: NDArray[np.str_]) -> Estimate:
    return share_estimate(missed, groups) if len(missed) else NO_ESTIMATE


def _margin() -> Mask:
    rim = np.ones((SIDE, SIDE), dtype=bool)
    inner = round(MARGIN * SIDE)
    rim[inner:-inner, inner:-inner] = False
    return rim


def _holds(truth: Mask, share: Floats) -> bool:
    row, column = np.clip((share * SIDE).astype(int), 0, SIDE - 1)
    return bool(truth[row, column])
