"""The overlay as a true-colour Secondary Capture (PS3.3 A.8.1): the one object every PACS shows.

Single-frame instances of one series rather than one multi-frame object: old archives and their viewers know
1.2.840.10008.5.1.4.1.1.7, and the primary finding comes first in the series.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from radiolucent.records.result import DISCLAIMER, Finding
from radiolucent.report.dicom import legal
from radiolucent.report.dicom.objects import (
    derived_from,
    engine_label,
    new_object,
    write_content_date,
    write_laterality,
    write_lossy,
)
from radiolucent.report.dicom.records import Job

SOP_CLASS_UID = "1.2.840.10008.5.1.4.1.1.7"


def build_secondary_capture(job: Job, finding: Finding, rgb: NDArray[np.uint8]) -> Dataset:
    """``rgb [rows, columns, 3]`` as it is; the result is burned in, the source is only referred to."""
    dataset = new_object(job, "sc", SOP_CLASS_UID, key=finding.key)
    write_content_date(dataset, job)
    dataset.ConversionType = "WSD"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.BurnedInAnnotation = "YES"
    dataset.PatientOrientation = []
    dataset.SourceImageSequence = derived_from(job.source)
    name, version = engine_label(job)
    dataset.DerivationDescription = legal.clean(
        f"Evidence of {name} {version} for {finding.display}, painted over the source image.", limit=1024
    )
    dataset.ImageComments = legal.clean(
        f"{finding.display}, probability {finding.probability:.1%}, confidence {finding.confidence}. {DISCLAIMER}",
        limit=10240,
    )
    write_laterality(dataset, job.source)
    write_lossy(dataset, job.source)
    _write_pixels(dataset, rgb)
    return dataset


def _write_pixels(dataset: Dataset, rgb: NDArray[np.uint8]) -> None:
    rows, columns, samples = rgb.shape
    dataset.SamplesPerPixel = samples
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    pixels = np.ascontiguousarray(rgb).tobytes()
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
