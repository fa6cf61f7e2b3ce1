"""Region masks to learn from: drawn ones where there are any, computed ones where the picture is plain enough.

Values: 1 inside, 0 outside, 255 unknown, and 2 for "this region or the heart" (drawn lungs that cover the heart).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from radiolucent.prepare.resample import fit_geometry, resample
from training.config import Config
from training.data import MASK_CELL, Sample

UNKNOWN, EITHER = 255, 2
RIM = 0.06
Mask = NDArray[np.bool_]


def _largest(mask: Mask) -> Mask:
    labels, count = ndimage.label(mask)
    if count == 0:
        return np.zeros_like(mask)
    return np.asarray(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))


def _picture(path: Path) -> NDArray[np.float32]:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.float32)


def _mask(path: Path, shape: tuple[int, int]) -> Mask:
    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize(shape[::-1], Image.Resampling.NEAREST)) > 0


def head_region(picture: NDArray[np.float32], *, floor: float) -> Mask:
    """Largest bright part of a slice with its holes filled; table, letters and head holder fall off."""
    side = max(3, picture.shape[0] // 64)
    bright = ndimage.binary_opening(ndimage.gaussian_filter(picture, 1.0) > floor, iterations=side // 2 + 1)
    return np.asarray(ndimage.binary_fill_holes(_largest(bright)))


def brain_mri(sample: Sample) -> dict[str, NDArray[np.uint8]]:
    """``head`` from brightness; ``brain``: the head without a rim of 6 % of its diameter (scalp and skull)."""
    first = sample.channels[0]
    assert first is not None
    picture = _picture(first)
    head = head_region(picture, floor=0.12 * float(np.percentile(picture, 99)))
    if not 0.08 < head.mean() < 0.95:
        return {}
    diameter = 2 * np.sqrt(head.sum() / np.pi)
    inner = ndimage.distance_transform_edt(np.pad(head, 1))[1:-1, 1:-1] > RIM * diameter
    return {"head": head.astype(np.uint8), "brain": inner.astype(np.uint8)}


def head_ct(sample: Sample) -> dict[str, NDArray[np.uint8]]:
    """``skull``: saturated bone of the brain window; ``brain``: what a closed skull encloses; ``head``: all of it."""
    first = sample.channels[0]
    assert first is not None
    picture = _picture(first)
    head = head_region(picture, floor=20.0)
    if not 0.05 < head.mean() < 0.95:
        return {}
    bone = (picture > 235) & head
    skull = _largest(ndimage.binary_closing(bone, iterations=2))
    inside = ndimage.binary_fill_holes(skull) & ~skull
    brain = _largest(ndimage.binary_opening(inside, iterations=2))
    out = {"head": head.astype(np.uint8)}
    if brain.sum() > 0.25 * head.sum():
        brain = np.asarray(ndimage.binary_fill_holes(brain))
        near = ndimage.binary_dilation(brain, iterations=max(4, picture.shape[0] // 20))
        out |= {"brain": brain.astype(np.uint8), "skull": (bone & near & ~brain).astype(np.uint8)}
    return out


def bone(sample: Sample) -> dict[str, NDArray[np.uint8]]:
    """``limb``: what is brighter than the film's own background; ``bone``: what stands out within the limb."""
    first = sample.channels[0]
    assert first is not None
    picture = ndimage.gaussian_filter(_picture(first), 1.0)
    low, high = np.percentile(picture, [2, 99])
    scaled = np.clip((picture - low) / max(high - low, 1.0), 0, 1)
    limb = ndimage.binary_fill_holes(ndimage.binary_opening(scaled > 0.16, iterations=2))
    limb = np.asarray(limb)
    if not 0.03 < limb.mean() < 0.97:
        return {}
    weight = ndimage.gaussian_filter(limb.astype(np.float32), scaled.shape[0] / 9)
    around = ndimage.gaussian_filter(scaled * limb, scaled.shape[0] / 9) / np.maximum(weight, 1e-3)
    standing = limb & (scaled > around * 1.02)
    drawn = np.asarray(ndimage.binary_closing(ndimage.binary_opening(standing, iterations=2), iterations=3))
    return {"limb": limb.astype(np.uint8), "bone": (drawn & limb).astype(np.uint8)}


def chest(sample: Sample) -> dict[str, NDArray[np.uint8]]:
    """Drawn lungs and cardiomediastinum of a film, where it has any; left and right are the patient's."""
    first = sample.channels[0]
    assert first is not None
    with Image.open(first) as image:
        shape = image.size[::-1]
    drawn = {name: _mask(path, shape) for name, path in sample.regions.items()}
    out = {}
    names = {"right_lung": "Right_Lung", "left_lung": "Left_Lung", "heart_mediastinum": "Cardiomediastinum"}
    for region, name in names.items():
        if name in drawn:
            out[region] = drawn[name].astype(np.uint8)
    if "Lungs" in drawn and "right_lung" not in out:
        labels, count = ndimage.label(drawn["Lungs"])
        centres = ndimage.center_of_mass(drawn["Lungs"], labels, range(1, count + 1))
        at_left = [i + 1 for i, (_, column) in enumerate(centres) if column < shape[1] / 2]
        right = np.isin(labels, at_left)
        out["right_lung"] = np.where(right, EITHER, 0).astype(np.uint8)
        out["left_lung"] = np.where(drawn["Lungs"] & ~right, EITHER, 0).astype(np.uint8)
    return out


MAKERS = {"chest": chest, "brain_mri": brain_mri, "head_ct": head_ct, "bone": bone}


def region_grid(sample: Sample, config: Config) -> NDArray[np.uint8]:
    """``[R, size / 4, size / 4]`` of the configuration's regions on the model's grid."""
    grid = config.input.size // MASK_CELL
    out = np.full((len(config.anatomy.regions), grid, grid), UNKNOWN, dtype=np.uint8)
    made = MAKERS[config.domain](sample)
    for index, name in enumerate(config.anatomy.regions):
        if name not in made:
            continue
        value = int(made[name].max()) or 1
        geometry = fit_geometry(made[name].shape, model_shape=(grid, grid))
        fitted = resample((made[name] > 0).astype(np.float32), geometry)
        out[index] = np.where(fitted > 0.5, value, 0)
    return out
