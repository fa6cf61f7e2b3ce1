"""DICOM headers of the phantoms: the least that the IODs of PS3.3 A.2, A.3 and A.26 ask for."""

from __future__ import annotations

import uuid

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

NOTE = "SYNTHETIC QA PHANTOM, NOT A PATIENT"
_NAMESPACE = uuid.UUID("6d3f2f0c-6a0e-5d35-9d5b-2f4a43b5c7a1")
_IMPLEMENTATION = UID(f"2.25.{uuid.uuid5(_NAMESPACE, 'implementation').int}")


def uid(*parts: object) -> str:
    """A UID under 2.25 (PS3.5 B.2) that is always the same for the same parts."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(str(p) for p in parts)).int}"


def coded(scheme: str, value: str, meaning: str) -> Sequence:
    """A code sequence of one item (PS3.3 section 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Sequence([item])


def _study(*, sop_class: str, key: str, title: str, number: int, laterality: str | None) -> Dataset:
    """Patient, study, series, equipment and SOP common modules."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    ds.file_meta.ImplementationClassUID = _IMPLEMENTATION
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, uid(key, "instance", number)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "QA^PHANTOM", "QA-PHANTOM", ""
    ds.PatientSex, ds.PatientAge = "O", "050Y"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(key, "study"), uid(key, "series")
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = "20260101"
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = "120000"
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = "QA", "", ""
    ds.StudyDescription = ds.SeriesDescription = f"QA PHANTOM {title}"
    ds.SeriesNumber, ds.InstanceNumber = 1, number
    ds.Manufacturer, ds.ManufacturerModelName = "Radiolucent", "phantom"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "0", "1"
    ds.ImageComments, ds.DerivationDescription = NOTE, "Computed, not acquired"
    if laterality is not None:
        ds.Laterality = laterality
    return ds


def _grey(ds: Dataset, values: NDArray[np.uint16], *, bits: int, photometric: str) -> None:
    """Image pixel module: unsigned, ``bits`` stored in 16."""
    if photometric == "MONOCHROME1":
        values = np.uint16(2**bits - 1) - values
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, photometric
    ds.Rows, ds.Columns = values.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, bits, bits - 1, 0
    ds.add_new("PixelData", "OW", np.ascontiguousarray(values, dtype="<u2").tobytes())
    ds.BurnedInAnnotation, ds.LossyImageCompression = "NO", "00"


def chest(values: NDArray[np.uint16], *, key: str, spacing_mm: float, photometric: str) -> Dataset:
    """Digital X-Ray Image, For Presentation (PS3.3 A.26), postero-anterior."""
    ds = _study(sop_class=DigitalXRayImageStorageForPresentation, key=key, title="CHEST", number=1, laterality=None)
    ds.Modality, ds.PresentationIntentType, ds.BodyPartExamined = "DX", "FOR PRESENTATION", "CHEST"
    ds.ImageType = ["DERIVED", "PRIMARY", ""]
    ds.ViewPosition, ds.ImageLaterality, ds.PatientOrientation = "PA", "U", ["L", "F"]
    ds.AnatomicRegionSequence = coded("SCT", "43799004", "Thorax")
    ds.ViewCodeSequence = coded("SCT", "399348003", "postero-anterior")
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence([])
    ds.PositionerType = "NONE"
    ds.DetectorType, ds.DetectorID = "SCINTILLATOR", "QA"
    ds.ImagerPixelSpacing = ds.PixelSpacing = [spacing_mm, spacing_mm]
    ds.PixelSpacingCalibrationType, ds.PixelSpacingCalibrationDescription = "GEOMETRY", "Phantom, no magnification"
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1 if photometric == "MONOCHROME2" else -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "US"
    ds.PresentationLUTShape = "IDENTITY" if photometric == "MONOCHROME2" else "INVERSE"
    ds.AcquisitionContextSequence = Sequence([])
    ds.WindowCenter, ds.WindowWidth = 2048, 4096
    _grey(ds, values, bits=12, photometric=photometric)
    return ds


def bone(values: NDArray[np.uint16], *, key: str, spacing_mm: float, photometric: str) -> Dataset:
    """Computed Radiography Image (PS3.3 A.2), left forearm, antero-posterior."""
    ds = _study(sop_class=ComputedRadiographyImageStorage, key=key, title="FOREARM", number=1, laterality="L")
    ds.Modality, ds.BodyPartExamined, ds.ViewPosition = "CR", "FOREARM", "AP"
    ds.ImageType, ds.PatientOrientation = ["DERIVED", "PRIMARY"], ["L", "F"]
    ds.ImagerPixelSpacing = [spacing_mm, spacing_mm]
    lowest, highest = 150, 3000
    centre = (lowest + highest) / 2 if photometric == "MONOCHROME2" else 4095 - (lowest + highest) / 2
    ds.WindowCenter, ds.WindowWidth = centre, highest - lowest
    _grey(ds, values, bits=12, photometric=photometric)
    return ds


def head(hu: NDArray[np.float32], *, key: str, index: int, spacing_mm: float, thickness_mm: float) -> Dataset:
    """CT Image (PS3.3 A.3): axial slice ``index`` from below upwards, patient's left at the image's right."""
    ds = _study(sop_class=CTImageStorage, key=key, title="HEAD", number=index + 1, laterality=None)
    ds.Modality, ds.BodyPartExamined, ds.PatientPosition = "CT", "HEAD", "HFS"
    ds.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = uid(key, "frame of reference"), ""
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    first = [round(-(n - 1) / 2 * spacing_mm, 6) for n in (hu.shape[1], hu.shape[0])]
    ds.ImagePositionPatient = [*first, index * thickness_mm]
    ds.PixelSpacing, ds.SliceThickness = [spacing_mm, spacing_mm], thickness_mm
    ds.SliceLocation, ds.AcquisitionNumber = index * thickness_mm, 1
    ds.KVP, ds.ConvolutionKernel = "120", "PHANTOM"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 40, 80
    _grey(ds, np.rint(hu + 1024).astype(np.uint16), bits=12, photometric="MONOCHROME2")
    return ds
