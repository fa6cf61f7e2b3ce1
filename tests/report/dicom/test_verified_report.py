"""The verified report of a decision, before an outside judge and word by word."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import highdicom
import pydicom
import pytest
from report.dicom import dicom_sources as sources
from report.dicom.test_rejection import report as engines_report

from radiolucent.errors import InvariantBroken
from radiolucent.records.engine import Code
from radiolucent.records.result import EngineRef
from radiolucent.records.study import (
    Assessed,
    InstanceRef,
    PersonFinding,
    PriorChange,
    Region,
    StudyFinding,
    Verification,
)
from radiolucent.report.dicom.uids import instance_uid
from radiolucent.report.dicom.verified_report import Predecessors, build_verified_report
from radiolucent.standards.assessment import REASONS

DCIODVFY = Path(sys.executable).with_name("dciodvfy")
ENGINE = EngineRef(id="chest", title="Chest", version="1", sha256="ab" * 32, device_uid="2.25.7", method="Grad-CAM")
MULTI_FRAME = {"frame_number": 3, "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2.1", "sop_instance_uid": "2.25.99"}
BOX = ((10.0, 12.0), (30.0, 40.0))
OUTLINE = ((1.0, 1.0), (9.0, 2.0), (5.0, 8.0))


def image(**changes):
    source = sources.cr()
    ref = InstanceRef(
        sop_class_uid=source.SOPClassUID,
        sop_instance_uid=source.SOPInstanceUID,
        series_instance_uid=source.SeriesInstanceUID,
    )
    return replace(ref, **changes)


def region(kind="box", points=BOX, **where):
    return Region(image_key=0, image=image(**where), kind=kind, points=points)


def stated(display="Pleural effusion", key="effusion", regions=(), **changes):
    code = Code(scheme="SCT", value="60046008", meaning="Pleural effusion") if key else None
    made = PersonFinding(key=key, display=display, code=code, confidence="low", comment="Small.", regions=regions)
    return replace(made, **changes)


def finding(assessment="accepted", *, key="effusion", changed=None, positive=True):
    reason = None if assessment == "accepted" else REASONS["other"].concept
    return StudyFinding(
        engine=ENGINE,
        key=key,
        display="Pleural effusion",
        code=Code(scheme="SCT", value="60046008", meaning="Pleural effusion"),
        critical=False,
        alert=False,
        probability=0.8125,
        threshold=0.4,
        positive=positive,
        confidence="moderate",
        reasons=(),
        flags=(),
        images=(image(),),
        assessed=Assessed(assessment=assessment, reason=reason, comment="Looked twice.", changed=changed),
    )


def report(findings, added=(), *, display="Dr Ana Ruiz", is_final=True, **changes):
    made = Verification(
        decision_id="cd" * 16,
        reader_name="ana",
        reader_display=display,
        organization="St. Elsewhere",
        signed_at=datetime(2026, 4, 5, 6, 7, 8, tzinfo=UTC),
        outcome="modified",
        comment="Compared with the lateral.",
        is_final=is_final,
        was_final=False,
    )
    base = engines_report(state="final", findings=tuple(findings), added=tuple(added), images=(image(),))
    return replace(base, verification=made, impression="Pleural effusion: present.", modality="DX", **changes)


def before(made):
    reports = [each.instance for each in made.objects if each.kind == "structured_report"]
    return Predecessors(reports=reports, issue=0)


def built(made):
    return build_verified_report(made, before(made))


CASES = {
    "accepted": report([finding()]),
    "rejected, not final": report([finding("rejected")], is_final=False),
    "box": report([finding("modified", changed=stated(regions=(region(),)))]),
    "two outlines": report([finding("modified", changed=stated(regions=(region("polygon", OUTLINE), region())))]),
    "another finding": report([finding("modified", changed=stated("Nodule", None))]),
    "added in words": report([finding()], [stated("Rib fracture", None, (region(),))]),
    "nothing found": report([]),
    "japanese": report([finding()], display="山田 太郎"),
    "frame": report([finding("modified", changed=stated(regions=(region(**MULTI_FRAME),)))]),
}


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dicom3tools is not installed")
@pytest.mark.parametrize("name", CASES)
def test_dciodvfy_finds_no_error(name, tmp_path):
    built(CASES[name]).save_as(tmp_path / "sr.dcm", enforce_file_format=True)
    said = subprocess.run([DCIODVFY, tmp_path / "sr.dcm"], capture_output=True, check=False)
    lines = (said.stdout + said.stderr).decode("latin-1").splitlines()
    assert "Comprehensive3DSR" in lines
    assert [line for line in lines if line.startswith("Error")] == []


@pytest.mark.parametrize("name", CASES)
def test_highdicom_reads_it_and_finds_what_it_refers_to(name, tmp_path):
    made = CASES[name]
    built(made).save_as(tmp_path / "sr.dcm", enforce_file_format=True)
    document = highdicom.sr.Comprehensive3DSR.from_dataset(pydicom.dcmread(tmp_path / "sr.dcm"))
    evidence = {uid: (study, series) for study, series, uid, _ in document.get_evidence()}
    assert evidence[image().sop_instance_uid] == (made.context.study_instance_uid, image().series_instance_uid)
    assert document.VerificationFlag == "VERIFIED"
    assert document.PreliminaryFlag == ("FINAL" if made.verification.is_final else "PRELIMINARY")


def groups(document):
    found = [i for i in document.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "126010"]
    return list(found[0].ContentSequence)


def evaluations(group):
    return {
        i.ConceptNameCodeSequence[0].CodeMeaning: i.ConceptCodeSequence[0].CodeMeaning
        for i in group.ContentSequence
        if i.ValueType == "CODE"
    }


def test_what_was_rejected_is_absent_and_no_finding():
    told = evaluations(next(g for g in groups(built(CASES["rejected, not final"])) if "Pleural" in str(g)))
    assert told["Pleural effusion"] == "Absent"
    assert told["Assessment of AI result"] == "Rejected"
    assert "Finding" not in told
    assert "Certainty of Finding" not in told


def test_a_finding_keeps_the_tracking_uid_of_the_engines_report():
    source = sources.cr()
    wanted = instance_uid(
        source_sop_uid=source.SOPInstanceUID, frame_number=1, engine=ENGINE, kind="tracking", key="effusion"
    )
    assert wanted in str(built(CASES["accepted"]))


def test_what_changed_since_the_prior_is_said_with_the_finding():
    since = PriorChange(
        change="increased", prior_study_instance_uid="2.25.5", prior_date="2025-03-01", prior_probability=0.3
    )
    told = groups(built(report([replace(finding(), change=since)])))
    words = [str(item.TextValue) for group in told for item in group.ContentSequence if item.ValueType == "TEXT"]
    assert any("Increased since 2025-03-01" in each and "accepted by Dr Ana Ruiz" in each for each in words)


def test_each_region_has_a_group_of_one_tracking_uid():
    found = [g for g in groups(built(CASES["two outlines"])) if "SCOORD" in str(g)]
    tracked = {i.UID for g in found for i in g.ContentSequence if i.ValueType == "UIDREF"}
    assert (len(found), len(tracked)) == (2, 1)


def test_the_same_decision_is_the_same_document():
    first, second = built(CASES["box"]), built(CASES["box"])
    assert first == second
    other = replace(CASES["box"], verification=replace(CASES["box"].verification, decision_id="ef" * 16))
    assert built(other).SOPInstanceUID != first.SOPInstanceUID


def test_a_result_that_nobody_decided_has_none():
    with pytest.raises(InvariantBroken) as raised:
        build_verified_report(engines_report(), Predecessors(reports=(), issue=0))
    assert raised.value.code == "not_signed"
