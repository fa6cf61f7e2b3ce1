"""What small changes of a picture do to scores and maps: robustness, and what hidden corners and inversion give away.

Changes are made to the model's input, brought back to [0, 1]; how the picture was encoded plays no part.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from radiolucent.cohort.measure import NAN, Floats, Interval, auc, bootstrap, mean, sigmoid, spearman
from radiolucent.cohort.reading import BATCH
from radiolucent.cohort.truth import Case
from radiolucent.cohort.validation.estimates import LEAST_UNITS, share_estimate
from radiolucent.cohort.validation.gathering import prepare
from radiolucent.cohort.validation.observing import Refused
from radiolucent.engines.checks import Engine
from radiolucent.infer.run import run
from radiolucent.records.image import Inference, ModelInput

SHIFT, TURN_DEG, NOISE, CORNER, QUALITY = 0.02, 3.0, 0.02, 0.15, 50
Picture = NDArray[np.float32]
Change = Callable[[Picture, np.random.Generator], Picture]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """What one change did, over all findings of all images.

    Parameters
    ----------
    change
        Mean absolute change of the calibrated probability.
    flips
        Share of images and findings that cross their threshold.
    map_agreement
        Mean rank correlation of the map before and after (moved back), where the threshold was reached.
    auc_before, auc_after
        Mean AUC of findings with ten patients of each class in the draw; ``nan`` without truth.
    """

    name: str
    images: int
    patients: int
    change: Interval
    flips: Interval
    map_agreement: Interval
    auc_before: float
    auc_after: float


def _turn(picture: Picture, degrees: float) -> Picture:
    turned = ndimage.rotate(picture, degrees, axes=(1, 2), reshape=False, order=1, mode="constant")
    return np.asarray(turned, dtype=np.float32)


def _moved(picture: Picture) -> Picture:
    by = max(1, round(SHIFT * picture.shape[2]))
    out = np.zeros_like(picture)
    out[:, :, by:] = picture[:, :, :-by]
    return out


def _jpeg(picture: Picture, _: np.random.Generator) -> Picture:
    out = np.empty_like(picture)
    for channel, plane in enumerate(picture):
        buffer = io.BytesIO()
        Image.fromarray(np.rint(np.clip(plane, 0, 1) * 255).astype(np.uint8)).save(buffer, "JPEG", quality=QUALITY)
        with Image.open(buffer) as image:
            out[channel] = np.asarray(image, dtype=np.float32) / np.float32(255)
    return out


def _cornerless(picture: Picture, _: np.random.Generator) -> Picture:
    rows, columns = (max(1, round(CORNER * side)) for side in picture.shape[1:])
    out = picture.copy()
    for row in (slice(None, rows), slice(-rows, None)):
        for column in (slice(None, columns), slice(-columns, None)):
            out[:, row, column] = 0.0
    return out


CHANGES: dict[str, Change] = {
    "moved by 2 %": lambda p, _: _moved(p),
    "turned by 3 degrees": lambda p, _: _turn(p, TURN_DEG),
    "gamma 0.8": lambda p, _: np.asarray(np.clip(p, 0, 1) ** np.float32(0.8), dtype=np.float32),
    "gamma 1.25": lambda p, _: np.asarray(np.clip(p, 0, 1) ** np.float32(1.25), dtype=np.float32),
    "noise of 2 %": lambda p, g: np.clip(p + g.normal(0, NOISE, p.shape), 0, 1).astype(np.float32),
    "JPEG quality 50": _jpeg,
    "corners black": _cornerless,
    "inverted": lambda p, _: np.asarray(1.0 - np.clip(p, 0, 1), dtype=np.float32),
}
BACK: dict[str, Callable[[Picture], Picture]] = {
    "moved by 2 %": lambda maps: np.asarray(
        ndimage.shift(maps, (0, 0, -SHIFT * maps.shape[2]), order=1, mode="nearest"), dtype=np.float32
    ),
    "turned by 3 degrees": lambda maps: _turn(maps, -TURN_DEG),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    group: str
    labels: Floats
    before: Floats
    after: dict[str, Floats]
    agreement: dict[str, Floats]


def stress(
    cases: Sequence[Case],
    groups: Sequence[str],
    engine: Engine,
    *,
    resamples: int,
    seed: int = 8,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[Stress, ...]:
    """Every change on every image; two to three forward passes a second and core for the shipped engines' sizes."""
    generator, rows = np.random.default_rng(seed), []
    for case, group in zip(cases, groups, strict=True):
        made = prepare(case, engine.spec)
        progress(1)
        if not isinstance(made, Refused):
            rows.append(_row(case, group, made[3], engine, generator))
    return tuple(_summary(name, rows, engine, resamples) for name in CHANGES) if rows else ()


