"""Small valid DICOM files for tests, made here; no patient is behind them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CR, CT = "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.2"
MARKER_NAME = "Marker^Patient^Name"


def cr(pixels: NDArray[np.uint16], **changes: object) -> Dataset:
    """A CR chest film, 12 bits in 16, window over the full range; ``changes`` set or (None) delete attributes."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = CR, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = MARKER_NAME, "MARKER-ID-77", "19600102", "F"
    ds.PatientAge, ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "064Y", "20240102", "101010", "ACC1"
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber, ds.ReferringPhysicianName = "1", 1, 1, ""
    ds.Modality, ds.BodyPartExamined, ds.ViewPosition = "CR", "CHEST", "PA"
    ds.PatientOrientation, ds.ImagerPixelSpacing = ["L", "F"], [0.2, 0.2]
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.WindowCenter, ds.WindowWidth = 2048, 4096
    ds.PixelData = pixels.astype("<u2").tobytes()
    for keyword, value in changes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPClassUID = ds.get("SOPClassUID", CR)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", "1.2.3")
    return ds


def save(ds: Dataset, path: Path) -> Path:
    """Write it in Part 10 format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def lit(rows: int = 200, columns: int = 160, *, at: tuple[int, int] = (150, 30), side: int = 40) -> NDArray[np.uint16]:
    """A dark film with one bright square whose upper left corner is ``at``."""
    pixels = np.full((rows, columns), 100, dtype=np.uint16)
    pixels[at[0] : at[0] + side, at[1] : at[1] + side] = 4000
    return pixels
