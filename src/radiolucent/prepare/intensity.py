"""From display or modality values to the channels an engine was trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STRETCH_SAMPLES = 65_536


def window(values: NDArray[np.float32], *, centre: float, width: float) -> NDArray[np.float32]:
    """Linear window to [0, 1] (DICOM PS3.3 C.11.2.1.2 LINEAR_EXACT)."""
    scaled = (values - np.float32(centre - width / 2)) * np.float32(1.0 / width)
    return np.clip(scaled, 0.0, 1.0, out=scaled)


def stretch(display: NDArray[np.float32], *, percentiles: tuple[float, float]) -> NDArray[np.float32]:
    """Stretch so that two percentiles of all pixels become 0 and 1; a flat image becomes zeros.

    Padding counts as what it is shown as, 0: so it was in the pictures the engines were trained on. Percentiles are
    read from at most about `STRETCH_SAMPLES` regularly spaced pixels, so a large film costs no more than a small one.
    """
    flat = display.ravel()
    if flat.size == 0:
        return np.zeros_like(display)
    low, high = np.percentile(flat[:: max(1, flat.size // STRETCH_SAMPLES)], percentiles)
    if high <= low:
        return np.zeros_like(display)
    return window(display, centre=float(low + high) / 2, width=float(high - low))
