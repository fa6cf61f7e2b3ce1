"""Study reports to write as FHIR: every outcome and state."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from fhir.resources.R4B import get_fhir_model_class

from radiolucent.records.engine import Code
from radiolucent.records.result import EngineRef, Reason
from radiolucent.records.study import InstanceRef, Order, Patient, StudyContext, StudyFinding, StudyReport
from radiolucent.report.fhir import FhirOptions

STUDY, SERIES = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.1.1"
DX, SC = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.7"
ENGINE = EngineRef(
    id="chest-film", title="Chest film", version="1.2.0", sha256="ab" * 32, device_uid="2.25.7", method="Grad-CAM"
)
OPTIONS = FhirOptions(
    patient_system="https://hospital.example.org/patient-id",
    accession_system="https://hospital.example.org/accession",
    order_system="https://hospital.example.org/order",
    wado_url="https://pacs.example.org/dicom-web",
    software_device_uid="2.25.8",
)
PATIENT = Patient(
    patient_id="PID-4711", issuer="HOSPITAL", name="Müller-O'Hara^Ana^Maria^Dr.", birth_date="19610229", sex="F"
)
ORDER = Order(
    accession_number="A-2024-1",
    placer_order_number="P-9",
    priority="stat",
    reason="Chest pain",
    procedure=Code(scheme="LN", value="36643-5", meaning="XR Chest 2 Views"),
)
CONTEXT = StudyContext(
    study_instance_uid=STUDY,
    accession_number="A-2024-1",
    patient=PATIENT,
    started=datetime(2024, 5, 17, 9, 30, tzinfo=timezone(timedelta(hours=2))),
    description="Thorax p.a.",
    referring_physician="Weber^Jo",
    order=ORDER,
)


def image(number: int, *, frame: int = 1, series: str = SERIES, sop_class: str = DX) -> InstanceRef:
    return InstanceRef(
        sop_class_uid=sop_class, sop_instance_uid=f"{series}.{number}", series_instance_uid=series, frame_number=frame
    )


def finding(key: str = "pneumothorax", *, positive: bool = True, **changes: Any) -> StudyFinding:
    base = StudyFinding(
        engine=ENGINE,
        key=key,
        display=key.capitalize(),
        code=Code(scheme="SCT", value="36118008", meaning="Pneumothorax"),
        critical=True,
        alert=positive,
        probability=0.8125 if positive else 0.03125,
        threshold=0.375,
        positive=positive,
        confidence="high",
        reasons=("far above its threshold",) if positive else (),
        flags=("near_image_edge",) if positive else (),
        images=(image(1),),
        zone="left upper zone" if positive else None,
        in_expected_region=0.9375 if positive else None,
        explanation=image(1, series="2.25.99", sop_class=SC) if positive else None,
    )
    return replace(base, **changes)


def report(**changes: Any) -> StudyReport:
    base = StudyReport(
        report_id="0123456789abcdef0123456789abcdef",
        revision=1,
        state="preliminary",
        status="positive",
        context=CONTEXT,
        produced_at=datetime(2024, 5, 17, 8, 0, 5, 250_000, tzinfo=UTC),
        software_version="0.3.0",
        engines=(ENGINE,),
        findings=(
            finding(),
            finding("effusion", positive=False, code=Code(scheme="SCT", value="60046008", meaning="Pleural effusion")),
        ),
        refusals=(),
        images=(image(1), image(2)),
        objects=(),
        impression="Pneumothorax likely (probability 0.81, high confidence), most evidence in the left upper zone.",
        modality="DX",
    )
    return replace(base, **changes)


def nothing_found() -> StudyReport:
    return report(
        report_id="n" * 32,
        status="nothing_found",
        findings=(finding(positive=False),),
        impression="Processed by chest-film 1.2.0: no finding above its threshold.",
    )


def refused() -> StudyReport:
    reason = Reason(code="wrong_view", text="Found a lateral view; expected a frontal one. Send the frontal film.")
    return report(
        report_id="r" * 32, status="refused", engines=(), findings=(), refusals=(reason,), impression=reason.text
    )


def not_processed() -> StudyReport:
    reason = Reason(code="reader_timeout", text="The reader ran out of time.")
    return report(
        report_id="p" * 32, status="not_processed", engines=(), findings=(), refusals=(reason,), impression="x"
    )


def corrected() -> StudyReport:
    """The pneumothorax is gone; the effusion has come."""
    return report(
        report_id="c" * 32,
        revision=2,
        state="corrected",
        replaces=report().report_id,
        findings=(finding("effusion"),),
        impression="Effusion likely.",
    )


def retracted() -> StudyReport:
    return report(report_id="t" * 32, revision=2, state="retracted", replaces=report().report_id)


def bare() -> StudyReport:
    """A report that knows as little as a report can."""
    return report(
        context=StudyContext(study_instance_uid=STUDY, accession_number="", patient=Patient(patient_id="")),
        modality="",
        findings=(finding(explanation=None, images=(), zone=None, in_expected_region=None),),
        impression="",
    )


EVERY = {
    "positive": report,
    "nothing_found": nothing_found,
    "refused": refused,
    "not_processed": not_processed,
    "corrected": corrected,
    "retracted": retracted,
    "bare": bare,
}


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


def only(bundle: dict[str, Any], kind: str) -> dict[str, Any]:
    found = resources(bundle, kind)
    assert len(found) == 1
    return found[0]


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield name, item
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def _moments(value: Any) -> Any:
    """Times as moments: the models write the same moment in another spelling."""
    if isinstance(value, dict):
        return {name: _moments(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_moments(item) for item in value]
    is_moment = isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\S+", value)
    return datetime.fromisoformat(value) if is_moment else value


def check_legal(resource: dict[str, Any]) -> None:
    """Parse as R4B, write again, compare; then what R4B has and R4 has not.

    Of the resource types used here, R4 (4.0.1) and R4B (4.3.0) have the same elements, compared class by class with
    models generated from either. They differ in what an extension may hold (R4B adds CodeableReference and RatioRange)
    and in the versions that a CapabilityStatement may name.
    """
    model = get_fhir_model_class(resource["resourceType"])
    again = json.loads(model.model_validate(resource).model_dump_json())
    assert _moments(again) == _moments(json.loads(json.dumps(resource)))
    for name, value in walk(resource):
        assert name not in ("valueCodeableReference", "valueRatioRange")
        assert value not in (None, "", [], {}), name
        if name == "fhirVersion":
            assert value == "4.0.1"
