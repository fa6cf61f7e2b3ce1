"""From a checked instance to `DecodedFrame`: modality LUT, padding, VOI and inversion, in the standard's order."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from radiolucent.prepare.boundary import refused, refusing
from radiolucent.prepare.colour import grey_of
from radiolucent.prepare.element import first_item, frame_scope, integer, number, numbers, text, value
from radiolucent.prepare.facts import facts as read_facts
from radiolucent.prepare.header import Instance, cannot_decode
from radiolucent.prepare.lut import (
    Lut,
    WindowFunction,
    full_range_display,
    lut_of,
    rescale,
    valid_pixels,
    window_display,
)
from radiolucent.prepare.stored import stored_values
from radiolucent.records.image import DecodedFrame, ImageFacts

FUNCTIONS: dict[str, WindowFunction] = {"LINEAR": "LINEAR", "LINEAR_EXACT": "LINEAR_EXACT", "SIGMOID": "SIGMOID"}


def _lut(item: Dataset, *, is_signed: bool, is_little_endian: bool) -> Lut | None:
    found = value(item, "LUTData")
    if isinstance(found, bytes):
        entries = (integer(item, "LUTDescriptor") or 0) % 65536 or 65536
        kind = "u1" if len(found) < 2 * entries else ("<u2" if is_little_endian else ">u2")
        data = np.frombuffer(found[: len(found) // np.dtype(kind).itemsize * np.dtype(kind).itemsize], dtype=kind)
    else:
        data = np.array([x for x in numbers(item, "LUTData") if math.isfinite(x)])
    return lut_of(numbers(item, "LUTDescriptor"), data, is_signed=is_signed)


def _first_lut(instance: Instance, keyword: str, *, is_signed: bool) -> tuple[Lut | None, bool]:
    item = first_item(instance.dataset, keyword)
    if item is None:
        return None, False
    found = _lut(item, is_signed=is_signed, is_little_endian=instance.dataset.original_encoding[1] is not False)
    return found, found is None


def _modality_values(
    instance: Instance, stored: NDArray[np.generic], frame_number: int
) -> tuple[NDArray[np.float32], list[str]]:
    lut, is_bad = _first_lut(instance, "ModalityLUTSequence", is_signed=instance.layout.is_signed)
    notes = ["modality_lut_ignored"] if is_bad else []
    if lut is not None:
        return lut.apply(stored), notes
    scope = frame_scope(instance.dataset, frame_number=frame_number, group="PixelValueTransformationSequence")
    slope, intercept = number(scope, "RescaleSlope"), number(scope, "RescaleIntercept")
    if slope == 0.0 or (slope is None and numbers(scope, "RescaleSlope")):
        notes.append("rescale_slope_ignored")
        slope = None
    return rescale(stored, slope=1.0 if slope is None else slope, intercept=intercept or 0.0), notes


def _valid(instance: Instance, stored: NDArray[np.generic]) -> NDArray[np.bool_] | None:
    padding = integer(instance.dataset, "PixelPaddingValue")
    if padding is None:
        return None
    limit = integer(instance.dataset, "PixelPaddingRangeLimit")
    span = 2**instance.layout.bits_allocated

    def wrap(x: int) -> int:
        """As Pixel Representation says, whatever VR the value was written with."""
        x %= span
        return x - span if instance.layout.is_signed and x >= span // 2 else x

    return valid_pixels(stored, padding=wrap(padding), range_limit=None if limit is None else wrap(limit))


def _window(scope: Dataset) -> tuple[tuple[float, float, WindowFunction] | None, list[str]]:
    """The first usable window, and notes on what was passed over."""
    stated = (text(scope, "VOILUTFunction") or "LINEAR").upper()
    function = FUNCTIONS.get(stated, "LINEAR")
    notes = [] if stated in FUNCTIONS else ["voi_lut_function_ignored"]
    pairs = list(zip(numbers(scope, "WindowCenter"), numbers(scope, "WindowWidth"), strict=False))
    usable = [(c, w) for c, w in pairs if math.isfinite(c) and math.isfinite(w) and 0 < w < 1e9 and abs(c) < 1e9]
    if len(usable) < len(pairs) or (not pairs and (numbers(scope, "WindowCenter") or numbers(scope, "WindowWidth"))):
        notes.append("window_ignored")
    if not usable:
        return None, notes
    if len(usable) > 1:
        notes.append("first_of_several_windows")
    centre, width = usable[0]
    if function == "LINEAR" and width < 1:
        # LINEAR needs at least 1; narrower windows come with values that are not integers.
        function, notes = "LINEAR_EXACT", [*notes, "window_read_as_exact"]
    return (centre, width, function), notes


def _display(
    instance: Instance, values: NDArray[np.float32], valid: NDArray[np.bool_] | None, frame_number: int
) -> tuple[NDArray[np.float32], list[str]]:
    lut, is_bad = _first_lut(instance, "VOILUTSequence", is_signed=bool(values.size) and float(values.min()) < 0)
    notes = ["voi_lut_ignored"] if is_bad else []
    if lut is not None:
        return lut.apply_to_display(values), notes
    scope = frame_scope(instance.dataset, frame_number=frame_number, group="FrameVOILUTSequence")
    window, more = _window(scope)
    notes += more
    if window is None:
        return full_range_display(values, valid), [*notes, "no_window"]
    centre, width, function = window
    return window_display(values, centre=centre, width=width, function=function), notes


def _is_inverted(instance: Instance) -> bool:
    """MONOCHROME1 shows small values bright; INVERSE says the same (PS3.3 C.8.11.3.1.2), so both are one inversion."""
    shape = (text(instance.dataset, "PresentationLUTShape") or "").upper()
    return instance.layout.photometric == "MONOCHROME1" or shape == "INVERSE"


def _coloured(
    instance: Instance, stored: NDArray[np.generic]
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[str]]:
    full_scale = 2**instance.layout.bits_stored - 1
    if instance.layout.photometric == "PALETTE COLOR":
        stored = apply_color_lut(stored, instance.dataset)[..., :3]
        full_scale = 2 ** (8 * stored.dtype.itemsize) - 1
    grey, _ = grey_of(stored, full_scale=full_scale)
    return grey, np.clip(grey / np.float32(full_scale), 0.0, 1.0), ["colour_converted"]


def _grey(
    instance: Instance, stored: NDArray[np.generic], frame_number: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_] | None, list[str]]:
    values, notes = _modality_values(instance, stored, frame_number)
    valid = _valid(instance, stored)
    display, more = _display(instance, values, valid, frame_number)
    if _is_inverted(instance):
        np.subtract(1.0, display, out=display)
        more = [*more, "inverted"]
    if valid is not None:
        display[~valid] = 0.0
    return values, display, valid, notes + more


def decode(instance: Instance, *, facts: ImageFacts, frame_number: int | None = None) -> DecodedFrame:
    """Decode one frame.

    Only that frame is read and decompressed. Safe to call from several threads, on the same instance too.

    Parameters
    ----------
    instance
        From `read_header`.
    facts
        From `radiolucent.prepare.facts.facts`, of the same frame.
    frame_number
        1-based; that of ``facts`` by default.

    Returns
    -------
    DecodedFrame
        ``values`` after the modality LUT; ``display`` after padding, VOI and inversion, 0 where not ``valid``.
        Notes: ``first_of_several_windows``, ``window_ignored``, ``window_read_as_exact``, ``no_window``,
        ``voi_lut_ignored``, ``voi_lut_function_ignored``, ``modality_lut_ignored``, ``rescale_slope_ignored``,
        ``inverted``, ``colour_converted``, ``photometric_assumed``, ``bits_stored_assumed``,
        ``transfer_syntax_guessed``, ``excess_pixel_data``.

    Raises
    ------
    InputRefused
        ``cannot_decode``, ``pixel_data_mismatch``, ``image_too_large``, ``colour_image`` or ``no_such_frame``.
    """
    number_of_frame = facts.frame_number if frame_number is None else frame_number
    if not 1 <= number_of_frame <= instance.layout.frames:
        raise refused(
            "no_such_frame",
            found=f"a request for frame {number_of_frame}",
            expected=f"1 to {instance.layout.frames}",
            action="Ask for a frame the object has.",
        )
    stored = stored_values(instance, frame_number=number_of_frame)
    with refusing(lambda: cannot_decode(instance.transfer_syntax, "its look-up tables cannot be applied")):
        if stored.ndim == 3 or instance.layout.photometric == "PALETTE COLOR":
            values, display, notes = _coloured(instance, stored)
            valid = None
        else:
            values, display, valid, notes = _grey(instance, stored, number_of_frame)
    return DecodedFrame(
        facts=facts,
        values=np.ascontiguousarray(values),
        display=np.ascontiguousarray(display, dtype=np.float32),
        valid=valid,
        notes=tuple(dict.fromkeys((*instance.notes, *notes))),
    )


def frames(instance: Instance, *, stem: str, sha256: str) -> Iterator[DecodedFrame]:
    """Every frame of an instance with its facts, one at a time: memory for one frame, whatever their number."""
    for frame_number in range(1, instance.layout.frames + 1):
        yield decode(
            instance,
            facts=read_facts(instance.dataset, stem=stem, sha256=sha256, frame_number=frame_number),
        )
