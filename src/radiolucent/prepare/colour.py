"""Grayscale out of colour samples, or a refusal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiolucent.prepare.boundary import refused

#: Mean chroma (largest minus smallest channel, of 1) above which an image is a colour image.
MAX_MEAN_CHROMA = 0.10
#: A pixel above this chroma is coloured (an overlay, a marker); more than `MAX_COLOURED_SHARE` of them is too many.
COLOURED_PIXEL = 0.25
MAX_COLOURED_SHARE = 0.005
#: Rec. 601 luma, as Pillow's ``convert("L")`` weighs it.
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def grey_of(samples: NDArray[np.generic], *, full_scale: int) -> tuple[NDArray[np.float32], bool]:
    """Grey values of ``samples [rows, columns, 3]`` and whether they were tinted at all.

    Equal channels come through as they are; slight tints (a photographed film, lossy compression) become luma.

    Returns
    -------
    tuple
        ``[rows, columns]`` float32 in units of ``samples``, and True if channels differed.

    Raises
    ------
    InputRefused
        ``colour_image``: a photograph, a colour Doppler, a fused or overlaid image.
    """
    red, green, blue = samples[..., 0], samples[..., 1], samples[..., 2]
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return red.astype(np.float32), False
    high = np.maximum(np.maximum(red, green), blue)
    chroma = (high - np.minimum(np.minimum(red, green), blue)).astype(np.float32)
    chroma *= np.float32(1.0 / full_scale)
    if float(chroma.mean()) > MAX_MEAN_CHROMA or float((chroma > COLOURED_PIXEL).mean()) > MAX_COLOURED_SHARE:
        raise refused(
            "colour_image",
            found="a colour image",
            expected="a grayscale image, or one whose channels are equal",
            action="Send the grayscale source image without overlay.",
        )
    return samples.astype(np.float32) @ LUMA, True
