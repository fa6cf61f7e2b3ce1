"""A change of version in each group of patients and machines: what it reads better and worse, and where it looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from radiolucent.cohort.measure import NAN, NOTHING, Floats, Groups, Interval
from radiolucent.cohort.validation.atlas import (
    Maps,
    Part,
    as_share,
    maps_of_all,
    mean_estimate,
    mean_maps,
    reaching,
    total_variation,
)
from radiolucent.cohort.validation.estimates import LEAST_UNITS, auc_gap, corrected, share_estimate
from radiolucent.cohort.validation.pairing import AUC_MARGIN, RATE_MARGIN, Pairing, Side
from radiolucent.cohort.validation.shards import Observed
from radiolucent.cohort.validation.subgroups import ALL, FOUND, Mask, Stratum

MARGINS = {"auc": AUC_MARGIN, "sensitivity": RATE_MARGIN, "specificity": RATE_MARGIN}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedFigure:
    """A figure of both versions on the same images, each at its own threshold; ``q`` over all groups and findings.

    ``saying`` is ``too few to say`` where fewer than ten patients of a class stand behind it.
    """

    figure: str
    before: Interval
    after: Interval
    gap: Interval
    p: float
    q: float = NAN
    saying: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Where both versions look, on the images that reach each one's threshold; ``nan`` where too few do.

    Parameters
    ----------
    distance
        Of their mean maps from one another.
    inside_before, inside_after
        Mean share of positive evidence in the expected region.
    reference_before, reference_after
        Distance of the mean map from the same version's mean map of the reference.
    """

    distance: float
    inside_before: Interval
    inside_after: Interval
    reference_before: float
    reference_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChange:
    """One finding in one group, before and after; figures are empty where no truth is known.

    ``worse`` names the figures that lost more than the margin, and not by chance (q).
    """

    key: str
    by: str
    value: str
    images: int
    patients: int
    positives: int
    figures: tuple[PairedFigure, ...]
    looks: Looks
    worse: tuple[str, ...] = ()


def group_changes(
    both: Pairing, strata: Sequence[Stratum], references: tuple[Observed | None, Observed | None] = (None, None)
) -> tuple[GroupChange, ...]:
    """Every shared finding in every stratum of the new version's images.

    Parameters
    ----------
    references
        The reference cohort as the new version and as the old one saw it, where there is one.
    """
    sides = (_Looking(both.new, strata, references[0]), _Looking(both.old, both.strata_of_old(strata), references[1]))
    rows = list(_rows(both, strata, *sides))
    rates = iter(corrected([f.p for row in rows for f in row.figures]))
    return tuple(_with_rates(row, [replace(f, q=next(rates)) for f in row.figures]) for row in rows)


def _with_rates(row: GroupChange, figures: Sequence[PairedFigure]) -> GroupChange:
    worse = tuple(f.figure for f in figures if f.gap.value < -MARGINS[f.figure] and f.q < FOUND)
    return replace(row, figures=tuple(figures), worse=worse)


def worse_places(rows: Sequence[GroupChange]) -> list[tuple[str, str]]:
    """Finding and place, in words, where the new version is worse.

    What it loses on the whole cohort is not said again of each group.
    """
    whole = {row.key: row.worse for row in rows if row.by == ALL}
    out = []
    for row in rows:
        lost = row.worse if row.by == ALL else tuple(f for f in row.worse if f not in whole.get(row.key, ()))
        if lost:
            where = "altogether" if row.by == ALL else f"where {row.by.replace('_', ' ')} is {row.value}"
            out.append((row.key, f"{where} ({' and '.join(lost)})"))
    return out


