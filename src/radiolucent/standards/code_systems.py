"""Names of one code system in DICOM, HL7 version 2 and FHIR.

Sources: PS3.16 section 8 (designators), HL7 table 0396, FHIR R4 section 4.3 (URIs), their OIDs as both list them.
"""

from __future__ import annotations

from radiolucent.records.engine import Code

CODE_SYSTEMS = {
    "C4": "http://www.ama-assn.org/go/cpt",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "I10": "http://hl7.org/fhir/sid/icd-10",
    "I10C": "http://hl7.org/fhir/sid/icd-10-cm",
    "LN": "http://loinc.org",
    "RADLEX": "http://radlex.org",
    "SCT": "http://snomed.info/sct",
    "UCUM": "http://unitsofmeasure.org",
    "99RADIOLUCENT": "urn:radiolucent:code:finding",
}
"""URI by coding scheme designator."""
SCHEMES = {uri: scheme for scheme, uri in CODE_SYSTEMS.items()}
_OTHERS = {
    "2.16.840.1.113883.6.96": "SCT",
    "SNOMED": "SCT",
    "SNOMED-CT": "SCT",
    "SNOMEDCT": "SCT",
    "SNM": "SCT",
    "2.16.840.1.113883.6.256": "RADLEX",
    "RID": "RADLEX",
    "HTTP://WWW.RADLEX.ORG": "RADLEX",
    "HTTP://RADLEX.ORG/RID": "RADLEX",
    "2.16.840.1.113883.6.1": "LN",
    "LOINC": "LN",
    "1.2.840.10008.2.16.4": "DCM",
    "I10CM": "I10C",
    "ICD-10": "I10",
    "ICD-10-CM": "I10C",
    "2.16.840.1.113883.6.3": "I10",
    "2.16.840.1.113883.6.90": "I10C",
}

YES, NO = True, False
PRESENCE = {
    ("SCT", "52101004"): YES,  # Present (PS3.16 CID 240)
    ("SCT", "272519000"): NO,  # Absent (PS3.16 CID 240)
    ("SCT", "2667000"): NO,  # Absent
    ("SCT", "10828004"): YES,  # Positive
    ("SCT", "260385009"): NO,  # Negative
    ("SCT", "373066001"): YES,  # Yes
    ("SCT", "373067005"): NO,  # No
    ("LN", "LA9633-4"): YES,  # Present
    ("LN", "LA9634-2"): NO,  # Absent
    ("LN", "LA33-6"): YES,  # Yes
    ("LN", "LA32-8"): NO,  # No
    ("LN", "LA6576-8"): YES,  # Positive
    ("LN", "LA6577-6"): NO,  # Negative
    ("HL70136", "Y"): YES,  # HL7 table 0136
    ("HL70136", "N"): NO,
    ("HL70078", "POS"): YES,  # HL7 table 0078
    ("HL70078", "NEG"): NO,
}
"""Whether a code that stands as a value says that the thing asked for is there."""

RADLEX_OF = {
    "36118008": "RID5352",  # pneumothorax
    "60046008": "RID34539",  # pleural effusion
    "46621007": "RID28493",  # atelectasis
    "95436008": "RID43255",  # consolidation
    "233604007": "RID5350",  # pneumonia
    "19242006": "RID4866",  # pulmonary edema
    "87433001": "RID4799",  # pulmonary emphysema
    "427359005": "RID50149",  # pulmonary nodule
}
"""RadLex identifiers of findings that SNOMED CT names, as tables of chest findings for radiology reports list them."""


def scheme_of(said: str) -> str:
    """The designator of a system, whatever names it; one that is not known here keeps its own name."""
    plain = said.strip().removeprefix("urn:oid:")
    return SCHEMES.get(plain) or _OTHERS.get(plain.upper().rstrip("/")) or plain


def presence_of(codes: tuple[Code, ...]) -> bool | None:
    """Whether codes of one value say present or absent; ``None`` where they say neither."""
    return next((PRESENCE[key] for code in codes if (key := (code.scheme, code.value)) in PRESENCE), None)
