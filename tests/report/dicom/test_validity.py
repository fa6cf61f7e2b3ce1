"""Every object from every source, before an outside judge (dicom3tools) and read back by its family's own reader."""

import subprocess
import sys
import warnings
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from report.dicom import dicom_sources as sources

from radiolucent.report.dicom import DicomOptions, build_objects

DCIODVFY = Path(sys.executable).with_name("dciodvfy")
RESULTS = {
    "positive": lambda dataset: sources.processed(dataset, frame_number=2 if "NumberOfFrames" in dataset else 1),
    "nothing_found": lambda dataset: sources.processed(dataset, sources.FINDINGS[3:]),
    "refused": sources.refused,
}


def build(dataset, result, **options):
    return build_objects(
        dataset, result, sources.overlays(), now=sources.NOW, options=DicomOptions(**options) if options else None
    )


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dicom3tools is not installed")
@pytest.mark.parametrize(
    ("name", "situation"),
    [
        *((name, "positive") for name in sources.SOURCES),
        *(
            (name, other)
            for name in ("cr", "ct", "bare", "damaged", "japanese")
            for other in ("nothing_found", "refused")
        ),
    ],
)
def test_dciodvfy_finds_no_error(name, situation, tmp_path):
    dataset = sources.SOURCES[name]()
    built = build(dataset, RESULTS[situation](dataset), fractional_segmentation=True)
    assert [skip.code for skip in built.skipped] == (
        ["source_is_in_colour"] if name == "colour_capture" and situation == "positive" else []
    )
    assert built.objects
    for number, each in enumerate(built.objects):
        path = tmp_path / f"{number}.dcm"
        each.dataset.save_as(path, enforce_file_format=True)
        said = subprocess.run([DCIODVFY, path], capture_output=True, check=False)
        lines = (said.stdout + said.stderr).decode("latin-1").splitlines()
        assert [line for line in lines if line.startswith("Error")] == [], each.kind


def test_the_judge_is_awake(tmp_path):
    if not DCIODVFY.exists():
        pytest.skip("dicom3tools is not installed")
    dataset = sources.cr()
    broken = build(dataset, sources.processed(dataset)).of_kind("pm")[0].dataset
    del broken.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    broken.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    said = subprocess.run([DCIODVFY, tmp_path / "x.dcm"], capture_output=True, check=False)
    assert b"Error" in said.stdout + said.stderr


@pytest.mark.parametrize("name", sources.SOURCES)
def test_objects_read_back(name, tmp_path):
    dataset = sources.SOURCES[name]()
    built = build(dataset, sources.processed(dataset), fractional_segmentation=True)
    for number, each in enumerate(built.objects):
        path = tmp_path / f"{number}.dcm"
        each.dataset.save_as(path, enforce_file_format=True)
        back = pydicom.dcmread(path)
        assert back.SOPInstanceUID == each.dataset.SOPInstanceUID
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # highdicom's opinion of names without a comma, and the like
            if each.kind == "sr":
                report = highdicom.sr.srread(path)
                assert len(report.content.get_planar_roi_measurement_groups()) == 1
                assert len(report.content.get_image_measurement_groups()) == 5
            elif each.kind == "seg" and _is_readable_by_highdicom(back):
                segmentation = highdicom.seg.segread(path)
                assert segmentation.number_of_segments == len(back.SegmentSequence)
        if each.kind == "pm":
            assert np.array_equal(back.pixel_array, sources.explanation().map)


def _is_readable_by_highdicom(segmentation):
    """highdicom 0.28.2 writes Pixel Measures without thickness for films, but does not read them."""
    measures = segmentation.SharedFunctionalGroupsSequence[0].get("PixelMeasuresSequence")
    return measures is None or "SliceThickness" in measures[0]


@pytest.mark.parametrize("name", ["japanese", "arabic", "greek"])
def test_names_survive_in_their_own_script(name, tmp_path):
    dataset = sources.SOURCES[name]()
    for each in build(dataset, sources.processed(dataset)).objects:
        each.dataset.save_as(tmp_path / "x.dcm", enforce_file_format=True)
        back = pydicom.dcmread(tmp_path / "x.dcm")
        assert back.PatientName == dataset.PatientName
        assert back.SpecificCharacterSet == dataset.SpecificCharacterSet


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID"])
def test_a_source_without_identity_is_skipped_with_a_reason(keyword):
    dataset = sources.cr()
    setattr(dataset, keyword, "")
    built = build(dataset, sources.processed(dataset))
    assert built.objects == ()
    assert {skip.code for skip in built.skipped} == {"source_without_identity"}
    assert len(built.skipped) == 5


def test_a_map_of_another_size_is_skipped_and_the_report_still_made():
    dataset = sources.cr()
    result = sources.processed(dataset)
    dataset.Rows = 64
    other = sources.processed(dataset)
    built = build(dataset, type(result)(**{**_fields(result), "image": other.image}))
    assert {skip.code for skip in built.skipped} == {"map_does_not_fit_source"}
    assert [each.kind for each in built.objects] == ["sc", "sc", "gsps", "sr"]


def _fields(record):
    return {name: getattr(record, name) for name in record.__slots__}


def test_only_wanted_kinds_are_made():
    dataset = sources.cr()
    built = build(dataset, sources.processed(dataset), kinds=frozenset({"sr"}))
    assert [each.kind for each in built.objects] == ["sr"]


def test_the_source_is_not_altered():
    dataset, untouched = sources.enhanced_ct(), sources.enhanced_ct()
    build(dataset, sources.processed(dataset, frame_number=2))
    assert dataset == untouched
