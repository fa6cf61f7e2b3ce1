"""The groups of patients and machines that a cohort is cut into: what header and table say of each image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radiolucent.cohort.truth import STATED, Case
from radiolucent.records.image import ImageFacts

BANDS = ((3, "0 to 2"), (13, "3 to 12"), (18, "13 to 17"), (30, "18 to 29"))
OLDEST = 80
NOT_STATED = "not stated"
AGE_BANDS = (
    *(name for _, name in BANDS),
    *(f"{decade} to {decade + 9}" for decade in range(30, OLDEST, 10)),
    f"{OLDEST} and over",
    NOT_STATED,
)
"""In order."""
PLAIN = {
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "institution": "InstitutionName",
}
"""By the name of the stratum: a text element of the header (PS3.3 C.7.5.1)."""
ROUNDED = {
    "field_strength_t": ("MagneticFieldStrength", 0.5),
    "kvp": ("KVP", 10.0),
    "slice_thickness_mm": ("SliceThickness", 1.0),
}
"""By the name of the stratum: a number of the header and the step it is rounded to."""
WORDED = ("SeriesDescription", "ProtocolName")
PORTABLE = ("PORT", "BED", "MOBILE")


def age_band(years: float | None) -> str:
    """The band of an age in years: children in three, adults by decade.

    Examples
    --------
    >>> age_band(2.5), age_band(17.9), age_band(44), age_band(93), age_band(None)
    ('0 to 2', '13 to 17', '40 to 49', '80 and over', 'not stated')
    """
    if years is None:
        return NOT_STATED
    for below, name in BANDS:
        if years < below:
            return name
    decade = int(years // 10) * 10
    return f"{OLDEST} and over" if decade >= OLDEST else f"{decade} to {decade + 9}"


def age_of(case: Case, facts: ImageFacts) -> float | None:
    """Age in years, as the table states it, else as the header does."""
    stated = case.subgroups.get("age_years", "")
    try:
        return float(stated) if stated else facts.age_years
    except ValueError:
        return facts.age_years


def strata(case: Case, facts: ImageFacts, header: Mapping[str, Any]) -> dict[str, str]:
    """The value of every stratum that is known of an image.

    Parameters
    ----------
    header
        Elements by keyword, as text; empty for a picture.
    """
    found = {
        "age_band": age_band(age_of(case, facts)),
        "sex": case.subgroups.get("sex") or facts.sex or NOT_STATED,
        "view": case.subgroups.get("view") or facts.view or NOT_STATED,
        "source": case.source or NOT_STATED,
    }
    if header:
        found |= {name: str(header.get(keyword) or "").strip() or NOT_STATED for name, keyword in PLAIN.items()}
        found |= {name: _rounded(header.get(keyword), step) for name, (keyword, step) in ROUNDED.items()}
        words = f"{header.get('SeriesDescription') or ''} {header.get('ProtocolName') or ''}".upper()
        found["portable"] = "yes" if any(word in words for word in PORTABLE) else "not said"
    return found | {name: value or NOT_STATED for name, value in case.subgroups.items() if name not in STATED}


def _rounded(value: object, step: float) -> str:
    try:
        number = float(str(value))
    except ValueError:
        return NOT_STATED
    return f"{round(number / step) * step:g}"
