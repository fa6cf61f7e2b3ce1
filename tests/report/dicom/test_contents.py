"""What the objects say, and what they never say."""

import datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from report.dicom import dicom_sources as sources
from report.dicom.sr_text import tree

from radiolucent.report.dicom import DicomOptions, build_objects

GOLDEN = Path(__file__).with_name("golden")


def build(dataset, result, now=sources.NOW, **options):
    return build_objects(dataset, result, sources.overlays(), now=now, options=DicomOptions(**options))


def as_bytes(dataset):
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["positive", "nothing_found", "refused"])
def test_report_tree_as_text(name):
    dataset = sources.enhanced_ct() if name == "positive" else sources.cr()
    result = {
        "positive": sources.processed(dataset, frame_number=2),
        "nothing_found": sources.processed(dataset, sources.FINDINGS[3:]),
        "refused": sources.refused(dataset),
    }[name]
    report = build(dataset, result).of_kind("sr")[0].dataset
    assert tree(report) == (GOLDEN / f"sr_{name}.txt").read_text(encoding="utf-8")


def test_three_outputs_are_told_apart():
    dataset = sources.cr()
    flags = {}
    for result in (
        sources.processed(dataset),
        sources.processed(dataset, sources.FINDINGS[3:]),
        sources.refused(dataset),
    ):
        report = build(dataset, result).of_kind("sr")[0].dataset
        text = tree(report)
        summary = next(line for line in text.splitlines() if "111017" in line)
        flags[summary.split("= ")[1]] = (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag)
    assert flags == {
        "(111242, DCM, All algorithms succeeded; with findings)": ("COMPLETE", "UNVERIFIED", "PRELIMINARY"),
        "(111241, DCM, All algorithms succeeded; without findings)": ("COMPLETE", "UNVERIFIED", "PRELIMINARY"),
        "(111245, DCM, No algorithms succeeded; without findings)": ("PARTIAL", "UNVERIFIED", "PRELIMINARY"),
    }


def test_a_negative_result_makes_a_report_and_nothing_else():
    dataset = sources.cr()
    for result in (sources.processed(dataset, sources.FINDINGS[3:]), sources.refused(dataset)):
        assert [each.kind for each in build(dataset, result).objects] == ["sr"]


