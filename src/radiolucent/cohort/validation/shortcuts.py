"""What can be told without looking at the patient: by brightness, by corners, and what the embedding gives away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from radiolucent.cohort.measure import NAN, Floats, Groups, Interval
from radiolucent.cohort.validation.estimates import LEAST_UNITS, NO_ESTIMATE, Estimate, auc_estimate, corrected
from radiolucent.cohort.validation.probing import embedded, readable
from radiolucent.cohort.validation.shards import Observed
from radiolucent.cohort.validation.strata import NOT_STATED
from radiolucent.cohort.validation.subgroups import FOUND, OTHERS, Stratum

SUSPECT = 0.1
"""A score follows an attribute where its AUC among images of one truth is further than this from 0.5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """How well two readers who never look at the patient tell a finding, out of fold, patients kept together.

    ``brightness``: mean and deviation of the model's input. ``corners``: mean, deviation and brightest part of the
    four corners. Where one comes near ``engine``, the cohort itself gives the answer away.
    """

    key: str
    images: int
    engine: Interval
    brightness: Interval
    corners: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Can an attribute be read from the embedding (AUC out of fold, one value against all others)."""

    by: str
    value: str
    images: int
    readable: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """Does a finding's score follow an attribute where the truth is the same.

    Parameters
    ----------
    truth
        ``absent`` or ``present``: among which images.
    auc
        Of the score for the attribute; 0.5: it does not follow.
    """

    key: str
    by: str
    value: str
    truth: str
    images: int
    auc: Interval
    p: float
    q: float = NAN

    @property
    def is_suspect(self) -> bool:
        """Whether the score follows the attribute, beyond chance and by enough to matter."""
        return self.q < FOUND and abs(self.auc.value - 0.5) > SUSPECT


def baselines(observed: Observed, keys: Sequence[str], labels: Sequence[Floats]) -> tuple[Baseline, ...]:
    """For every finding with ten patients of each class."""
    out = []
    for k, (key, truth) in enumerate(zip(keys, labels, strict=True)):
        known = ~np.isnan(truth)
        groups = observed.groups[known]
        if not known.any() or _fewest(truth[known], groups) < LEAST_UNITS:
            continue
        out.append(
            Baseline(
                key=key,
                images=int(known.sum()),
                engine=auc_estimate(observed.arrays["chances"][known, k], truth[known], groups).interval,
                brightness=readable(observed.arrays["brightness"][known], truth[known], groups),
                corners=readable(observed.arrays["corners"][known], truth[known], groups),
            )
        )
    return tuple(out)


def _fewest(truth: Floats, groups: Groups) -> int:
    return min(len(np.unique(groups[truth == value])) for value in (0.0, 1.0))


def stated_strata(strata: Sequence[Stratum]) -> list[Stratum]:
    """Strata whose value is stated; of two that exclude each other the second, because the first says the same."""
    kept = [s for s in strata if s.value not in (NOT_STATED, OTHERS) and s.by != "all"]
    values = {by: [s.value for s in kept if s.by == by] for by in {s.by for s in kept}}
    return [s for s in kept if len(values[s.by]) != 2 or s.value == values[s.by][1]]


def leaks(observed: Observed, strata: Sequence[Stratum], *, seed: int = 6) -> tuple[Leak, ...]:
    """Every stated value of every stratum, on a bounded draw of images whose stratum is stated."""
    features, at = embedded(observed, seed)
    out = []
    for stratum in stated_strata(strata):
        stated = np.array([observed.strata[i].get(stratum.by, NOT_STATED) != NOT_STATED for i in at])
        here = at[stated]
        labels = stratum.members[here].astype(np.float64)
        found = readable(features[stated], labels, observed.groups[here])
        if not np.isnan(found.value):
            out.append(Leak(by=stratum.by, value=stratum.value, images=len(here), readable=found))
    return tuple(out)


def follows(
    observed: Observed, keys: Sequence[str], labels: Sequence[Floats], strata: Sequence[Stratum]
) -> tuple[Follow, ...]:
    """Every finding, value and truth with ten patients on each side; false discovery rates over all of them."""
    out = []
    for k, (key, truth) in enumerate(zip(keys, labels, strict=True)):
        for stratum in stated_strata(strata):
            stated = np.array([one.get(stratum.by, NOT_STATED) != NOT_STATED for one in observed.strata])
            for value, word in ((0.0, "absent"), (1.0, "present")):
                here = stated & (truth == value)
                members = stratum.members[here].astype(np.float64)
                few = not here.any() or _fewest(members, observed.groups[here]) < LEAST_UNITS
                scores = observed.arrays["chances"][here, k]
                found = NO_ESTIMATE if few else auc_estimate(scores, members, observed.groups[here])
                if not few:
                    row = Follow(
                        key=key,
                        by=stratum.by,
                        value=stratum.value,
                        truth=word,
                        images=int(here.sum()),
                        auc=found.interval,
                        p=_against_chance(found, scores, members, observed.groups[here]),
                    )
                    out.append(row)
    rates = corrected([row.p for row in out])
    return tuple(replace(row, q=q) for row, q in zip(out, rates, strict=True))


def _against_chance(found: Estimate, scores: Floats, members: Floats, groups: Groups) -> float:
    """Two-sided p of an AUC against 0.5; where both sides are apart, so that there is no error, by patients' means."""
    from scipy.stats import mannwhitneyu, norm

    if found.error > 0:
        return float(2 * norm.sf(abs(found.value - 0.5) / found.error))
    sides = []
    for value in (1.0, 0.0):
        names = groups[members == value]
        _, inverse = np.unique(names, return_inverse=True)
        sides.append(np.bincount(inverse, weights=scores[members == value]) / np.bincount(inverse))
    return float(mannwhitneyu(*sides).pvalue)
