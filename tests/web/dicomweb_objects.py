"""Objects of every kind that the archive may hold, with the pixels that must come back."""

from __future__ import annotations

import io

import numpy as np
from dicom_factory import cr
from PIL import Image
from pydicom import uid
from pydicom.dataelem import DataElement
from pydicom.encaps import encapsulate
from pydicom.uid import generate_uid

STUDY, SERIES = "1.2.826.0.1.3680043.10.77", "1.2.826.0.1.3680043.10.77.1"


def ramp(frames=1, rows=12, columns=10):
    return (np.arange(frames * rows * columns) * 37 % 4096).astype(np.uint16).reshape(frames, rows, columns)


def grey(frames=1, size=(12, 10), **changes):
    """A CR of one or several frames and its pixels ``[frames, rows, columns]``."""
    pixels = ramp(frames, *size)
    ds = cr(pixels[0], StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES, **changes)
    if frames > 1:
        ds.NumberOfFrames = frames
        ds.PixelData = pixels.astype("<u2").tobytes()
    return ds, pixels


def compressed(syntax, frames=1):
    ds, pixels = grey(frames, size=(40, 36))
    ds.compress(syntax, generate_instance_uid=False)
    return ds, pixels


def in_syntax(syntax):
    """A native CR in another encoding of the dataset."""
    ds, pixels = grey()
    ds.file_meta.TransferSyntaxUID = syntax
    if syntax == uid.ExplicitVRBigEndian:
        ds["PixelData"].VR = "OW"
        ds.PixelData = pixels.astype(">u2").tobytes()
    ds.set_original_encoding(syntax == uid.ImplicitVRLittleEndian, syntax != uid.ExplicitVRBigEndian)
    return ds, pixels


def colour(photometric="RGB", syntax=uid.ExplicitVRLittleEndian, planar=0):
    """An 8-bit colour image; its RGB ``[rows, columns, 3]``."""
    rows, columns = 16, 32
    rgb = np.zeros((rows, columns, 3), np.uint8)
    rgb[:, :16], rgb[:, 16:] = (200, 40, 30), (20, 90, 220)
    ds, _ = grey(WindowCenter=None, WindowWidth=None)
    ds.Rows, ds.Columns, ds.SamplesPerPixel = rows, columns, 3
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PlanarConfiguration = 8, 8, 7, planar
    ds.PhotometricInterpretation = photometric
    if syntax == uid.JPEGBaseline8Bit:
        out = io.BytesIO()
        Image.fromarray(rgb).save(out, "JPEG", quality=98, subsampling=1)
        ds.PixelData = encapsulate([out.getvalue()])
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
        ds.file_meta.TransferSyntaxUID = syntax
        return ds, rgb
    data = np.moveaxis(rgb, 2, 0) if planar else rgb
    ds.PixelData = np.ascontiguousarray(data).tobytes()
    if syntax != uid.ExplicitVRLittleEndian:
        ds.compress(syntax, generate_instance_uid=False)
    return ds, rgb


def bitmap(frames=3, rows=5, columns=7):
    """A binary segmentation whose frames end within a byte."""
    bits = (np.arange(frames * rows * columns) % 3 == 0).astype(np.uint8).reshape(frames, rows, columns)
    ds, _ = grey(WindowCenter=None, WindowWidth=None, SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4", Modality="SEG")
    ds.Rows, ds.Columns, ds.NumberOfFrames = rows, columns, frames
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1, 1, 0
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    ds.PixelData = packed + b"\x00" * (len(packed) % 2)
    return ds, bits


def float_map():
    """A parametric map with a value that is no number."""
    values = np.linspace(-1, 3, 120, dtype=np.float32).reshape(12, 10)
    values[0, 0] = np.nan
    ds, _ = grey(WindowCenter=None, WindowWidth=None, SOPClassUID="1.2.840.10008.5.1.4.1.1.30", PixelData=None)
    ds.BitsAllocated = 32
    del ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    ds.FloatPixelData = values.tobytes()
    return ds, values


def document():
    """An object without pixels."""
    ds, _ = grey(
        WindowCenter=None, WindowWidth=None, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR", PixelData=None
    )
    del ds.Rows, ds.Columns
    return ds


def with_binary():
    """An image with a short and a long private value, and a long one inside a sequence."""
    ds, pixels = grey()
    block = ds.private_block(0x0029, "RADIOLUCENT TEST", create=True)
    block.add_new(1, "OB", b"\x01\x02")
    block.add_new(2, "OB", bytes(range(256)) * 8)
    item = type(ds)()
    item.add(DataElement(0x54001010, "OW", b"\x07\x00" * 2000))
    ds.WaveformSequence = [item]
    ds.add_new(0x00180088, "DS", "5")
    ds.add_new(0x00189318, "FD", [float("nan"), float("inf")])
    return ds, pixels


def fresh(ds):
    """The same object under another SOP Instance UID."""
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return ds