def _row(case: Case, group: str, made: ModelInput, engine: Engine, generator: np.random.Generator) -> _Row:
    middle, spread = np.float32(engine.spec.input.mean), np.float32(engine.spec.input.std)
    unit = made.array * spread + middle
    pictures = [unit, *(change(unit, generator) for change in CHANGES.values())]
    found = list(_read([(p - middle) / spread for p in pictures], made, engine))
    chances = [_chances(one, engine) for one in found]
    reached = chances[0] >= np.array([f.threshold for f in engine.spec.findings])
    agreement = {}
    for name, one in zip(CHANGES, found[1:], strict=True):
        back = BACK[name](one.evidence) if name in BACK else one.evidence
        pairs = zip(found[0].evidence, back, reached, strict=True)
        agreement[name] = np.array([spearman(a, b) if r else NAN for a, b, r in pairs])
    return _Row(
        group=group,
        labels=np.array([case.labels.get(f.key, NAN) for f in engine.spec.findings]),
        before=chances[0],
        after=dict(zip(CHANGES, chances[1:], strict=True)),
        agreement=agreement,
    )


def _read(arrays: Sequence[Picture], made: ModelInput, engine: Engine) -> Iterator[Inference]:
    for start in range(0, len(arrays), BATCH):
        some = [ModelInput(array=a.astype(np.float32), geometry=made.geometry) for a in arrays[start : start + BATCH]]
        yield from run(engine, some)


def _chances(inference: Inference, engine: Engine) -> Floats:
    slopes, intercepts = np.array([f.calibration for f in engine.spec.findings]).T
    return sigmoid(slopes * inference.logits.astype(np.float64) + intercepts)


def _summary(name: str, rows: Sequence[_Row], engine: Engine, resamples: int) -> Stress:
    thresholds = np.array([f.threshold for f in engine.spec.findings])
    names = np.array([r.group for r in rows], dtype=np.str_)
    before, after = np.array([r.before for r in rows]), np.array([r.after[name] for r in rows])
    flips = (before >= thresholds) != (after >= thresholds)
    change = np.abs(after - before).mean(axis=1)
    agreement = np.array([mean(r.agreement[name]) for r in rows])
    return Stress(
        name=name,
        images=len(rows),
        patients=len(set(names)),
        change=bootstrap(names, lambda i: float(change[i].mean()), resamples=resamples),
        flips=share_estimate(flips.ravel(), np.repeat(names, flips.shape[1])).interval,
        map_agreement=bootstrap(names, lambda i: mean(agreement[i]), resamples=resamples),
        auc_before=_mean_auc(before, rows),
        auc_after=_mean_auc(after, rows),
    )


def _mean_auc(chances: Floats, rows: Sequence[_Row]) -> float:
    labels, names = np.array([r.labels for r in rows]), np.array([r.group for r in rows])
    found = []
    for k in range(labels.shape[1]):
        known = ~np.isnan(labels[:, k])
        truth = labels[known, k]
        units = min(len(set(names[known][truth == value])) for value in (0, 1))
        if units >= LEAST_UNITS:
            found.append(auc(chances[known, k], truth))
    return mean(np.array(found)) if found else NAN
