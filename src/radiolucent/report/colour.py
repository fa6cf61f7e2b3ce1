"""Colour maps for evidence: ordered by lightness, readable with any colour vision, drawn on grey anatomy.

Each map is a handful of anchor colours interpolated in CIELAB and placed by their lightness, so that lightness grows
in a straight line from the weakest to the strongest evidence. Red-green blindness leaves lightness alone, hence the
order survives; grey-scale print as well.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from radiolucent.errors import SettingsError

ColourMap = Literal["ember", "cividis", "hot"]
DEFAULT: ColourMap = "ember"

_ANCHORS: dict[str, tuple[str, ...]] = {
    # Five points of "inferno" (S. van der Walt, N. Smith, 2015, CC0) without its black foot: on a film, weak evidence
    # must not look like a dark lung.
    "ember": ("420a68", "932667", "dd513a", "fca50a", "fcffa4"),
    # Six points of "cividis" (Nunez, Anderton, Renslow: PLoS ONE 13(7), 2018).
    "cividis": ("00204d", "31446b", "666870", "958f78", "cab969", "ffea46"),
    # The red to yellow that many heat maps have used; kept for comparison.
    "hot": ("5a0000", "c81400", "ff6400", "ffb400", "ffee50"),
}
# sRGB primaries and the D65 white (IEC 61966-2-1).
_RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _RGB_TO_XYZ.sum(axis=1)
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27


def names() -> tuple[str, ...]:
    """The colour maps to choose from, the default first."""
    return get_args(ColourMap)


def linear(srgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """sRGB ``[..., 3]`` uint8 to linear light in [0, 1]."""
    value = np.asarray(srgb, dtype=np.float64) / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def companded(light: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Linear light ``[..., 3]`` to sRGB uint8; what no screen can show is clipped."""
    light = np.clip(light, 0.0, 1.0)
    value = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(value * 255.0).astype(np.uint8)


def to_lab(srgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """sRGB ``[..., 3]`` uint8 to CIELAB (CIE 15:2018, D65): L in [0, 100], a, b."""
    ratio = linear(srgb) @ _RGB_TO_XYZ.T / _WHITE
    f = np.where(ratio > _EPSILON, np.cbrt(ratio), (_KAPPA * ratio + 16) / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def from_lab(lab: NDArray[np.float64]) -> NDArray[np.uint8]:
    """CIELAB ``[..., 3]`` to sRGB uint8, clipped to the gamut."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    ratio = np.where(f**3 > _EPSILON, f**3, (116 * f - 16) / _KAPPA)
    return companded((ratio * _WHITE) @ np.linalg.inv(_RGB_TO_XYZ).T)


@lru_cache(maxsize=8)
def table(name: str = DEFAULT) -> NDArray[np.uint8]:
    """A colour map as ``[256, 3]`` uint8 sRGB, weakest first; read-only.

    Raises
    ------
    SettingsError
        ``colour_map`` for a name that is not one of `names`.
    """
    if name not in _ANCHORS:
        raise SettingsError(
            "colour_map",
            found="an unknown colour map",
            expected="one of " + ", ".join(names()),
            action="Choose one of these names.",
        )
    anchors = to_lab(np.array([list(bytes.fromhex(code)) for code in _ANCHORS[name]], dtype=np.uint8))
    lightness = np.linspace(anchors[0, 0], anchors[-1, 0], 256)
    channels = [np.interp(lightness, anchors[:, 0], anchors[:, i]) for i in range(3)]
    lut = from_lab(np.stack(channels, axis=-1))
    lut.setflags(write=False)
    return lut
