"""Decode one frame to stored values: one table of decoders per transfer syntax, and one function."""

from __future__ import annotations

from struct import unpack

import gdcm
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.decoders.base import get_decoder

from radiolucent.prepare.boundary import refusing
from radiolucent.prepare.codestream import check_declared_size, declared_size
from radiolucent.prepare.element import value
from radiolucent.prepare.header import NATIVE, Instance, cannot_decode

#: Which pydicom plugin decodes which transfer syntax, the preferred one first. A second one is tried only where the
#: first is known to give up on sound data; trying all would let a lenient codec turn damage into a picture.
PLUGINS: dict[str, tuple[str, ...]] = {
    uid.JPEGBaseline8Bit: ("pillow",),
    uid.JPEGExtended12Bit: ("pillow",),
    uid.JPEGLossless: ("gdcm",),
    uid.JPEGLosslessSV1: ("gdcm",),
    uid.JPEGLSLossless: ("pyjpegls",),
    uid.JPEGLSNearLossless: ("pyjpegls",),
    uid.JPEG2000Lossless: ("pylibjpeg",),
    uid.JPEG2000: ("pylibjpeg",),
    uid.HTJ2KLossless: ("pylibjpeg",),
    uid.HTJ2KLosslessRPCL: ("pylibjpeg",),
    uid.HTJ2K: ("pylibjpeg",),
    uid.RLELossless: ("pylibjpeg", "pydicom"),
}
#: Retired JPEG processes that only GDCM reads (PS3.5 A.4.1), beside 12-bit JPEG Extended.
GDCM_ONLY = ("1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55", uid.JPEGExtended12Bit)


def _options(instance: Instance) -> dict[str, object]:
    layout = instance.layout
    return {
        "transfer_syntax_uid": instance.transfer_syntax,
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.high_bit + 1,
        "pixel_representation": int(layout.is_signed),
        "planar_configuration": layout.planar,
        "number_of_frames": layout.frames,
        "pixel_keyword": "PixelData",
        "pixel_vr": instance.pixels.vr or "OW",
        "allow_excess_frames": False,
    }


def _extended_offsets(instance: Instance) -> tuple[list[int], list[int]] | None:
    offsets, lengths = (value(instance.dataset, k) for k in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"))
    if not isinstance(offsets, bytes) or not isinstance(lengths, bytes) or len(offsets) != len(lengths):
        return None
    count = len(offsets) // 8
    return list(unpack(f"<{count}Q", offsets[: count * 8])), list(unpack(f"<{count}Q", lengths[: count * 8]))


def _native(instance: Instance, index: int) -> NDArray[np.generic]:
    syntax = instance.transfer_syntax
    # A deflated dataset was unpacked by `read_header`: its pixels are Explicit VR Little Endian.
    plain = uid.ExplicitVRLittleEndian if syntax == uid.DeflatedExplicitVRLittleEndian else syntax
    options = _options(instance) | {"transfer_syntax_uid": plain}
    with instance.open_pixels() as file:
        array, _ = get_decoder(plain).as_array(file, index=index, **options)  # type: ignore[arg-type]
    return array


def _gdcm(instance: Instance, data: bytes, precision: int) -> NDArray[np.generic]:
    """Decode a JPEG frame with GDCM itself: pydicom's plugin keeps from 12 bits and from retired processes."""
    layout = instance.layout
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((layout.columns, layout.rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(layout.photometric)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    if layout.samples > 1:
        image.SetPlanarConfiguration(layout.planar)
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str.__str__(instance.transfer_syntax))))
    allocated = 8 if precision <= 8 else 16
    image.SetPixelFormat(gdcm.PixelFormat(layout.samples, allocated, precision, precision - 1, int(layout.is_signed)))
    buffer = image.GetBuffer().encode("utf-8", "surrogateescape")
    array = np.frombuffer(buffer, dtype=f"<{'i' if layout.is_signed else 'u'}{allocated // 8}")
    shape = (layout.rows, layout.columns, layout.samples)
    return array.reshape(shape[:2] if layout.samples == 1 else shape)


def _encapsulated(instance: Instance, index: int) -> NDArray[np.generic]:
    layout, syntax = instance.layout, instance.transfer_syntax
    with instance.open_pixels() as file:
        data = get_frame(
            file,
            index,
            number_of_frames=layout.frames,
            extended_offsets=_extended_offsets(instance),
        )
    check_declared_size(data, rows=layout.rows, columns=layout.columns, samples=layout.samples)
    declared = declared_size(data)
    precision = declared[3] if declared else layout.bits_stored
    if syntax in GDCM_ONLY and not (syntax == uid.JPEGExtended12Bit and precision == 8):
        return _gdcm(instance, data, precision)
    wrapped = encapsulate([data], has_bot=False)
    options = _options(instance) | {"number_of_frames": 1}
    if syntax == uid.JPEGExtended12Bit:
        options["bits_stored"] = precision
    plugins = PLUGINS[syntax]
    for plugin in plugins[:-1]:
        try:
            return get_decoder(syntax).as_array(wrapped, index=0, decoding_plugin=plugin, **options)[0]  # type: ignore[arg-type]
        except RuntimeError:
            continue
    return get_decoder(syntax).as_array(wrapped, index=0, decoding_plugin=plugins[-1], **options)[0]  # type: ignore[arg-type]


def stored_values(instance: Instance, *, frame_number: int = 1) -> NDArray[np.generic]:
    """Decode one frame, and only that frame, to its stored values.

    Safe to call from several threads, on the same instance too: every call opens the file for itself.

    Parameters
    ----------
    frame_number
        1-based.

    Returns
    -------
    numpy.ndarray
        ``[rows, columns]`` or ``[rows, columns, 3]`` (RGB) integers; bits beyond Bits Stored are gone, JPEG 2000 and
        JPEG-LS values have the sign that Pixel Representation says.

    Raises
    ------
    InputRefused
        ``cannot_decode``, ``pixel_data_mismatch``, ``image_too_large`` or ``no_such_frame``.
    """
    layout, syntax = instance.layout, instance.transfer_syntax
    if syntax not in NATIVE and syntax not in PLUGINS and syntax not in GDCM_ONLY:
        raise cannot_decode(syntax)
    with refusing(lambda: cannot_decode(syntax, "the decoder gave up, so the data are probably damaged")):
        array = _native(instance, frame_number - 1) if syntax in NATIVE else _encapsulated(instance, frame_number - 1)
        if array.shape[:2] != (layout.rows, layout.columns):
            raise cannot_decode(syntax, "the decoder gave an image of another size")
        shift = layout.high_bit + 1 - layout.bits_stored
        return np.right_shift(array, shift) if shift and syntax in NATIVE else array
