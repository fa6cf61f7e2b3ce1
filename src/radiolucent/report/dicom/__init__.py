"""From a source header and a result to DICOM objects; the only place that imports highdicom."""

from radiolucent.report.dicom.build import build_objects
from radiolucent.report.dicom.records import (
    ALL_KINDS,
    BuiltObject,
    BuiltObjects,
    DicomOptions,
    ObjectKind,
    SkippedObject,
)

__all__ = [
    "ALL_KINDS",
    "BuiltObject",
    "BuiltObjects",
    "DicomOptions",
    "ObjectKind",
    "SkippedObject",
    "build_objects",
]
