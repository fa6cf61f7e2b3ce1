"""Code systems and identifier systems, each with where its URI is laid down.

Sources: FHIR R4 section 4.3 (external code systems), HL7 Terminology (THO), FHIR R4 Identifier (``urn:dicom:uid``).
Systems that begin with ``urn:radiolucent:`` are our own; ``docs/fhir.md`` lists their codes.
"""

from __future__ import annotations

from radiolucent.records.engine import Code
from radiolucent.standards.code_systems import CODE_SYSTEMS as CODE_SYSTEMS

_THO = "http://terminology.hl7.org/CodeSystem"
DICOM_UID = "urn:dicom:uid"
URI = "urn:ietf:rfc:3986"
IDENTIFIER_TYPE = f"{_THO}/v2-0203"
DIAGNOSTIC_SERVICE = f"{_THO}/v2-0074"
OBSERVATION_CATEGORY = f"{_THO}/observation-category"
INTERPRETATION = f"{_THO}/v3-ObservationInterpretation"
OBSERVATION_VALUE = f"{_THO}/v3-ObservationValue"
DATA_ABSENT = f"{_THO}/data-absent-reason"
DATA_OPERATION = f"{_THO}/v3-DataOperation"
PARTICIPANT_TYPE = f"{_THO}/provenance-participant-type"
MEDIA_TYPE = f"{_THO}/media-type"
_AI = "http://hl7.org/fhir/uv/aitransparency"
AI_DEVICE_TYPE = f"{_AI}/CodeSystem/AIdeviceTypeCS"
AI_INPUTS = f"{_AI}/CodeSystem/AIinputsCS"
AI_DEVICE = f"{_AI}/StructureDefinition/AI-Device"
AI_MODEL_CARD = f"{_AI}/StructureDefinition/AI-ModelCard"
AI_KIND = f"{_AI}/StructureDefinition/aitransparency.AIKind"
MODEL_CARD_OF = f"{_AI}/StructureDefinition/aitransparency.modelCardDescription"
NAME_REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
ALTERNATE_REFERENCE = "http://hl7.org/fhir/StructureDefinition/alternate-reference"
IMAGING_SELECTION = "urn:radiolucent:extension:imaging-selection"
"""Elements of R5 ImagingSelection on an R4 Media, under their R5 names. HL7's own cross-version extension of it may
stand on Basic alone, which nobody shows."""

PATIENT = "urn:radiolucent:id:patient"
STUDY_REPORT = "urn:radiolucent:id:study-report"
REPORT_REVISION = "urn:radiolucent:id:report-revision"
FINDING = "urn:radiolucent:id:finding"
IMAGE = "urn:radiolucent:id:image"
DEVICE = "urn:radiolucent:id:device"
MODEL_CARD = "urn:radiolucent:id:model-card"
ACCOUNT = "urn:radiolucent:id:account"
STATED = "urn:radiolucent:id:stated-finding"
STUDY_STATUS = "urn:radiolucent:code:study-status"
REFUSAL = "urn:radiolucent:code:refusal"
COMPONENT = "urn:radiolucent:code:component"
REVISION = "urn:radiolucent:code:revision"

# LOINC 2.77, for a study whose modality says nothing.
DIAGNOSTIC_IMAGING = Code(scheme="LN", value="18748-4", meaning="Diagnostic imaging study")
# PS3.16 CID 6047: some images were read and others were not.
PARTLY_WITHOUT_FINDINGS = Code(scheme="DCM", value="111243", meaning="Not all algorithms succeeded; without findings")
PARTLY_WITH_FINDINGS = Code(scheme="DCM", value="111244", meaning="Not all algorithms succeeded; with findings")

MODALITY_BY_CLASS = {
    "1.2.840.10008.5.1.4.1.1.1": "CR",
    "1.2.840.10008.5.1.4.1.1.1.1": "DX",
    "1.2.840.10008.5.1.4.1.1.1.1.1": "DX",
    "1.2.840.10008.5.1.4.1.1.1.2": "MG",
    "1.2.840.10008.5.1.4.1.1.1.2.1": "MG",
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
}
"""Modality by SOP Class (PS3.4 table B.5-1), where the class leaves no choice."""
