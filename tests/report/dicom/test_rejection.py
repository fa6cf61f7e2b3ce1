"""The note that takes results back, before an outside judge and word by word."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import highdicom
import pydicom
import pytest
from report.dicom import dicom_sources as sources

from radiolucent.errors import InvariantBroken
from radiolucent.records.study import InstanceRef, Patient, ResultObject, StudyContext, StudyReport
from radiolucent.report.dicom import build_objects
from radiolucent.report.dicom.rejection import DESCRIPTION, build_rejection

DCIODVFY = Path(sys.executable).with_name("dciodvfy")
KINDS = {
    "sr": "structured_report",
    "sc": "secondary_capture",
    "pm": "parametric_map",
    "seg": "segmentation",
    "gsps": "presentation_state",
}


def report(**changes):
    """A report on the objects of one radiograph."""
    source = sources.cr()
    built = build_objects(source, sources.processed(source), sources.overlays(), now=sources.NOW)
    objects = tuple(
        ResultObject(
            kind=KINDS[each.kind],
            instance=InstanceRef(
                sop_class_uid=each.dataset.SOPClassUID,
                sop_instance_uid=each.dataset.SOPInstanceUID,
                series_instance_uid=each.dataset.SeriesInstanceUID,
            ),
            source_sop_instance_uid=source.SOPInstanceUID,
        )
        for each in built.objects
    )
    patient = Patient(patient_id="PHANTOM-1", issuer="HOSPITAL", name="Phantom^Lucy", birth_date="19700101", sex="F")
    context = StudyContext(
        study_instance_uid=source.StudyInstanceUID,
        accession_number="ACC7",
        patient=patient,
        started=datetime(2026, 3, 14, 10, 11, 12, tzinfo=UTC),
        description="Chest pa",
        referring_physician="Doctor^Who",
    )
    made = StudyReport(
        report_id="ab" * 16,
        revision=2,
        state="preliminary",
        status="positive",
        context=context,
        produced_at=sources.NOW,
        software_version="0.3.0",
        engines=(),
        findings=(),
        refusals=(),
        images=(),
        objects=objects,
        impression="",
    )
    return replace(made, **changes)


def with_patient(**changes):
    made = report()
    return replace(made, context=replace(made.context, patient=replace(made.context.patient, **changes)))


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dicom3tools is not installed")
@pytest.mark.parametrize("reason", ["quality", "patient_safety"])
@pytest.mark.parametrize("name", ["full", "empty", "japanese"])
def test_dciodvfy_finds_no_error(reason, name, tmp_path):
    made = {
        "full": report(),
        "empty": with_patient(patient_id="", issuer="", name="", birth_date="", sex=""),
        "japanese": with_patient(name="Yamada^Tarou=山田^太郎=やまだ^たろう"),
    }[name]
    if name == "empty":
        empty = replace(made.context, accession_number="", started=None, description="", referring_physician="")
        made = replace(made, context=empty)
    build_rejection(made, reason=reason, now=sources.NOW).save_as(tmp_path / "note.dcm", enforce_file_format=True)
    said = subprocess.run([DCIODVFY, tmp_path / "note.dcm"], capture_output=True, check=False)
    lines = (said.stdout + said.stderr).decode("latin-1").splitlines()
    assert "KeyObjectSelectionDocument" in lines
    remarks = [line for line in lines if line.startswith(("Error", "Warning")) and "DICOMDIR" not in line]
    assert remarks == []


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dicom3tools is not installed")
def test_the_judge_is_awake(tmp_path):
    note = build_rejection(report(), reason="quality", now=sources.NOW)
    del note.CurrentRequestedProcedureEvidenceSequence
    note.save_as(tmp_path / "note.dcm", enforce_file_format=True)
    said = subprocess.run([DCIODVFY, tmp_path / "note.dcm"], capture_output=True, check=False)
    assert b"Error" in said.stdout + said.stderr


@pytest.mark.parametrize(
    ("reason", "value", "meaning"),
    [
        ("quality", "113001", "Rejected for Quality Reasons"),
        ("patient_safety", "113037", "Rejected for Patient Safety Reasons"),
    ],
)
def test_the_title_says_why(reason, value, meaning):
    (title,) = build_rejection(report(), reason=reason, now=sources.NOW).ConceptNameCodeSequence
    assert (title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning) == (value, "DCM", meaning)


def test_every_object_is_referred_to_in_content_and_evidence(tmp_path):
    made = report()
    build_rejection(made, reason="quality", now=sources.NOW).save_as(tmp_path / "note.dcm", enforce_file_format=True)
    note = highdicom.ko.KeyObjectSelectionDocument.from_dataset(pydicom.dcmread(tmp_path / "note.dcm"))
    wanted = {each.instance.sop_instance_uid for each in made.objects}
    assert len(wanted) == 7
    found = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID: item.ValueType
        for item in note.ContentSequence
        if "ReferencedSOPSequence" in item
    }
    assert found.keys() == wanted
    for each in made.objects:
        is_image = each.kind in ("secondary_capture", "parametric_map", "segmentation")
        assert found[each.instance.sop_instance_uid] == ("IMAGE" if is_image else "COMPOSITE")
        study, series, _ = note.resolve_reference(each.instance.sop_instance_uid)
        assert study == made.context.study_instance_uid
        assert series == each.instance.series_instance_uid
    texts = [item.TextValue for item in note.ContentSequence if item.ValueType == "TEXT"]
    assert DESCRIPTION in texts


def test_the_note_is_in_the_study_of_the_patient():
    note = build_rejection(report(), reason="quality", now=sources.NOW, study_id="7")
    assert note.StudyInstanceUID == sources.cr().StudyInstanceUID
    assert note.PatientName == "Phantom^Lucy"
    assert (note.PatientID, note.IssuerOfPatientID) == ("PHANTOM-1", "HOSPITAL")
    assert (note.PatientBirthDate, note.PatientSex) == ("19700101", "F")
    assert (note.StudyDate, note.StudyTime, note.StudyID) == ("20260314", "101112", "7")
    assert (note.AccessionNumber, note.StudyDescription) == ("ACC7", "Chest pa")
    assert note.ReferringPhysicianName == "Doctor^Who"
    assert (note.ContentDate, note.ContentTime) == ("20260314", "150926.535897")
    assert (note.InstanceCreationDate, note.InstanceCreationTime) == ("20260314", "150926.535897")


def test_illegal_values_are_left_out():
    note = build_rejection(
        with_patient(birth_date="1970", sex="X", patient_id="A\\B", name="A^B^C^D^E^F"),
        reason="quality",
        now=sources.NOW,
    )
    assert (note.PatientBirthDate, note.PatientSex) == ("", "")
    assert note.PatientID == "A B"
    assert note.PatientName == "A^B^C^D^E"


def test_the_same_retraction_is_the_same_note():
    one = build_rejection(report(), reason="quality", now=sources.NOW)
    later = build_rejection(report(), reason="quality", now=sources.NOW.replace(year=2027))
    assert one.SOPInstanceUID == later.SOPInstanceUID == one.file_meta.MediaStorageSOPInstanceUID
    assert one.SeriesInstanceUID == later.SeriesInstanceUID
    others = {
        build_rejection(report(), reason="patient_safety", now=sources.NOW).SOPInstanceUID,
        build_rejection(report(report_id="cd" * 16), reason="quality", now=sources.NOW).SOPInstanceUID,
    }
    assert one.SOPInstanceUID not in others
    assert len(others) == 2


def test_a_note_does_not_take_back_a_note():
    made = report()
    note = ResultObject(
        kind="rejection",
        instance=InstanceRef(
            sop_class_uid="1.2.840.10008.5.1.4.1.1.88.59", sop_instance_uid="1.2.3", series_instance_uid="1.2.4"
        ),
        source_sop_instance_uid="",
    )
    found = build_rejection(replace(made, objects=(*made.objects, note)), reason="quality", now=sources.NOW)
    assert "1.2.3" not in str(found)
    with pytest.raises(InvariantBroken) as raised:
        build_rejection(replace(made, objects=(note,)), reason="quality", now=sources.NOW)
    assert raised.value.code == "nothing_to_reject"
