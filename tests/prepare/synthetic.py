"""Small DICOM files, made to order."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from radiolucent.prepare.decode import decode
from radiolucent.prepare.facts import facts
from radiolucent.prepare.header import read_header
from radiolucent.records.image import DecodedFrame

UID = "1.2.826.0.1.3680043.8.498.1"


def image(pixels: np.ndarray, **elements: Any) -> Dataset:
    """A CT dataset around ``pixels [rows, columns]``, ``[frames, ...]`` or ``[..., 3]``; ``None`` deletes."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = UID
    dataset.StudyInstanceUID = UID + ".2"
    dataset.SeriesInstanceUID = UID + ".3"
    dataset.Modality = "CT"
    dataset.PatientName = "Doe^Secret"
    colour = pixels.ndim > 2 and pixels.shape[-1] == 3
    plane = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    dataset.Rows, dataset.Columns = plane
    frames = pixels.size // (plane[0] * plane[1] * (3 if colour else 1))
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        dataset.PlanarConfiguration = 0
    bits = pixels.dtype.itemsize * 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def save(dataset: Dataset, path: Path) -> Path:
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["synthetic"])
    dataset.save_as(path, enforce_file_format=True)
    return path


def decoded(dataset: Dataset, path: Path, frame_number: int = 1) -> DecodedFrame:
    instance = read_header(save(dataset, path))
    said = facts(instance.dataset, stem="s", sha256="0", frame_number=frame_number)
    return decode(instance, facts=said)


def element(group: int, number: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """One explicit little endian element, with a length of our choice."""
    stated = len(value) if length is None else length
    head = struct.pack("<HH2s", group, number, vr)
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
        return head + struct.pack("<HL", 0, stated) + value
    return head + struct.pack("<H", stated) + value


def raw_file(*elements: bytes) -> bytes:
    """A DICOM file of raw elements."""
    syntax = b"1.2.840.10008.1.2.1\0"
    meta = element(2, 0x0010, b"UI", syntax)
    length = element(2, 0, b"UL", struct.pack("<L", len(meta)))
    return b"\0" * 128 + b"DICM" + length + meta + b"".join(elements)
