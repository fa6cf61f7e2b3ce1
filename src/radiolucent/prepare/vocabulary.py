"""Body parts and views in the words of the standard, out of codes and free text."""

from __future__ import annotations

import re

#: Body Part Examined, defined terms (PS3.16 Annex L, 2025c) that imaging of this kind meets.
_PARTS = (
    "ABDOMEN ABDOMENPELVIS ACJOINT ANKLE ARM BRAIN BREAST CALCANEUS CALF CERVIX CHEST CHESTABDOMEN CHESTABDPELVIS "
    "CLAVICLE COCCYX CSPINE CTSPINE EAR ELBOW EXTREMITY EYE FACE FEMUR FINGER FOOT FOREARM HAND HEAD HEADNECK HEART "
    "HIP HUMERUS JAW KIDNEY KNEE LEG LIVER LOWERARM LOWERLEG LSPINE LSSPINE LUNG MANDIBLE MAXILLA NECK "
    "NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE ORBIT PANCREAS PATELLA PELVIS RADIUS RADIUSULNA RIB SACRUM "
    "SCAPULA SCROTUM SHOULDER SIJOINT SINUS SKULL SPINE SPLEEN SSPINE STERNUM THIGH THORAX THUMB THYROID TIBIA "
    "TIBIAFIBULA FIBULA TLSPINE TOE TSPINE ULNA UPPERARM UPPERLEG WHOLEBODY WRIST ZYGOMA"
)
BODY_PARTS = frozenset(_PARTS.split())
_SELF_NAMED = (
    "ABDOMEN ANKLE BRAIN BREAST CALCANEUS CHEST CLAVICLE ELBOW FEMUR FINGER FOOT FOREARM HAND HEAD HIP "
    "HUMERUS KNEE MANDIBLE NECK ORBIT PATELLA PELVIS RADIUS SACRUM SCAPULA SHOULDER SINUS SKULL STERNUM "
    "THIGH THORAX THUMB TIBIA FIBULA TOE ULNA WRIST CSPINE TSPINE LSPINE LEG"
)
#: Words of descriptions and code meanings that name a body part; plurals are handled.
WORDS: dict[str, str] = {
    **{part: part for part in _SELF_NAMED.split()},
    "CXR": "CHEST",
    "LUNG": "CHEST",
    "RIB": "RIB",
    "THORACIC": "THORAX",
    "CEREBRAL": "BRAIN",
    "CRANIUM": "SKULL",
    "CRANIAL": "SKULL",
    "NEURO": "BRAIN",
    "FEET": "FOOT",
    "ABDOMINAL": "ABDOMEN",
    "KUB": "ABDOMEN",
}
#: ``FEET FIRST``, ``HEAD FIRST``: how the patient lies, not what is imaged.
_WORD = re.compile(r"[A-Z]+(?!\s*FIRST)(?![A-Z])")
_SPINE = re.compile(r"\b(C|T|L|CERVICAL|THORACIC|DORSAL|LUMBAR)[\s_-]*SPINE\b")

#: View Position (PS3.3 C.8.7.1, C.8.11.5) and habits of consoles, to one word each.
VIEW_POSITIONS = {
    "PA": "PA",
    "AP": "AP",
    "LL": "LL",
    "RL": "RL",
    "LAT": "LATERAL",
    "LATERAL": "LATERAL",
    "LLAT": "LL",
    "RLAT": "RL",
    "LLD": "LLD",
    "RLD": "RLD",
    "LLO": "LLO",
    "RLO": "RLO",
    "LAO": "LAO",
    "RAO": "RAO",
    "LPO": "LPO",
    "RPO": "RPO",
    "POSTEROANTERIOR": "PA",
    "POSTERO-ANTERIOR": "PA",
    "ANTEROPOSTERIOR": "AP",
    "ANTERO-POSTERIOR": "AP",
}
#: View Code Sequence, CID 4010 DX View: SNOMED CT and the SNOMED RT codes it replaced.
VIEW_CODES = {
    "272479007": "PA",
    "R-10214": "PA",
    "399348003": "AP",
    "R-10206": "AP",
    "399173006": "LL",
    "R-10236": "LL",
    "399198007": "RL",
    "R-10232": "RL",
    "399067008": "LATERAL",
    "R-10230": "LATERAL",
}
_VIEW_WORD = re.compile(r"(?<![A-Z])(P\.?A|A\.?P|LAT(?:ERAL|ERO)?)(?![A-Z])")


def body_part_in(text: str) -> str | None:
    """The first body part that free text names, as a defined term; never the text itself.

    Examples
    --------
    >>> body_part_in("XR Chest PA and lateral"), body_part_in("feet first"), body_part_in("Mr. Handley")
    ('CHEST', None, None)
    """
    upper = text.upper().replace("_", " ")
    spine = _SPINE.search(upper)
    if spine:
        return {"C": "CSPINE", "L": "LSPINE"}.get(spine[1][0], "TSPINE")
    for word in _WORD.findall(upper):
        for form in (word, word.removesuffix("S")):
            if form in WORDS:
                return WORDS[form]
    return None


def body_part_of(stated: str) -> str | None:
    """Body Part Examined as a defined term: itself, else what its words name."""
    token = re.sub(r"[\s_-]+", "", stated.upper())
    return token if token in BODY_PARTS else body_part_in(stated)


def view_in(text: str) -> str | None:
    """The view that free text names, ``None`` if it names none or several.

    Examples
    --------
    >>> view_in("W034 Chest LAT"), view_in("CHEST PA/LAT"), view_in("Map")
    ('LATERAL', None, None)
    """
    found = {word.replace(".", "") for word in _VIEW_WORD.findall(text.upper().replace("_", " "))}
    views = {"LATERAL" if word.startswith("LAT") else word for word in found}
    return views.pop() if len(views) == 1 else None
