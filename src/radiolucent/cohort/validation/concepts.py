"""Concepts (TCAV, Kim et al. 2018): does a finding's score rise along the direction of a concept in the embedding.

A concept is what header or table say of an image (age, sex, machine, a device, ``concept:`` columns), or a bright mark
in a corner. Its activation vector is the normal of a ridge classifier between images with and without it; one image of
each patient, features standardised. The read-out is linear (`readout`), so the directional derivative of a logit is
``weight @ direction``, the same for every image, and the classic share of positive derivatives would be 0 or 1. It is
held against the derivatives along random concepts: the same images under permuted labels. One factorisation serves
them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.measure import NAN, Floats, Interval
from radiolucent.cohort.validation.estimates import LEAST_UNITS, auc_estimate, corrected
from radiolucent.cohort.validation.probing import EMBEDDED, FOLDS, embedding_of
from radiolucent.cohort.validation.readout import ReadOut
from radiolucent.cohort.validation.shards import Observed
from radiolucent.cohort.validation.shortcuts import stated_strata
from radiolucent.cohort.validation.strata import NOT_STATED
from radiolucent.cohort.validation.subgroups import FOUND, Stratum

RANDOM = 300
RIDGE = 1.0
LEAST_SLOPE = 0.1
"""Told from this share of the steepest slope on; below it even a sure one is small."""
SATURATED = 0.98
CORNERS = (4, 3)
MARK = Stratum(by="bright mark in a corner", value="yes", members=np.zeros(0, dtype=bool))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One finding along one concept.

    Parameters
    ----------
    logits
        What its logit changes by on the way, along the concept's direction, from the middle of the images without
        it to the middle of those with it.
    derivative
        Of the logit along the direction, as a share of the steepest there is (-1 to 1).
    by_chance
        Standard deviation of the same along random concepts.
    p, q
        Two-sided, by the normal approximation of random concepts; false discovery rate over the whole report.
    """

    key: str
    logits: float
    derivative: float
    by_chance: float
    p: float
    q: float = NAN

    @property
    def is_found(self) -> bool:
        """Whether the score follows the concept's direction, beyond chance and by enough to matter."""
        return self.q < FOUND and abs(self.derivative) >= LEAST_SLOPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """A concept, how well it can be told from the embedding (out of fold), and what pulls along it.

    ``pulls`` is empty where the embedding does not tell it: then it has no direction.
    """

    by: str
    value: str
    patients: int
    others: int
    readable: Interval
    pulls: tuple[Pull, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Concepts:
    """All concepts; ``refused`` says why an engine has none, and is blank otherwise.

    ``error`` is the largest miss of the closed form, as a share of ``1 + abs(logit)``.
    """

    refused: str
    error: float
    random: int
    concepts: tuple[Concept, ...]


def concepts(
    observed: Observed, keys: Sequence[str], strata: Sequence[Stratum], read_out: ReadOut | str, *, seed: int = 12
) -> Concepts:
    """Every stated value with ten patients on either side, for every trained finding."""
    if isinstance(read_out, str):
        return Concepts(refused=read_out, error=NAN, random=0, concepts=())
    at = _one_of_each(observed.groups, np.random.default_rng(seed))
    features = embedding_of(observed, at)
    looked_at = np.abs(read_out.weight).sum(axis=0) > 0
    found = [
        concept(stratum, features[here][:, looked_at], members, keys, read_out.weight[:, looked_at], seed=seed)
        for stratum in (*stated_strata(strata), replace(MARK, members=_marked(observed)))
        for here, members in _sides(observed, stratum, at)
    ]
    return Concepts(refused="", error=read_out.error, random=RANDOM, concepts=with_rates(found))


def with_rates(found: Sequence[Concept]) -> tuple[Concept, ...]:
    """The same with false discovery rates over all pulls of all concepts."""
    rates = iter(corrected([pull.p for one in found for pull in one.pulls]))
    return tuple(replace(one, pulls=tuple(replace(pull, q=next(rates)) for pull in one.pulls)) for one in found)


def _one_of_each(groups: NDArray[np.str_], generator: np.random.Generator) -> NDArray[np.intp]:
    """One image of each of a bounded draw of patients: what is permuted must be exchangeable."""
    order = generator.permutation(len(groups))
    _, first = np.unique(groups[order], return_index=True)
    return np.sort(generator.permutation(order[first])[:EMBEDDED])


def _marked(observed: Observed) -> NDArray[np.bool_]:
    corners = observed.arrays["corners"].reshape(-1, *CORNERS)
    return np.asarray((corners[:, :, 2] >= SATURATED).any(axis=1))


def _sides(
    observed: Observed, stratum: Stratum, at: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
    """Positions in ``at`` of images whose stratum is stated, and which of them belong; nothing where too few do."""
    names = (NOT_STATED, "")
    said = [stratum.by == MARK.by or observed.strata[i].get(stratum.by, NOT_STATED) not in names for i in at]
    here = np.flatnonzero(said)
    members = stratum.members[at[here]]
    if min(members.sum(), (~members).sum()) >= LEAST_UNITS:
        yield here, members


def concept(
    stratum: Stratum,
    features: Floats,
    members: NDArray[np.bool_],
    keys: Sequence[str],
    weight: Floats,
    *,
    seed: int,
) -> Concept:
    """One concept; false discovery rates are still to be filled (`with_rates`).

    Parameters
    ----------
    features, members
        ``[n, D]`` embeddings and ``[n]`` whether the concept is there, one image of each patient.
    weight
        ``[K, D]`` of the read-out.
    """
    generator = np.random.default_rng(seed)
    readable = _readable(features, members, generator)
    made = Concept(
        by=stratum.by,
        value=stratum.value,
        patients=int(members.sum()),
        others=int((~members).sum()),
        readable=readable,
        pulls=(),
    )
    return replace(made, pulls=_pulls(features, members, keys, weight, generator)) if readable.low > 0.5 else made


def _pulls(
    features: Floats, members: NDArray[np.bool_], keys: Sequence[str], weight: Floats, generator: np.random.Generator
) -> tuple[Pull, ...]:
    from scipy.stats import norm

    scale = _scale(features)
    standard = (features - features.mean(axis=0)) / scale
    labels = members.astype(np.float64)
    drawn = np.stack([labels, *(generator.permutation(labels) for _ in range(RANDOM))], axis=1)
    directions = ridge(standard, drawn)
    directions /= np.linalg.norm(directions, axis=0)
    slopes = weight * scale
    length = np.linalg.norm(slopes, axis=1)
    derivatives = (slopes @ directions) / np.where(length > 0, length, 1.0)[:, None]
    gap = float((standard[members].mean(axis=0) - standard[~members].mean(axis=0)) @ directions[:, 0])
    random = derivatives[:, 1:]
    spread = random.std(axis=1, ddof=1)
    z = np.abs(derivatives[:, 0] - random.mean(axis=1)) / np.where(spread > 0, spread, np.inf)
    return tuple(
        Pull(
            key=key,
            logits=float(derivatives[k, 0] * length[k] * gap),
            derivative=float(derivatives[k, 0]),
            by_chance=float(spread[k]),
            p=float(2 * norm.sf(z[k])),
        )
        for k, key in enumerate(keys)
    )


def ridge(standard: Floats, labels: Floats) -> Floats:
    """``[D, L]`` weights of ridge regressions on standardised features ``[n, D]``, one for a column of ``labels``."""
    from scipy.linalg import cho_factor, cho_solve

    count, size = standard.shape
    centred = labels - labels.mean(axis=0)
    factor = cho_factor(standard.T @ standard / count + RIDGE * np.eye(size))
    return np.asarray(cho_solve(factor, standard.T @ centred / count))


def _scale(features: Floats) -> Floats:
    scale = features.std(axis=0)
    return np.where(scale > 0, scale, 1.0)


def _readable(features: Floats, members: NDArray[np.bool_], generator: np.random.Generator) -> Interval:
    """AUC of the ridge classifier out of fold, both sides shared out evenly."""
    fold = np.zeros(len(members), dtype=np.intp)
    for side in (members, ~members):
        fold[side] = generator.permutation(np.arange(side.sum()) % FOLDS)
    scores = np.zeros(len(members))
    for number in range(FOLDS):
        learnt, held = fold != number, fold == number
        mean, scale = features[learnt].mean(axis=0), _scale(features[learnt])
        weights = ridge((features[learnt] - mean) / scale, members[learnt, None].astype(np.float64))
        scores[held] = (((features[held] - mean) / scale) @ weights)[:, 0]
    each = np.arange(len(members)).astype(np.str_)
    return auc_estimate(scores, members.astype(np.float64), each).interval
