"""Modality and VOI transformations and padding, as PS3.3 C.11.1, C.11.2 and C.7.5.1.1.2 define them.

Everything works on float32 arrays; window and rescale values are checked before they are used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

WindowFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lut:
    """A look-up table: ``data [n]`` float32, the input value of its first entry, and bits per entry."""

    first: int
    bits: int
    data: NDArray[np.float32]

    def apply(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Look every value up; values beyond an end take the end's entry."""
        index = np.clip(np.rint(values.astype(np.float64)) - self.first, 0, self.data.size - 1).astype(np.intp)
        found: NDArray[np.float32] = self.data[index]
        return found

    def apply_to_display(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """`apply`, scaled to [0, 1] by the bits per entry."""
        out = self.apply(values)
        out *= np.float32(1.0 / (2**self.bits - 1))
        return out


def lut_of(descriptor: tuple[float, ...], data: NDArray[np.generic], *, is_signed: bool) -> Lut | None:
    """Build a `Lut` from LUT Descriptor and LUT Data, ``None`` if they do not fit each other.

    Parameters
    ----------
    descriptor
        Number of entries (0 means 65536), first value mapped, bits per entry.
    is_signed
        Whether the input is signed: a first value read as unsigned is then taken as two's complement.
    """
    if len(descriptor) != 3 or not all(math.isfinite(x) for x in descriptor):
        return None
    entries, first, bits = int(descriptor[0]) % 65536 or 65536, int(descriptor[1]), int(descriptor[2])
    if is_signed and first > 32767:
        first -= 65536
    if data.size < 1 or data.size < entries:
        return None
    table = data[:entries].astype(np.float32)
    # Some writers state 8 bits and store 16, or the other way round: the data decide.
    needed = max(1, int(table.max())).bit_length()
    if not needed <= bits <= 16:
        bits = max(8, needed)
    return Lut(first=first, bits=bits, data=table)


def rescale(stored: NDArray[np.generic], *, slope: float, intercept: float) -> NDArray[np.float32]:
    """``stored * slope + intercept`` (PS3.3 C.11.1.1.2)."""
    out = stored.astype(np.float32)
    if slope != 1.0:
        out *= np.float32(slope)
    if intercept != 0.0:
        out += np.float32(intercept)
    return out


def window_display(
    values: NDArray[np.float32], *, centre: float, width: float, function: WindowFunction = "LINEAR"
) -> NDArray[np.float32]:
    """Window to [0, 1] (PS3.3 C.11.2.1.2 and C.11.2.1.3).

    ``LINEAR`` needs a width of at least 1 (1 is a step), the others one above 0.

    Examples
    --------
    >>> import numpy as np
    >>> window_display(np.array([-126.0, 128.0, 300.0], np.float32), centre=1.0, width=256.0).tolist()
    [0.0, 1.0, 1.0]
    """
    if function == "SIGMOID":
        exponent = np.clip((values - np.float32(centre)) * np.float32(-4.0 / width), -80.0, 80.0)
        return np.asarray(1.0 / (1.0 + np.exp(exponent)), dtype=np.float32)
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1.0
    if width == 0.0:
        return (values > np.float32(centre)).astype(np.float32)
    out = values - np.float32(centre)
    out *= np.float32(1.0 / width)
    out += np.float32(0.5)
    return np.clip(out, 0.0, 1.0, out=out)


def full_range_display(values: NDArray[np.float32], valid: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Smallest valid value to 0, largest to 1; a flat image is 0 everywhere."""
    chosen = values if valid is None else values[valid]
    low, high = (float(chosen.min()), float(chosen.max())) if chosen.size else (0.0, 0.0)
    if high <= low:
        return np.zeros_like(values)
    out = values - np.float32(low)
    out *= np.float32(1.0 / (high - low))
    return np.clip(out, 0.0, 1.0, out=out)


def valid_pixels(
    stored: NDArray[np.generic], *, padding: int, range_limit: int | None = None
) -> NDArray[np.bool_] | None:
    """False where stored values lie from Pixel Padding Value to Pixel Padding Range Limit, either way round.

    ``None`` when no pixel is padding, or when all are: then the value says nothing.
    """
    limit = padding if range_limit is None else range_limit
    is_padding: NDArray[np.bool_] = (stored >= min(padding, limit)) & (stored <= max(padding, limit))  # type: ignore[operator]
    if not is_padding.any() or is_padding.all():
        return None
    return np.logical_not(is_padding)
