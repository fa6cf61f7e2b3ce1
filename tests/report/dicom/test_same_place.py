"""One asymmetric L, and the same pixels in every object."""

import numpy as np
import pydicom
import pytest
from report.dicom import dicom_sources as sources
from report.dicom.test_contour import filled

from radiolucent.report.dicom import DicomOptions, build_objects


def written(dataset, tmp_path, frame_number=1, findings=sources.FINDINGS[:1]):
    """Objects by kind, read back from their files."""
    result = sources.processed(dataset, findings, frame_number=frame_number)
    objects = {}
    for each in build_objects(dataset, result, sources.overlays(), now=sources.NOW).objects:
        path = tmp_path / f"{each.kind}.dcm"
        each.dataset.save_as(path, enforce_file_format=True)
        objects[each.kind] = pydicom.dcmread(path)
    return objects


@pytest.mark.parametrize("make", [sources.cr, sources.dx, sources.ct, sources.ct_oblique_lossy, sources.enhanced_mr])
def test_the_l_is_on_the_same_pixels_everywhere(make, tmp_path):
    objects = written(make(), tmp_path)
    region = sources.l_shape()

    segmentation = objects["seg"]
    assert (segmentation.Rows, segmentation.Columns) == (sources.ROWS, sources.COLUMNS)
    assert np.array_equal(segmentation.pixel_array[0].astype(bool), region)

    parametric_map = objects["pm"]
    assert np.array_equal(parametric_map.pixel_array > 0, region)
    assert parametric_map.pixel_array.dtype == np.float32

    scoord = _find(objects["sr"], "SCOORD")
    points = np.array(scoord.GraphicData).reshape(-1, 2)
    assert np.array_equal(filled(points, region.shape), region)

    graphic = objects["gsps"].GraphicAnnotationSequence[0].GraphicObjectSequence[0]
    corners = np.array(graphic.GraphicData).reshape(-1, 2)
    rows, columns = np.nonzero(region)
    assert corners.min(axis=0).tolist() == [columns.min(), rows.min()]
    assert corners.max(axis=0).tolist() == [columns.max() + 1, rows.max() + 1]
    assert graphic.GraphicAnnotationUnits == "PIXEL"


def _find(item, value_type):
    if item.get("ValueType") == value_type:
        return item
    found = (_find(child, value_type) for child in item.get("ContentSequence", []))
    return next((each for each in found if each is not None), None)


def test_bands_are_shares_of_the_absolute_scale(tmp_path):
    segmentation = written(sources.cr(), tmp_path)["seg"]
    labels = [segment.SegmentLabel for segment in segmentation.SegmentSequence]
    evidence = sources.explanation().map
    assert labels == ["Pneumothorax region", "Pneumothorax >= 25 %", "Pneumothorax >= 50 %", "Pneumothorax >= 75 %"]
    for frame, share in zip(segmentation.pixel_array[1:], (0.25, 0.5, 0.75), strict=True):
        assert np.array_equal(frame.astype(bool), evidence >= share * 2.0)
    inner = segmentation.pixel_array[1:].astype(int)
    assert (np.diff(inner, axis=0) <= 0).all()  # nested


def test_an_empty_band_is_left_out(tmp_path):
    weak = sources.explanation()
    finding = sources.FINDINGS[0]
    faint = type(finding)(
        **{
            **{name: getattr(finding, name) for name in finding.__slots__},
            "explanation": type(weak)(**{**{n: getattr(weak, n) for n in weak.__slots__}, "scale": 10.0}),
        }
    )
    segmentation = written(sources.cr(), tmp_path, findings=(faint,))["seg"]
    assert [segment.SegmentLabel for segment in segmentation.SegmentSequence] == ["Pneumothorax region"]


def test_geometry_is_the_sources_own(tmp_path):
    source = sources.ct_oblique_lossy()
    objects = written(source, tmp_path)
    for kind in ("seg", "pm"):
        each = objects[kind]
        shared, frame = each.SharedFunctionalGroupsSequence[0], each.PerFrameFunctionalGroupsSequence[0]
        assert each.FrameOfReferenceUID == source.FrameOfReferenceUID
        assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == source.ImageOrientationPatient
        assert shared.PixelMeasuresSequence[0].PixelSpacing == source.PixelSpacing
        assert frame.PlanePositionSequence[0].ImagePositionPatient == source.ImagePositionPatient
        assert each.LossyImageCompression == "01"


def test_the_right_frame_is_referred_to_and_placed(tmp_path):
    objects = written(sources.enhanced_ct(), tmp_path, frame_number=3)
    frame = objects["seg"].PerFrameFunctionalGroupsSequence[0]
    assert frame.PlanePositionSequence[0].ImagePositionPatient == [-100, -120, 20]
    assert frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber == 3
    assert objects["sc"].SourceImageSequence[0].ReferencedFrameNumber == 3
    marks = objects["gsps"].GraphicAnnotationSequence[0]
    assert marks.ReferencedImageSequence[0].ReferencedFrameNumber == 3
    assert _find(objects["sr"], "SCOORD").ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber == 3


def test_a_film_gets_no_invented_place(tmp_path):
    parametric_map = written(sources.cr(), tmp_path)["pm"]
    assert len(parametric_map.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]) == 0
    assert len(parametric_map.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]) == 0


def test_a_film_segmentation_opens_in_ohif_by_a_nominal_orientation_that_can_be_left_out():
    dataset = sources.dx()
    for wanted in (True, False):
        built = build_objects(
            dataset,
            sources.processed(dataset),
            {},
            now=sources.NOW,
            options=DicomOptions(nominal_orientation=wanted),
        )
        shared = built.of_kind("seg")[0].dataset.SharedFunctionalGroupsSequence[0]
        assert ("PlaneOrientationSequence" in shared) is wanted
        assert "FrameOfReferenceUID" not in built.of_kind("seg")[0].dataset


def test_a_film_without_spacing_has_an_empty_item_where_ohif_looks_and_no_invented_spacing():
    dataset = sources.dx()
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        if keyword in dataset:
            del dataset[keyword]
    built = build_objects(dataset, sources.processed(dataset), {}, now=sources.NOW)
    shared = built.of_kind("seg")[0].dataset.SharedFunctionalGroupsSequence[0]
    assert len(shared.PixelMeasuresSequence) == 1
    assert len(shared.PixelMeasuresSequence[0]) == 0


def test_the_source_display_is_carried_into_the_presentation_state(tmp_path):
    state = written(sources.ct(), tmp_path)["gsps"]
    assert (state.RescaleIntercept, state.RescaleSlope, state.RescaleType) == (-1024, 1, "HU")
    voi = state.SoftcopyVOILUTSequence[0]
    assert (voi.WindowCenter, voi.WindowWidth) == (40, 80)
    assert state.PresentationLUTShape == "IDENTITY"
    assert written(sources.monochrome1(), tmp_path)["gsps"].PresentationLUTShape == "INVERSE"
    table = written(sources.dx(), tmp_path)["gsps"].SoftcopyVOILUTSequence[0].VOILUTSequence[0]
    assert list(table.LUTDescriptor) == [4096, 0, 16]
    words = np.frombuffer(table.LUTData, "<u2")
    assert (words[0], words[-1]) == (0, 65535)
