"""Of findings that exclude each other, is the likeliest the right one?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radiolucent.cohort.measure import Floats, Interval, bootstrap, rate
from radiolucent.cohort.reading import Reading, groups_of, labels_of
from radiolucent.cohort.truth import parts_of
from radiolucent.records.engine import EngineSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class KindFigures:
    """Share of images whose likeliest kind is the true one, among images where exactly one is known to be there."""

    by: str
    value: str
    images: int
    groups: int
    accuracy: Interval


def kinds(
    readings: Sequence[Reading], chances: dict[str, Floats], spec: EngineSpec, *, resamples: int
) -> tuple[KindFigures, ...]:
    """Accuracy over all of test and within each source; nothing where the engine names no exclusive findings."""
    keys = spec.exclusive
    if not keys:
        return ()
    labels = np.stack([labels_of(readings, key) for key in keys], axis=1)
    one = (labels == 1).sum(axis=1) == 1
    likeliest = np.stack([chances[key] for key in keys], axis=1).argmax(axis=1)
    right, groups = likeliest == np.nanargmax(np.where(np.isnan(labels), -1, labels), axis=1), groups_of(readings)
    parts = [("all", "", np.ones(len(readings), dtype=bool))]
    parts += [part for part in parts_of([r.case for r in readings]) if part[0] == "source"]
    out = []
    for by, value, chosen in parts:
        here = chosen & one
        if here.any():
            hits = right[here]
            found = bootstrap(groups[here], lambda i, hits=hits: rate(hits[i]), resamples=resamples)  # type: ignore[misc]
            out.append(
                KindFigures(by=by, value=value, images=int(here.sum()), groups=len(set(groups[here])), accuracy=found)
            )
    return tuple(out)
