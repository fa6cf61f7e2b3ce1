"""Two versions of an engine on one cohort: what moved, which calls flip, for whom, and whether the new may go in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.measure import NAN, Floats, Groups, Interval, mean, rate
from radiolucent.cohort.validation.atlas import mean_estimate, total_variation
from radiolucent.cohort.validation.change_groups import GroupChange, group_changes, worse_places
from radiolucent.cohort.validation.estimates import LEAST_UNITS, Paired, auc_gap, share_estimate
from radiolucent.cohort.validation.pairing import AUC_MARGIN, RATE_MARGIN, Pairing
from radiolucent.cohort.validation.shards import Observed
from radiolucent.cohort.validation.subgroups import Mask, Stratum

NAMED, NAMED_GROUPS = 50, 6
MAPS = 1000
Verdict = Literal["go", "no-go", "cannot tell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingChange:
    """One finding before and after.

    Parameters
    ----------
    correlation
        Spearman correlation of both scores.
    appear, vanish
        Images whose call appears and vanishes, each version at its own threshold; ``flips`` is their share, ``right``
        the share of flips that are right now, and ``flipped`` the first of their rows in the table.
    auc
        Of both, and the paired difference.
    sensitivity_gap, specificity_gap
        Difference at each version's own threshold.
    old_threshold_sensitivity, old_threshold_specificity
        Of the new version, if it were run at the old one's threshold.
    map_distance
        Mean distance of both maps of one image, where both versions reach their threshold.
    """

    key: str
    images: int
    correlation: float
    mean_change: float
    appear: int
    vanish: int
    flips: Interval
    right: Interval
    flipped: tuple[int, ...]
    auc: Paired
    sensitivity_gap: Interval
    specificity_gap: Interval
    old_threshold_sensitivity: float
    old_threshold_specificity: float
    map_distance: float
    verdict: Verdict
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionChange:
    """The record of a change of version: what was compared, by which rule, and what follows.

    ``observations_before`` is the folder of what the old version observed, under that of the report.
    """

    old: str
    old_sha256: str
    new: str
    new_sha256: str
    images: int
    patients: int
    auc_margin: float
    rate_margin: float
    verdict: Verdict
    why: str
    findings: tuple[FindingChange, ...]
    groups: tuple[GroupChange, ...]
    observations_before: str


def version_change(
    both: Pairing,
    strata: Sequence[Stratum],
    references: tuple[Observed | None, Observed | None] = (None, None),
    *,
    observations_before: str,
) -> VersionChange:
    """Compare two versions on the images that both have read, altogether and by stratum.

    Parameters
    ----------
    references
        The reference cohort as the new version and as the old one saw it, where there is one.
    """
    rows = tuple(_finding(key, both) for key in both.keys)
    groups = group_changes(both, strata, references)
    verdict, why = _overall(rows, groups)
    new, old = both.new.spec, both.old.spec
    return VersionChange(
        old=f"{old.id} {old.version}",
        old_sha256=old.sha256,
        new=f"{new.id} {new.version}",
        new_sha256=new.sha256,
        images=len(both.new.at),
        patients=len(set(both.groups)),
        auc_margin=AUC_MARGIN,
        rate_margin=RATE_MARGIN,
        verdict=verdict,
        why=why,
        findings=rows,
        groups=groups,
        observations_before=observations_before,
    )


def _overall(rows: Sequence[FindingChange], groups: Sequence[GroupChange]) -> tuple[Verdict, str]:
    """Groups are named of findings that are not worse altogether."""
    bad = [row.key for row in rows if row.verdict == "no-go"]
    worse = [f"{key} {place}" for key, place in worse_places([row for row in groups if row.key not in bad])]
    if bad or worse:
        said = [f"worse beyond the margins: {', '.join(bad)}"] if bad else []
        more = f"; and {len(worse) - NAMED_GROUPS} more" if len(worse) > NAMED_GROUPS else ""
        said += [f"worse beyond the margins by group: {'; '.join(worse[:NAMED_GROUPS])}{more}"] if worse else []
        return "no-go", "; ".join(said)
    good = [row.key for row in rows if row.verdict == "go"]
    if good:
        return "go", f"not worse beyond the margins in all that can be judged: {', '.join(good)}"
    return "cannot tell", "no finding has enough patients for the margins"


def _finding(key: str, both: Pairing) -> FindingChange:
    from scipy.stats import spearmanr

    after, first, groups = both.new.scores(key), both.old.scores(key), both.groups
    other = both.old.threshold(key)
    said, had = both.new.called(key), both.old.called(key)
    truth = both.truth(key)
    known, flip = ~np.isnan(truth), said != had
    right = (said == (truth == 1))[flip & known]
    area = auc_gap(first[known], after[known], truth[known], groups[known])
    gaps = [_gap(said, had, groups, truth == value, value == 1) for value in (1, 0)]
    verdict, why = judge(area, *gaps)
    cases = both.new.observed.cases
    return FindingChange(
        key=key,
        images=len(after),
        correlation=float(spearmanr(first, after).statistic) if len(after) > 2 and np.ptp(first) > 0 else NAN,
        mean_change=float((after - first).mean()) if len(after) else NAN,
        appear=int((said & ~had).sum()),
        vanish=int((had & ~said).sum()),
        flips=share_estimate(flip, groups).interval,
        right=share_estimate(right, groups[flip & known]).interval,
        flipped=tuple(cases[i].row for i in both.new.at[flip][:NAMED]),
        auc=area,
        sensitivity_gap=gaps[0],
        specificity_gap=gaps[1],
        old_threshold_sensitivity=rate((after >= other)[truth == 1]),
        old_threshold_specificity=rate((after < other)[truth == 0]),
        map_distance=_maps(both, key, said & had),
        verdict=verdict,
        why=why,
    )


def _gap(
    said: NDArray[np.bool_], had: NDArray[np.bool_], groups: Groups, here: NDArray[np.bool_], called: bool
) -> Interval:
    """Paired difference of sensitivity (or specificity) with its interval over patients."""
    change = (said[here] == called).astype(np.float64) - (had[here] == called)
    return mean_estimate(change, groups[here]).interval


def judge(area: Paired, sensitivity: Interval, specificity: Interval) -> tuple[Verdict, str]:
    """Whether one finding is not worse beyond the margins; no-go where it is surely worse beyond one of them."""
    if area.units < LEAST_UNITS:
        return "cannot tell", f"too few to say: {area.units} patients of the rarer class"
    named = (
        ("AUC", area.gap, AUC_MARGIN),
        ("sensitivity", sensitivity, RATE_MARGIN),
        ("specificity", specificity, RATE_MARGIN),
    )
    worse = [name for name, gap, margin in named if gap.value < -margin and gap.high < 0]
    if worse:
        hint = "" if "AUC" in worse or not area.gap.low > -AUC_MARGIN else "; the AUC did not: another threshold may do"
        return "no-go", f"{' and '.join(worse)} fell beyond the margin, and not by chance{hint}"
    wide = [name for name, gap, margin in named if not gap.low > -margin]
    if wide:
        return "cannot tell", f"the interval of {' and '.join(wide)} reaches beyond the margin"
    return "go", "within the margins"


def _maps(both: Pairing, key: str, reached: Mask) -> float:
    at = np.flatnonzero(reached)[:MAPS]
    if len(at) == 0:
        return NAN
    mine, other = (_load(side.observed, side.at[at], side.index(key)) for side in (both.new, both.old))
    there = (mine.sum(axis=1) > 0) & (other.sum(axis=1) > 0)
    return mean(total_variation(mine[there], other[there]))


def _load(observed: Observed, at: NDArray[np.intp], k: int) -> NDArray[np.float32]:
    rows: list[Floats | NDArray[np.float32]] = [np.zeros(0)] * len(at)
    for here, values in observed.large("maps", at):
        for position, value in zip(here, values[:, k], strict=True):
            rows[position] = value.ravel()
    return np.array(rows, dtype=np.float32)
