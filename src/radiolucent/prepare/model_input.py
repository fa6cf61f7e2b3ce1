"""From a decoded frame to the array an engine was trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiolucent.prepare.intensity import stretch, window
from radiolucent.prepare.resample import fit_geometry, resample
from radiolucent.records.engine import ChannelSpec, InputSpec
from radiolucent.records.image import DecodedFrame, ModelInput


def is_picture(frame: DecodedFrame) -> bool:
    """Whether the frame comes from a picture, which has no modality units (Hounsfield units)."""
    return frame.facts.modality is None and frame.facts.sop_instance_uid is None


def pixel_ratio(frame: DecodedFrame) -> tuple[float, float]:
    """Height and width of a pixel, in whatever unit the image gives."""
    return frame.facts.pixel_spacing_mm or frame.facts.pixel_aspect_ratio or (1.0, 1.0)


def _channel(frame: DecodedFrame, channel: ChannelSpec, *, is_first: bool) -> NDArray[np.float32] | None:
    """One channel in [0, 1] on source pixels, not stretched; ``None`` if this frame cannot give it."""
    if channel.source == "hu_window" and not is_picture(frame):
        assert channel.centre is not None
        assert channel.width is not None
        out = window(frame.values, centre=channel.centre, width=channel.width)
    elif channel.source == "voi" or is_first:
        out = frame.display
    else:
        return None
    return out if frame.valid is None else np.where(frame.valid, out, np.float32(0.0))


def channel_pictures(frame: DecodedFrame, spec: InputSpec) -> list[NDArray[np.uint8]]:
    """``[rows, columns]`` in 0..255 for each channel that the frame can give: pictures that make the same input."""
    found = (_channel(frame, channel, is_first=index == 0) for index, channel in enumerate(spec.channels))
    return [np.rint(each * np.float32(255.0)).astype(np.uint8) for each in found if each is not None]


def model_input(frame: DecodedFrame, spec: InputSpec) -> ModelInput:
    """Make the engine's input, by the same steps as training (``training/data.py``, ``load_channels``).

    Each channel is windowed and stretched on source pixels, padding pixels become 0, then the image is scaled with its
    physical aspect and padded with 0, clipped to [0, 1] and normalised.

    A picture has no Hounsfield units: its display goes into the first channel, any other channel that wants a window
    of Hounsfield units is zeros, which training taught the engine to take for absent.

    Returns
    -------
    ModelInput
        ``array [C, rows, columns]`` float32, ``(x - mean) / std`` of x in [0, 1].
    """
    rows, columns = frame.display.shape
    geometry = fit_geometry((rows, columns), model_shape=(spec.rows, spec.columns), pixel_spacing=pixel_ratio(frame))
    array = np.zeros((len(spec.channels), spec.rows, spec.columns), dtype=np.float32)
    for index, channel in enumerate(spec.channels):
        found = _channel(frame, channel, is_first=index == 0)
        if found is not None and channel.stretch is not None:
            found = stretch(found, percentiles=channel.stretch)
        if found is not None:
            array[index] = np.clip(resample(found, geometry), 0.0, 1.0)
    array -= np.float32(spec.mean)
    array *= np.float32(1.0 / spec.std)
    return ModelInput(array=array, geometry=geometry)
