from __future__ import annotations

from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from synthetic import image

from radiolucent.prepare.facts import facts
from radiolucent.prepare.vocabulary import body_part_in, view_in
from radiolucent.records.image import ImageFacts


def said(frame_number: int = 1, **elements: Any) -> ImageFacts:
    with pydicom.config.disable_value_validation():
        dataset = image(np.zeros((2, 2), np.uint16), **elements)
    return facts(dataset, stem="s", sha256="0", frame_number=frame_number)


def items(**elements: Any) -> Sequence:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return Sequence([item])


@pytest.mark.parametrize(
    ("elements", "years"),
    [
        ({"PatientAge": "018Y"}, 18),
        ({"PatientAge": "006M"}, 0.5),
        ({"PatientAge": "03W"}, 21 / 365.25),
        ({"PatientAge": "010D"}, 10 / 365.25),
        ({"PatientAge": "old", "PatientBirthDate": "19700101", "StudyDate": "20000101"}, 30),
        ({"PatientBirthDate": "19700101"}, None),
        ({"PatientBirthDate": "20100101", "StudyDate": "20000101"}, None),
        ({"PatientBirthDate": "19701350", "StudyDate": "20000101"}, None),
        ({}, None),
    ],
)
def test_age(elements: dict[str, str], years: float | None) -> None:
    assert said(**elements).age_years == (None if years is None else pytest.approx(years, abs=0.01))


@pytest.mark.parametrize(
    ("elements", "view"),
    [
        ({"ViewPosition": "PA"}, "PA"),
        ({"ViewPosition": "lateral"}, "LATERAL"),
        ({"ViewPosition": "??", "SeriesDescription": "W034 Chest LAT"}, "LATERAL"),
        ({"ViewCodeSequence": items(CodeValue="399348003")}, "AP"),
        ({"ViewCodeSequence": items(CodeValue="x", CodeMeaning="postero-anterior")}, "PA"),
        ({"SeriesDescription": "CHEST PA & LAT"}, None),
        ({"ProtocolName": "THORAX P.A."}, "PA"),
        ({"SeriesDescription": "MAPLE PLATE"}, None),
    ],
)
def test_view(elements: dict[str, Any], view: str | None) -> None:
    assert said(Modality="DX", **elements).view == view


def test_a_ct_has_no_view_out_of_words() -> None:
    assert said(SeriesDescription="AP scout").view is None


@pytest.mark.parametrize(
    ("elements", "part"),
    [
        ({"BodyPartExamined": "CHEST"}, "CHEST"),
        ({"BodyPartExamined": "whole body"}, "WHOLEBODY"),
        ({"BodyPartExamined": "C-SPINE"}, "CSPINE"),
        ({"BodyPartExamined": "Mr Miller's scan"}, None),
        ({"AnatomicRegionSequence": items(CodeMeaning="Thoracic spine")}, "TSPINE"),
        ({"AnatomicRegionSequence": items(CodeMeaning="Hands and wrists")}, "HAND"),
        ({"StudyDescription": "XR CHEST 2 VIEWS"}, "CHEST"),
        ({"ProtocolName": "FEET FIRST SUPINE", "StudyDescription": "CT BRAIN"}, "BRAIN"),
        ({"StudyDescription": "follow-up"}, None),
    ],
)
def test_body_part(elements: dict[str, Any], part: str | None) -> None:
    assert said(**elements).body_part == part


def test_words_are_matched_whole() -> None:
    assert body_part_in("Handley, Chester") is None
    assert view_in("CAP LATTE") is None


@pytest.mark.parametrize(
    ("elements", "side"),
    [
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}, "right"),
        ({"ImageOrientationPatient": [-1, 0, 0, 0, 1, 0]}, "left"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, None),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, None),
        ({"Modality": "DX", "PatientOrientation": ["L", "F"]}, "right"),
        (
            {"Modality": "DX", "PatientOrientation": ["R", "F"], "BodyPartExamined": "CHEST", "ViewPosition": "PA"},
            "left",
        ),
        ({"Modality": "CR", "PatientOrientation": ["A", "F"], "BodyPartExamined": "CHEST", "ViewPosition": "PA"}, None),
        ({"Modality": "CR", "BodyPartExamined": "CHEST", "ViewPosition": "AP"}, "right"),
        ({"Modality": "CR", "BodyPartExamined": "CHEST", "ViewPosition": "LL"}, None),
        ({"Modality": "CR", "BodyPartExamined": "HAND", "ViewPosition": "AP"}, None),
        ({"BodyPartExamined": "CHEST"}, None),
    ],
)
def test_where_the_patients_left_is(elements: dict[str, Any], side: str | None) -> None:
    assert said(**elements).patient_left_at == side


def test_spacing_falls_back_and_bad_values_are_none() -> None:
    assert said(PixelSpacing=[0.5, 0.4], ImagerPixelSpacing=[1, 1]).pixel_spacing_mm == (0.5, 0.4)
    assert said(ImagerPixelSpacing=[0.2, 0.3]).pixel_spacing_mm == (0.2, 0.3)
    assert said(PixelSpacing=[0, 1], ImagerPixelSpacing=[0.2, 0.3]).pixel_spacing_mm == (0.2, 0.3)
    assert said(PixelSpacing=[1, 1000]).pixel_spacing_mm is None
    ratio = said(PixelAspectRatio=[4, 3])
    assert ratio.pixel_spacing_mm is None
    assert ratio.pixel_aspect_ratio == (4, 3)


def test_slice_position_is_along_the_normal() -> None:
    oblique = [1, 0, 0, 0, 0.6, 0.8]
    found = said(ImageOrientationPatient=oblique, ImagePositionPatient=[7, 5, 10]).slice_position_mm
    assert found == pytest.approx(-0.8 * 5 + 0.6 * 10)


def test_functional_groups_win_frame_by_frame() -> None:
    per_frame = []
    for z in (1.5, 2.5):
        item = Dataset()
        item.PlanePositionSequence = items(ImagePositionPatient=[0, 0, z])
        per_frame.append(item)
    shared = Dataset()
    shared.PlaneOrientationSequence = items(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared.PixelMeasuresSequence = items(PixelSpacing=[0.7, 0.7])
    groups = {
        "PerFrameFunctionalGroupsSequence": Sequence(per_frame),
        "SharedFunctionalGroupsSequence": Sequence([shared]),
    }
    for number, z in ((1, 1.5), (2, 2.5)):
        found = said(number, **groups)
        assert (found.slice_position_mm, found.pixel_spacing_mm, found.patient_left_at) == (z, (0.7, 0.7), "right")


def test_the_rest() -> None:
    found = said(
        PatientSex="f", ContrastBolusAgent="Iohexol", BurnedInAnnotation="YES", ImageLaterality="L", InstanceNumber="7"
    )
    assert (found.sex, found.contrast_agent, found.has_burned_in_text, found.laterality, found.instance_number) == (
        "F",
        True,
        True,
        "L",
        7,
    )
    assert said(ContrastBolusAgent="NONE", PatientSex="?").contrast_agent is False
    assert said(PatientSex="?").sex is None


def test_nothing_of_the_patient_is_in_the_facts() -> None:
    found = said(PatientID="4711", BodyPartExamined="Secret", StudyDescription="Secret CHEST", ViewPosition="Secret")
    assert "Secret" not in repr(found)
    assert "4711" not in repr(found)
