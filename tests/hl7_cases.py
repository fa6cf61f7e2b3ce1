"""HL7 messages and reports for tests; every name and number is made up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from radiolucent.records.engine import Code
from radiolucent.records.result import EngineRef, Reason
from radiolucent.records.study import InstanceRef, Order, Patient, StudyContext, StudyFinding, StudyReport

MARKER = "ZZMARKERNAME"


def er7(*lines: str) -> bytes:
    return "".join(f"{line}\r" for line in lines).encode()


def msh(kind: str, **fields: str) -> str:
    given = {"control": "MSG00001", "processing": "P", "version": "2.5.1", "accept": "", "application": "", "set": ""}
    given |= fields
    return "|".join(
        (
            "MSH",
            "^~\\&",
            *("RIS", "HOSPITAL", "RADIOLUCENT", "RADIOLOGY", "20250301101500", "", kind),
            *(given["control"], given["processing"], given["version"], "", ""),
            *(given["accept"], given["application"], "", given["set"]),
        )
    )


PID = f"PID|1||4711^^^HOSPITAL^MR~99^^^REGION^PI||{MARKER}^ANNA^B^JR^DR||19700102|F"
ORC = "ORC|NW|PL1^EHR|FI1^RIS||||1^^^20250301^^R"
OBR = (
    "OBR|1|PL1^EHR|FI1^RIS|36643-5^XR Chest 2 Views^LN||||||||||||||ACC1|RP1|SPS1|||||||1^^^^^S||||^Shortness of breath"
)
ZDS = "ZDS|1.2.3.4^100^Application^DICOM"


def orm(*, header: str | None = None, pid: str = PID, orc: str = ORC, obr: str = OBR, zds: str = ZDS) -> bytes:
    return er7(*(line for line in (header or msh("ORM^O01^ORM_O01"), pid, orc, obr, zds) if line))


def omi() -> bytes:
    return er7(
        msh("OMI^O23^OMI_O23", control="MSG00002"),
        PID,
        "ORC|NW|PL1^EHR|FI1^RIS",
        "TQ1|1||||||||S^Stat^HL70485",
        "OBR|1|PL1^EHR|FI1^RIS|CTHEAD^CT head^L||||||||||||||NOTTHIS|||||||||||||^Fall",
        "IPC|ACC2^RIS|RP1|1.2.3.5|SPS1|CT",
    )


def a08(pid: str = PID) -> bytes:
    return er7(msh("ADT^A08^ADT_A01", control="MSG00003"), "EVN|A08|20250301", pid, "PV1|1|I")


def a40(pid: str = PID, mrg: str = "MRG|88^^^REGION^PI~4712^^^HOSPITAL^MR||||||OLD^NAME") -> bytes:
    return er7(msh("ADT^A40^ADT_A39", control="MSG00004"), "EVN|A40|20250301", pid, mrg)


ENGINE = EngineRef(
    id="chest-film",
    title="Chest film",
    version="1.2.0",
    sha256="ab" * 32,
    device_uid="2.25.1234567890",
    method="class activation",
)
IMAGE = InstanceRef(
    sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1", sop_instance_uid="1.2.3.4.1.1", series_instance_uid="1.2.3.4.1"
)


def finding(key: str, display: str, code: str, probability: float, **changes: object) -> StudyFinding:
    base = StudyFinding(
        engine=ENGINE,
        key=key,
        display=display,
        code=Code(scheme="SCT", value=code, meaning=display),
        critical=probability >= 0.9,
        alert=probability >= 0.9,
        probability=probability,
        threshold=0.4,
        positive=probability >= 0.4,
        confidence="high" if probability >= 0.9 else "moderate",
        reasons=("evidence lies where it is expected",),
        flags=(),
        images=(IMAGE,),
        zone="left upper zone" if probability >= 0.4 else None,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


PNEUMOTHORAX = finding("pneumothorax", "Pneumothorax", "36118008", 0.93)
EFFUSION = finding("effusion", "Pleural effusion", "60046008", 0.55, flags=("age_not_stated",))
NODULE = finding("nodule", "Nodule", "27925004", 0.07)

CONTEXT = StudyContext(
    study_instance_uid="1.2.3.4",
    accession_number="ACC1",
    patient=Patient(
        patient_id="4711", issuer="HOSPITAL", name=f"{MARKER}^ANNA^B^DR^JR", birth_date="19700102", sex="F"
    ),
    started=datetime(2025, 3, 1, 10, 20, tzinfo=UTC),
    referring_physician="HOUSE^GREG",
    order=Order(
        accession_number="ACC1",
        placer_order_number="PL1",
        filler_order_number="FI1",
        priority="stat",
        reason="Shortness of breath",
        procedure=Code(scheme="LN", value="36643-5", meaning="XR Chest 2 Views"),
    ),
)

POSITIVE = StudyReport(
    report_id="5f0c1d2e",
    revision=1,
    state="preliminary",
    status="positive",
    context=CONTEXT,
    produced_at=datetime(2025, 3, 1, 10, 21, 5, tzinfo=UTC),
    software_version="0.3.0",
    engines=(ENGINE,),
    findings=(PNEUMOTHORAX, EFFUSION, NODULE),
    refusals=(),
    images=(IMAGE,),
    objects=(),
    impression="Pneumothorax likely (probability 0.93, high confidence). Also above threshold: effusion (0.55).",
    modality="DX",
)
NOTHING_FOUND = replace(
    POSITIVE,
    report_id="6f0c1d2e",
    status="nothing_found",
    findings=(NODULE,),
    impression="Processed by chest-film 1.2.0: no finding above its threshold.",
)
REFUSED = replace(
    POSITIVE,
    report_id="7f0c1d2e",
    status="refused",
    engines=(),
    findings=(),
    refusals=(
        Reason(code="no_engine", text="Found MG of BREAST; expected an installed engine. Read it without AI."),
        Reason(code="no_engine", text="Found MG of BREAST; expected an installed engine. Read it without AI."),
    ),
    impression="",
)
NOT_PROCESSED = replace(POSITIVE, report_id="8f0c1d2e", status="not_processed", engines=(), findings=(), impression="")
CORRECTED = replace(
    POSITIVE,
    report_id="9f0c1d2e",
    revision=2,
    state="corrected",
    replaces="5f0c1d2e",
    findings=(replace(EFFUSION, alert=True), PNEUMOTHORAX, NODULE),
)
RETRACTED = replace(
    POSITIVE,
    report_id="af0c1d2e",
    revision=3,
    state="retracted",
    replaces="9f0c1d2e",
    impression="The images were of another patient.",
)
REPORTS = {
    "positive": POSITIVE,
    "nothing_found": NOTHING_FOUND,
    "refused": REFUSED,
    "not_processed": NOT_PROCESSED,
    "corrected": CORRECTED,
    "retracted": RETRACTED,
}
