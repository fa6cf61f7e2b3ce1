"""How it fails: missed and false calls, grouped by what the network saw, each group with what sets it apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.measure import NAN, Floats
from radiolucent.cohort.needs import need
from radiolucent.cohort.validation.estimates import LEAST_UNITS, corrected
from radiolucent.cohort.validation.probing import embedding_of
from radiolucent.cohort.validation.shards import Observed
from radiolucent.cohort.validation.strata import NOT_STATED
from radiolucent.cohort.validation.subgroups import FOUND, OTHERS, Stratum

MOST_ERRORS, MOST_GROUPS, COMPONENTS, SHOWN = 1000, 4, 10, 12
LEAST_GROUP = 5
NEAR_EDGE = 0.1
Kind = Literal["missed", "false"]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """What sets a group of errors apart from images of the same truth that are read right.

    ``here`` and ``right`` are shares (of a stratum, of peaks near the edge) or means.
    """

    name: str
    here: float
    right: float
    p: float
    q: float = NAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """A group of errors of one finding.

    Parameters
    ----------
    kind
        ``missed`` (present, under the threshold) or ``false`` (absent, over it).
    of
        All errors of that kind.
    traits
        Beyond chance, the surest first; empty where nothing sets the group apart.
    cases
        Positions, among the images read, of those nearest the group's centre.
    """

    key: str
    kind: Kind
    group: int
    images: int
    patients: int
    of: int
    traits: tuple[Trait, ...]
    cases: tuple[int, ...]


def failures(
    observed: Observed,
    keys: Sequence[str],
    labels: Sequence[Floats],
    thresholds: Sequence[float],
    strata: Sequence[Stratum],
    *,
    seed: int = 9,
) -> tuple[Failures, ...]:
    """Groups of errors of every finding with errors of ten patients; rates hold for all traits of all groups."""
    rows: list[tuple[Failures, list[Trait]]] = []
    for k, key in enumerate(keys):
        over = observed.arrays["chances"][:, k] >= thresholds[k]
        pairs: tuple[tuple[Kind, float], ...] = (("missed", 1.0), ("false", 0.0))
        for kind, truth in pairs:
            there = labels[k] == truth
            wrong, right = (
                np.flatnonzero(there & (over != (truth == 1))),
                np.flatnonzero(there & (over == (truth == 1))),
            )
            if len(set(observed.groups[wrong])) < LEAST_UNITS or len(right) == 0:
                continue
            at = np.sort(np.random.default_rng(seed).permutation(wrong)[:MOST_ERRORS])
            for number, members in enumerate(_groups(observed, at, seed), start=1):
                if len(members) >= LEAST_GROUP:
                    rows.append(_failure(observed, key, kind, number, members, len(wrong), right, k, strata))
    rates = iter(corrected([t.p for _, traits in rows for t in traits]))
    return tuple(replace(row, traits=_sure([replace(t, q=next(rates)) for t in traits])) for row, traits in rows)


def _sure(traits: Sequence[Trait]) -> tuple[Trait, ...]:
    return tuple(sorted((t for t in traits if t.q < FOUND), key=lambda t: t.p)[:4])


def _groups(observed: Observed, at: Indices, seed: int) -> Iterator[Indices]:
    """Errors by embedding: k-means on principal components, as many groups as the silhouette likes; largest first.

    The members come nearest to the centre first.
    """
    cluster, metrics = need("sklearn.cluster"), need("sklearn.metrics")
    values = embedding_of(observed, at)
    scaled = need("sklearn.preprocessing").StandardScaler().fit_transform(values)
    parts = min(COMPONENTS, len(at) - 1, scaled.shape[1])
    points = need("sklearn.decomposition").PCA(parts, random_state=seed).fit_transform(scaled)
    best, told = None, -1.0
    for count in range(2, min(MOST_GROUPS, len(np.unique(points, axis=0)) - 1) + 1):
        made = cluster.KMeans(count, n_init=4, random_state=seed).fit(points)
        score = float(metrics.silhouette_score(points, made.labels_))
        if score > told:
            best, told = made, score
    if best is None:
        yield at
        return
    far = np.linalg.norm(points - best.cluster_centers_[best.labels_], axis=1)
    for number in np.argsort(-np.bincount(best.labels_)):
        here = np.flatnonzero(best.labels_ == number)
        yield at[here[np.argsort(far[here])]]


def _failure(
    observed: Observed,
    key: str,
    kind: Kind,
    number: int,
    members: Indices,
    of: int,
    right: Indices,
    k: int,
    strata: Sequence[Stratum],
) -> tuple[Failures, list[Trait]]:
    made = Failures(
        key=key,
        kind=kind,
        group=number,
        images=len(members),
        patients=len(set(observed.groups[members])),
        of=of,
        traits=(),
        cases=tuple(int(i) for i in members[:SHOWN]),
    )
    return made, list(_traits(observed, members, right, k, strata))


def _traits(observed: Observed, members: Indices, right: Indices, k: int, strata: Sequence[Stratum]) -> Iterator[Trait]:
    from scipy.stats import fisher_exact, mannwhitneyu

    def share(name: str, here: NDArray[np.bool_], there: NDArray[np.bool_]) -> Trait:
        table = [[int(here.sum()), int((~here).sum())], [int(there.sum()), int((~there).sum())]]
        p = float(fisher_exact(table, alternative="greater").pvalue)
        return Trait(name=name, here=float(here.mean()), right=float(there.mean()), p=p)

    for stratum in strata:
        if stratum.by != "all" and stratum.value not in (NOT_STATED, OTHERS):
            yield share(
                f"{stratum.by.replace('_', ' ')}: {stratum.value}", stratum.members[members], stratum.members[right]
            )
    if k < observed.arrays["peaks"].shape[1]:
        away = np.abs(observed.arrays["peaks"][:, k] - 0.5).max(axis=1)
        near = np.asarray(away > 0.5 - NEAR_EDGE)
        yield share("peak near the edge of the picture", near[members], near[right])
    for name, values in (
        ("brightness of the picture", observed.arrays["brightness"][:, 0]),
        ("contrast of the picture", observed.arrays["brightness"][:, 1]),
        ("distance from training", observed.arrays["novelty"]),
    ):
        here, there = values[members], values[right]
        if np.isfinite(here).all() and np.isfinite(there).all():
            p = float(mannwhitneyu(here, there).pvalue)
            yield Trait(name=name, here=float(here.mean()), right=float(there.mean()), p=p)
