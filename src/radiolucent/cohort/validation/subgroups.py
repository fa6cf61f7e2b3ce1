"""One finding in each group of patients and machines, against all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.measure import NAN, NOTHING, Floats, Groups, Interval
from radiolucent.cohort.validation.estimates import (
    LEAST_UNITS,
    NO_ESTIMATE,
    Estimate,
    auc_estimate,
    corrected,
    difference,
    share_estimate,
)
from radiolucent.cohort.validation.strata import AGE_BANDS

MOST_VALUES = 12
ALL, OTHERS = "all", "others"
FIGURES = ("auc", "sensitivity", "specificity")
FOUND = 0.05
"""A difference is told where its false discovery rate is below this."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Images that share a value, for example ``age_band`` = ``40 to 49``."""

    by: str
    value: str
    members: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigure:
    """A figure in one group; ``gap`` is to all other images, ``q`` its false discovery rate over the whole report.

    ``saying`` is ``too few to say`` where fewer than ten patients of a class stand behind it.
    """

    figure: str
    here: Interval
    gap: float
    p: float
    q: float
    saying: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """One finding in one group."""

    key: str
    by: str
    value: str
    images: int
    positives: int
    patients: int
    figures: tuple[GroupFigure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The group with the lowest AUC of a finding, among groups of which something can be said."""

    key: str
    by: str
    value: str
    auc: Interval
    gap: float
    q: float


def everything(count: int) -> Stratum:
    """All of so many images."""
    return Stratum(by=ALL, value=ALL, members=np.ones(count, dtype=bool))


def strata_of(said: Sequence[Mapping[str, str]]) -> Iterator[Stratum]:
    """Every value of every stratum that has more than one; rare values together as ``others``."""
    names = dict.fromkeys(name for one in said for name in one)
    for by in names:
        values = np.array([one.get(by, "") for one in said], dtype=np.str_)
        counts = Counter(values.tolist())
        if len(counts) < 2:
            continue
        kept = [value for value, _ in counts.most_common(MOST_VALUES)]
        for value in _in_order(by, kept):
            yield Stratum(by=by, value=value, members=values == value)
        if len(counts) > len(kept):
            yield Stratum(by=by, value=OTHERS, members=~np.isin(values, kept))


def _in_order(by: str, values: Sequence[str]) -> list[str]:
    return sorted(values, key=AGE_BANDS.index) if by == "age_band" else sorted(values)


def subgroups(
    key: str,
    chance: Floats,
    labels: Floats,
    groups: Groups,
    strata: Sequence[Stratum],
    *,
    threshold: float,
) -> list[GroupFigures]:
    """One finding in every stratum; false discovery rates are still to be filled (`with_rates`)."""
    known = ~np.isnan(labels)
    out = []
    for stratum in strata:
        here, rest = stratum.members & known, ~stratum.members & known
        if not here.any():
            continue
        estimates = [_estimates(chance[at], labels[at], groups[at], threshold) for at in (here, rest)]
        out.append(
            GroupFigures(
                key=key,
                by=stratum.by,
                value=stratum.value,
                images=int(here.sum()),
                positives=int((labels[here] == 1).sum()),
                patients=len(set(groups[here])),
                figures=tuple(_figure(name, estimates[0][name], estimates[1][name]) for name in FIGURES),
            )
        )
    return out


def _estimates(chance: Floats, labels: Floats, groups: Groups, threshold: float) -> dict[str, Estimate]:
    truth, called = labels == 1, chance >= threshold
    return {
        "auc": auc_estimate(chance, labels, groups),
        "sensitivity": share_estimate(called[truth], groups[truth]) if truth.any() else NO_ESTIMATE,
        "specificity": share_estimate(~called[~truth], groups[~truth]) if (~truth).any() else NO_ESTIMATE,
    }


def _figure(name: str, here: Estimate, rest: Estimate) -> GroupFigure:
    if here.units < LEAST_UNITS:
        return GroupFigure(figure=name, here=NOTHING, gap=NAN, p=NAN, q=NAN, saying="too few to say")
    gap, p = difference(here, rest)
    saying = "" if rest.units >= LEAST_UNITS else "too few others to compare with"
    return GroupFigure(figure=name, here=here.interval, gap=gap, p=p, q=NAN, saying=saying)


def with_rates(rows: Sequence[GroupFigures]) -> list[GroupFigures]:
    """The same with false discovery rates over every test of every finding and group together."""
    rates = iter(corrected([f.p for row in rows for f in row.figures]))
    return [replace(row, figures=tuple(replace(f, q=next(rates)) for f in row.figures)) for row in rows]


def worst_groups(rows: Sequence[GroupFigures]) -> tuple[Worst, ...]:
    """For each finding the group with the lowest AUC."""
    lowest: dict[str, Worst] = {}
    for row in rows:
        area = row.figures[0]
        if np.isnan(area.here.value) or row.value in ("", OTHERS):
            continue
        if row.key not in lowest or area.here.value < lowest[row.key].auc.value:
            lowest[row.key] = Worst(key=row.key, by=row.by, value=row.value, auc=area.here, gap=area.gap, q=area.q)
    return tuple(lowest.values())