@pytest.mark.parametrize("make", [sources.dx, sources.private_class])
def test_everything_the_report_refers_to_is_in_its_evidence(make):
    dataset = make()
    built = build(dataset, sources.processed(dataset))
    report = built.of_kind("sr")[0].dataset
    evidence = {
        instance.ReferencedSOPInstanceUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    referred = {dataset.SOPInstanceUID} | {
        each.dataset.SOPInstanceUID for each in built.objects if each.kind in ("sc", "pm")
    }
    assert evidence == referred
    classes = {
        instance.ReferencedSOPInstanceUID: instance.ReferencedSOPClassUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert classes[dataset.SOPInstanceUID] == dataset.SOPClassUID


def test_notify_only_is_said_but_never_located():
    dataset = sources.cr()
    secret = sources.FINDINGS[2]
    assert secret.display_class == "notify-only"
    assert secret.explanation is not None  # it carries a map, and still nothing may come of it
    built = build(dataset, sources.processed(dataset, (secret, sources.FINDINGS[3])))
    assert [each.kind for each in built.objects] == ["sr"]
    text = tree(built.of_kind("sr")[0].dataset)
    assert "(121071, DCM, Finding) = (1386000, SCT, Intracranial hemorrhage)" in text
    for word in ("SCOORD", "Image Region", "130401", secret.explanation.zone):
        assert word not in text


def test_a_state_is_explained_but_not_outlined():
    """Cardiomegaly has a map, but is not a place: no region, no segment, no box."""
    dataset = sources.cr()
    built = build(dataset, sources.processed(dataset, (sources.FINDINGS[1],)))
    assert [each.kind for each in built.objects] == ["sc", "pm", "sr"]
    assert "SCOORD" not in tree(built.of_kind("sr")[0].dataset)


def test_an_absent_finding_is_not_called_a_finding():
    dataset = sources.cr()
    text = tree(build(dataset, sources.processed(dataset, sources.FINDINGS[3:])).of_kind("sr")[0].dataset)
    assert "121071" not in text
    assert "(60046008, SCT, Pleural effusion) = (272519000, SCT, Absent)" in text


def test_the_same_input_gives_the_same_bytes():
    first = build(sources.ct(), sources.processed(sources.ct()))
    second = build(sources.ct(), sources.processed(sources.ct()))
    assert [as_bytes(a) for a in first.datasets] == [as_bytes(b) for b in second.datasets]


def test_the_clock_is_in_the_dates_and_not_in_the_uids():
    later = sources.NOW + datetime.timedelta(days=400)
    first = build(sources.ct(), sources.processed(sources.ct()))
    second = build(sources.ct(), sources.processed(sources.ct()), now=later)
    for a, b in zip(first.datasets, second.datasets, strict=True):
        assert a.SOPInstanceUID == b.SOPInstanceUID
        assert a.SeriesInstanceUID == b.SeriesInstanceUID
        assert (a.InstanceCreationDate, b.InstanceCreationDate) == ("20260314", "20270418")


def test_slices_of_a_stack_share_series_and_keep_their_order():
    numbers, series = [], set()
    for number in (7, 8):
        dataset = sources.ct()
        dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.4.{number}"
        dataset.InstanceNumber = number
        built = build(dataset, sources.processed(dataset))
        series.add(tuple(each.dataset.SeriesInstanceUID for each in built.objects))
        numbers.append(built.of_kind("sr")[0].dataset.InstanceNumber)
    assert len(series) == 1
    assert numbers == [7, 8]
    assert len(set(series.pop())) == 5


def test_every_issue_has_uids_of_its_own():
    issues = [build(sources.ct(), sources.processed(sources.ct()), issue=issue) for issue in (0, 1, 2)]
    uids = [{each.dataset.SOPInstanceUID for each in built.objects} for built in issues]
    assert len(set().union(*uids)) == sum(len(each) for each in uids) == 21
    second = b"".join(as_bytes(each) for each in issues[1].datasets)
    assert not [uid for uid in uids[0] if uid.encode() in second], "nothing points to what was taken back"


def test_uids_differ_between_all_objects():
    built = build(sources.ct(), sources.processed(sources.ct()))
    uids = [each.dataset.SOPInstanceUID for each in built.objects]
    assert len(uids) == len(set(uids)) == 7


def test_secondary_capture_is_the_overlay_as_it_was_given():
    dataset = sources.cr()
    captures = build(dataset, sources.processed(dataset)).of_kind("sc")
    assert [each.key for each in captures] == ["pneumothorax", "cardiomegaly"]  # most critical first
    capture = captures[0].dataset
    pixels = np.frombuffer(capture.PixelData, np.uint8)[: 31 * 45 * 3].reshape(31, 45, 3)
    assert np.array_equal(pixels, sources.overlays()["pneumothorax"])
    assert capture.BurnedInAnnotation == "YES"
    assert list(capture.ImageType) == ["DERIVED", "SECONDARY"]
    assert capture.SourceImageSequence[0].ReferencedSOPInstanceUID == dataset.SOPInstanceUID
    assert capture.SeriesInstanceUID != dataset.SeriesInstanceUID
    assert "Not for diagnosis" in capture.ImageComments


def test_equipment_says_which_engine_and_which_software():
    dataset = sources.cr()
    for each in build(dataset, sources.processed(dataset)).datasets:
        software, algorithm = each.ContributingEquipmentSequence
        assert software.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
        assert algorithm.PurposeOfReferenceCodeSequence[0].CodeMeaning == "Processing Algorithm"
        assert algorithm.Manufacturer == "Radiolucent"
        assert algorithm.ManufacturerModelName == "chest-film"
        assert algorithm.SoftwareVersions == "1.2.0"
        assert algorithm.DeviceUID == each.DeviceUID == sources.ENGINE.device_uid


def test_the_map_says_what_it_measures_and_of_what():
    dataset = sources.cr()
    each = build(dataset, sources.processed(dataset)).of_kind("pm")[0].dataset
    mapping = each.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    quantity, finding = mapping.QuantityDefinitionSequence
    assert quantity.ConceptCodeSequence[0].CodeValue == "130403"
    assert finding.ConceptCodeSequence[0].CodeValue == "36118008"
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)
    assert each.ContentLabel == "PNEUMOTHORAX"
    assert each.ContentQualification == "RESEARCH"


def test_segmentation_refers_to_the_source_series():
    """Without it OHIF shows nothing (OHIF issue 4030)."""
    dataset = sources.cr()
    each = build(dataset, sources.processed(dataset)).of_kind("seg")[0].dataset
    series = each.ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == dataset.SeriesInstanceUID
    assert series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == dataset.SOPInstanceUID
