"""The coded concepts Radiolucent writes, and where each one stands.

Editions: DICOM PS3.16 2025a (read through the code dictionary of pydicom 3.0.2), SNOMED CT concepts as DICOM's own
context groups list them (the subset DICOM users may use without a licence), UCUM 2.1, LOINC 2.77. ``99IHE`` codes are
placeholders of the IHE AI Results (AIR) trial implementation, rev. 1.1 section 6.5.3.1.
"""

from __future__ import annotations

from radiolucent.records.engine import Code

DICOM_EDITION = "2025a"


def _dcm(value: str, meaning: str) -> Code:
    return Code(scheme="DCM", value=value, meaning=meaning)


def _sct(value: str, meaning: str) -> Code:
    return Code(scheme="SCT", value=value, meaning=meaning)


# Explanation: PS3.16 TID 1410 and TID 1411 (slot), CID 217 (what kind of map).
VISUAL_EXPLANATION = _dcm("130401", "Visual explanation")
CLASS_ACTIVATION = _dcm("130402", "Class activation")
GRADIENT_WEIGHTED_CLASS_ACTIVATION = _dcm("130403", "Gradient-weighted class activation")
SALIENCY = _dcm("130404", "Saliency")

# Measurement report: PS3.16 TID 1500, TID 1501, TID 1410, TID 4019.
IMAGING_MEASUREMENT_REPORT = _dcm("126000", "Imaging Measurement Report")
IMAGE_LIBRARY = _dcm("111028", "Image Library")
SOURCE = _sct("260753009", "Source")
IMAGE_LIBRARY_GROUP = _dcm("126200", "Image Library Group")
FINDING = _dcm("121071", "Finding")
IMPRESSION = _dcm("121073", "Impression")
COMMENT = _dcm("121106", "Comment")
PROBABILITY = _dcm("122157", "Probability")
CERTAINTY_OF_FINDING = _dcm("111012", "Certainty of Finding")
ALGORITHM_NAME = _dcm("111001", "Algorithm Name")
ALGORITHM_PARAMETERS = _dcm("111002", "Algorithm Parameters")
ALGORITHM_VERSION = _dcm("111003", "Algorithm Version")
ARTIFICIAL_INTELLIGENCE = _dcm("123110", "Artificial Intelligence")  # CID 7162

# "Processed, nothing found", "processed, found" and "not processed": PS3.16 CID 6047, taken from CAD (TID 4101).
PROCESSING_SUMMARY = _dcm("111017", "CAD Processing and Findings Summary")
SUCCEEDED_WITHOUT_FINDINGS = _dcm("111241", "All algorithms succeeded; without findings")
SUCCEEDED_WITH_FINDINGS = _dcm("111242", "All algorithms succeeded; with findings")
NOT_PROCESSED = _dcm("111245", "No algorithms succeeded; without findings")

# Presence: PS3.16 CID 240. High and low: CID 75; moderate: CID 6130.
PRESENT = _sct("52101004", "Present")
ABSENT = _sct("272519000", "Absent")
HIGH = _sct("75540009", "High")
MODERATE = _sct("6736007", "Moderate")
LOW = _sct("62482003", "Low")
CONFIDENCE = {"high": HIGH, "moderate": MODERATE, "low": LOW}

# Units: PS3.16 CID 82 (UCUM).
PERCENT = Code(scheme="UCUM", value="%", meaning="percent")
NO_UNITS = Code(scheme="UCUM", value="1", meaning="no units")

# Images derived from images: PS3.16 CID 7202, CID 7203, CID 7201; quantity: PS3.3 C.7.6.16.2.11.
QUANTITY = _sct("246205007", "Quantity")
SOURCE_IMAGE_FOR_PROCESSING = _dcm("121322", "Source image for image processing operation")
SEGMENTATION = _dcm("113076", "Segmentation")
MORPHOLOGICALLY_ABNORMAL_STRUCTURE = _sct("49755003", "Morphologically Abnormal Structure")  # CID 7150

# Equipment: PS3.16 CID 7005; IHE AIR asks for its own placeholder.
PROCESSING_EQUIPMENT = _dcm("109102", "Processing Equipment")
PROCESSING_ALGORITHM = Code(scheme="99IHE", value="Newcode1", meaning="Processing Algorithm")

# The imaging procedure (not the algorithm) reported on: PS3.16 CID 100.
IMAGING_PROCEDURE = _sct("363679005", "Imaging procedure")
_X_RAY = Code(scheme="LN", value="43468-8", meaning="XR unspecified body region")
PROCEDURE_BY_MODALITY = {
    "CR": _X_RAY,
    "DX": _X_RAY,
    "CT": Code(scheme="LN", value="25045-6", meaning="CT unspecified body region"),
    "MR": Code(scheme="LN", value="25056-3", meaning="MRI unspecified body region"),
}

# Body Part Examined (PS3.16 Annex L) to a coded region (CID 4); where it says nothing, the whole.
ENTIRE_BODY = _sct("38266002", "Entire body")
REGION_BY_BODY_PART = {
    "ABDOMEN": _sct("818981001", "Abdomen"),
    "BRAIN": _sct("12738006", "Brain"),
    "CHEST": _sct("816094009", "Chest"),
    "HAND": _sct("85562004", "Hand"),
    "HEAD": _sct("69536005", "Head"),
    "KNEE": _sct("72696002", "Knee"),
    "PELVIS": _sct("816092008", "Pelvis"),
    "SKULL": _sct("89546000", "Skull"),
}
