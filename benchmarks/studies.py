"""DICOM files of realistic size to read: a large chest film in three encodings, pydicom's head CT, a long CT stack."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, generate_uid

from radiolucent.phantoms import chest, head, headers

ROWS, COLUMNS = 2500, 2048
SMALL, PER_SERIES = 256, 40
REAL_HEAD_CT = "J2K_pixelrep_mismatch.dcm"


def large_film() -> Dataset:
    """A chest phantom of 2500 x 2048 pixels, 12 bits stored in 16, uncompressed (10 MB)."""
    values, _ = chest.pixels(np.random.default_rng(1))
    fitted = Image.fromarray(values.astype(np.float32)).resize((COLUMNS, ROWS), Image.Resampling.BICUBIC)
    pixels = np.clip(np.rint(np.asarray(fitted)), 0, 4095).astype(np.uint16)
    return headers.chest(pixels, key="benchmark", spacing_mm=0.17, photometric="MONOCHROME2")


def write_films(folder: Path) -> dict[str, Path]:
    """The same film uncompressed, and in lossless JPEG 2000 and JPEG-LS."""
    film = large_film()
    written = {}
    for name, syntax in (("uncompressed", None), ("JPEG 2000", JPEG2000Lossless), ("JPEG-LS", JPEGLSLossless)):
        ds = copy.deepcopy(film)
        if syntax is not None:
            ds.compress(syntax)
        written[name] = folder / f"{name.lower().replace(' ', '-')}.dcm"
        ds.save_as(written[name], enforce_file_format=True)
    return written


def real_head_ct() -> Path | None:
    """A real head CT slice of 512 x 512 (JPEG 2000) that ships inside pydicom."""
    found = get_testdata_file(REAL_HEAD_CT, download=False)
    return None if found is None else Path(str(found))


def write_stack(folder: Path, *, files: int) -> int:
    """Head CT phantom slices of 256 x 256, 16 bit, each its own instance, 40 to a series; gives back the bytes."""
    volume, _, _ = head.volume(np.random.default_rng(2))
    slices = []
    for hu in volume:
        small = np.asarray(Image.fromarray(hu.astype(np.float32)).resize((SMALL, SMALL), Image.Resampling.BILINEAR))
        slices.append(headers.head(small, key="stack", index=0, spacing_mm=0.9, thickness_mm=5.0))
    total = 0
    study, series = generate_uid(), ""
    for number in range(files):
        place = number % PER_SERIES
        if place == 0:
            study, series = generate_uid(), generate_uid()
        ds = slices[number % len(slices)]
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.InstanceNumber = study, series, place + 1
        ds.ImagePositionPatient = [*ds.ImagePositionPatient[:2], place * 5.0]
        ds.SliceLocation = place * 5.0
        path = folder / f"{number // PER_SERIES:04d}" / f"{place:02d}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        ds.save_as(path, enforce_file_format=True)
        total += path.stat().st_size
    return total