class _Looking:
    """Mean maps of one version by stratum, and of its reference."""

    def __init__(self, side: Side, strata: Sequence[Stratum], reference: Observed | None) -> None:
        thresholds = [f.threshold for f in side.spec.findings]
        self._side, self._strata = side, strata
        self._reach = reaching(side.observed, thresholds)
        self._maps, _ = mean_maps(side.observed, strata, self._reach)
        self._reference = None if reference is None else maps_of_all(reference, thresholds)[0][0]

    def part(self, s: int, key: str) -> Part:
        """The images of a stratum that reach the finding's threshold."""
        return Part(self._side.observed, self._strata[s].members, self._reach, self._side.index(key))

    def map(self, s: int, key: str) -> Maps:
        """``[GRID * GRID]`` the mean map of a stratum."""
        found: Maps = self._maps[s, self._side.index(key)]
        return found.ravel()

    def from_reference(self, s: int, key: str) -> float:
        """Distance from the reference; ``nan`` where there is none, or no map in it."""
        if self._reference is None:
            return NAN
        return _distance(self.map(s, key), self._reference[self._side.index(key)].ravel())


def _distance(first: Maps, second: Maps) -> float:
    return float(total_variation(first, second)) if first.any() and second.any() else NAN


def _rows(both: Pairing, strata: Sequence[Stratum], new: _Looking, old: _Looking) -> Iterator[GroupChange]:
    groups = both.groups
    for key in both.keys:
        truth, known = both.truth(key), ~np.isnan(both.truth(key))
        scores = (both.old.scores(key), both.new.scores(key))
        calls = (both.old.called(key), both.new.called(key))
        for s, stratum in enumerate(strata):
            members = stratum.members[both.new.at]
            here = members & known
            yield GroupChange(
                key=key,
                by=stratum.by,
                value=stratum.value,
                images=int(members.sum()),
                patients=len(set(groups[members])),
                positives=int((truth[here] == 1).sum()),
                figures=tuple(_figures(scores, calls, truth, groups, here)) if here.any() else (),
                looks=_looks(s, key, new, old),
            )


def _figures(
    scores: tuple[Floats, Floats], calls: tuple[Mask, Mask], truth: Floats, groups: Groups, here: Mask
) -> Iterator[PairedFigure]:
    area = auc_gap(scores[0][here], scores[1][here], truth[here], groups[here])
    if area.units < LEAST_UNITS:
        yield _too_few("auc")
    else:
        yield PairedFigure(figure="auc", before=area.first, after=area.second, gap=area.gap, p=area.p)
    for figure, value in (("sensitivity", 1), ("specificity", 0)):
        of = here & (truth == value)
        yield _rate(figure, calls[0][of] == bool(value), calls[1][of] == bool(value), groups[of])


def _rate(figure: str, had: Mask, has: Mask, groups: Groups) -> PairedFigure:
    if len(set(groups)) < LEAST_UNITS:
        return _too_few(figure)
    moved = has.astype(np.float64) - had
    before, after = (share_estimate(hits, groups).interval for hits in (had, has))
    gap = mean_estimate(moved, groups).interval
    return PairedFigure(figure=figure, before=before, after=after, gap=gap, p=by_patients(moved, groups))


def by_patients(moved: Floats, groups: Groups) -> float:
    """Exact sign test over patients who gained or lost: with one image of each it is McNemar's exact test."""
    from scipy.stats import binomtest

    _, inverse = np.unique(groups, return_inverse=True)
    signs = np.sign(np.bincount(inverse, weights=moved))
    gained, lost = int((signs > 0).sum()), int((signs < 0).sum())
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else NAN


def _too_few(figure: str) -> PairedFigure:
    return PairedFigure(figure=figure, before=NOTHING, after=NOTHING, gap=NOTHING, p=NAN, saying="too few to say")


def _looks(s: int, key: str, new: _Looking, old: _Looking) -> Looks:
    parts = (old.part(s, key), new.part(s, key))
    enough = [part.reached_patients >= LEAST_UNITS for part in parts]
    return Looks(
        distance=_distance(old.map(s, key), new.map(s, key)) if all(enough) else NAN,
        inside_before=as_share(parts[0].inside) if enough[0] else NOTHING,
        inside_after=as_share(parts[1].inside) if enough[1] else NOTHING,
        reference_before=old.from_reference(s, key) if enough[0] else NAN,
        reference_after=new.from_reference(s, key) if enough[1] else NAN,
    )
