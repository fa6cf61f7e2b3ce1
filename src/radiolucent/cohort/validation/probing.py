"""What can be read from a few numbers of each image: a linear probe, out of fold, patients kept together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.measure import NOTHING, Floats, Groups, Interval
from radiolucent.cohort.needs import need
from radiolucent.cohort.validation.estimates import LEAST_UNITS, auc_estimate
from radiolucent.cohort.validation.shards import Observed

FOLDS = 5
EMBEDDED = 2000
"""Images of a cohort whose embeddings are looked at."""


def readable(features: Floats, labels: Floats, groups: Groups) -> Interval:
    """AUC with which a label can be read from features, out of fold; nothing with few patients of a class."""
    if min(len(np.unique(groups[labels == value])) for value in (0.0, 1.0)) < LEAST_UNITS:
        return NOTHING
    linear, model, preparing = (
        need("sklearn.linear_model"),
        need("sklearn.model_selection"),
        need("sklearn.preprocessing"),
    )
    made = need("sklearn.pipeline").make_pipeline(
        preparing.StandardScaler(), linear.LogisticRegression(C=0.01, max_iter=500)
    )
    folds = model.StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    scores = model.cross_val_predict(made, features, labels, groups=groups, cv=folds, method="decision_function")
    return auc_estimate(scores, labels, groups).interval


def embedded(observed: Observed, seed: int) -> tuple[Floats, NDArray[np.intp]]:
    """Embeddings ``[n, D]`` of a bounded draw of images, and which images they are."""
    at = np.sort(np.random.default_rng(seed).permutation(len(observed))[:EMBEDDED])
    return embedding_of(observed, at), at


def embedding_of(observed: Observed, at: NDArray[np.intp]) -> Floats:
    """Embeddings ``[n, D]`` of some images."""
    values: list[Floats] = [np.zeros(0)] * len(at)
    for here, found in observed.large("embedding", at):
        for position, row in zip(here, found, strict=True):
            values[position] = row.astype(np.float64)
    return np.array(values)
