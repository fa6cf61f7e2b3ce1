"""Run the shipped graph, with the shipped preparation and explanation, over validation and test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from PIL import Image

from radiolucent.explain.native import native_map
from radiolucent.explain.region import peak, region_at_peak
from radiolucent.prepare.intensity import stretch
from radiolucent.prepare.resample import fit_geometry, resample
from radiolucent.records.geometry import Geometry
from training.config import Config
from training.data import Sample, source_truth
from training.measure import iou

FRACTIONS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True, kw_only=True)
class Localisation:
    """One finding on one image whose place is known."""

    key: str
    group: str
    hit: bool
    centre_hit: bool
    prior_hit: bool
    iou_by_fraction: tuple[float, ...]
    subgroup: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A part of the data, scored.

    ``logits [N, K]``, ``labels [N, K]`` (nan unknown), ``peaks [N, K]`` largest evidence in a cell,
    ``brightness [N, 2]`` mean and deviation of the model's input.
    """

    groups: NDArray[np.str_]
    sources: NDArray[np.str_]
    subgroups: list[dict[str, str]]
    logits: NDArray[np.float64]
    labels: NDArray[np.float64]
    peaks: NDArray[np.float64]
    brightness: NDArray[np.float64]
    places: list[Localisation]
    completeness: float


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What a reader of brightness alone learns from: ``brightness [N, 2]`` and ``labels [N, K]`` of training."""

    labels: NDArray[np.float64]
    brightness: NDArray[np.float64]


def baseline(samples: list[Sample], config: Config) -> Baseline:
    """Brightness and labels of the training part; no network is run."""
    arrays = (model_array(s, config)[0] for s in samples)
    return Baseline(
        labels=_labels(samples, config),
        brightness=np.array([[a.mean(), a.std()] for a in arrays], dtype=np.float64),
    )


def _labels(samples: list[Sample], config: Config) -> NDArray[np.float64]:
    names = [f.label for f in config.findings]
    return np.array([[s.labels.get(n, np.nan) for n in names] for s in samples], dtype=np.float64)


def model_array(sample: Sample, config: Config) -> tuple[NDArray[np.float32], Geometry]:
    """``[C, S, S]`` as at run time, and the way back to source pixels."""
    size = config.input.size
    planes, geometry = [], None
    for path, channel in zip(sample.channels, config.input.channels, strict=True):
        if path is None:
            planes.append(np.zeros((size, size), dtype=np.float32))
            continue
        with Image.open(path) as image:
            display = np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255.0)
        if channel.stretch is not None:
            display = stretch(display, percentiles=channel.stretch)
        way = fit_geometry(display.shape, model_shape=(size, size))
        geometry = geometry or way
        planes.append(np.clip(resample(display, way), 0.0, 1.0))
    assert geometry is not None
    return (np.stack(planes) - np.float32(config.input.mean)) / np.float32(config.input.std), geometry


def _batches(samples: list[Sample], size: int = 16) -> Iterator[list[Sample]]:
    for start in range(0, len(samples), size):
        yield samples[start : start + size]


def _places(
    sample: Sample, config: Config, evidence: NDArray[np.float32], geometry: Geometry, priors: dict[str, NDArray]
) -> Iterator[Localisation]:
    for k, finding in enumerate(config.findings):
        if sample.labels.get(finding.label) != 1 or finding.kind == "diffuse":
            continue
        truth = source_truth(sample, finding.label)
        if truth is None:
            continue
        native = native_map(evidence[k], geometry)
        at = peak(native)
        prior = peak(native_map(priors[finding.label], geometry)) if finding.label in priors else None
        yield Localisation(
            key=finding.key,
            group=sample.group,
            hit=bool(truth[at]),
            centre_hit=bool(truth[truth.shape[0] // 2, truth.shape[1] // 2]),
            prior_hit=bool(prior is not None and truth[prior]),
            iou_by_fraction=tuple(iou(region_at_peak(native, at=at, fraction=f), truth) for f in FRACTIONS),
            subgroup=sample.subgroup,
        )


def score(
    samples: list[Sample],
    config: Config,
    session: InferenceSession,
    *,
    bias: NDArray[np.float64],
    priors: dict[str, NDArray[np.float32]],
) -> Scored:
    """Run every sample through the graph; ``priors`` are mean training masks, the position-only baseline."""
    logits, peaks, brightness, places, worst = [], [], [], [], 0.0
    for batch in _batches(samples):
        prepared = [model_array(s, config) for s in batch]
        images = np.stack([array for array, _ in prepared])
        got, evidence, _ = session.run(["logits", "evidence", "embedding"], {"image": images})
        worst = max(worst, float(np.abs(evidence.astype(np.float64).sum((2, 3)) + bias - got).max()))
        logits.append(got)
        peaks.append(evidence.max(axis=(2, 3)))
        brightness.append(np.stack([images.mean((1, 2, 3)), images.std((1, 2, 3))], axis=1))
        for sample, (_, geometry), maps in zip(batch, prepared, evidence, strict=True):
            places.extend(_places(sample, config, maps, geometry, priors))
    return Scored(
        groups=np.array([s.group for s in samples]),
        sources=np.array([s.source for s in samples]),
        subgroups=[s.subgroup for s in samples],
        logits=np.concatenate(logits).astype(np.float64),
        labels=_labels(samples, config),
        peaks=np.concatenate(peaks).astype(np.float64),
        brightness=np.concatenate(brightness).astype(np.float64),
        places=places,
        completeness=worst,
    )
