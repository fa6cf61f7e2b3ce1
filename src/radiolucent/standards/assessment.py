"""Why a reader disagrees with a result: reason codes, each for the assessments that it fits.

The codes are ours (``99RADIOLUCENT``): the AI Results Assessment supplement of IHE asks for a reason and names no set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from radiolucent.records.engine import Code
from radiolucent.records.study import Assessment, Outcome

SCHEME = "99RADIOLUCENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason and where it may be given."""

    code: str
    display: str
    fits: frozenset[Assessment]

    @property
    def concept(self) -> Code:
        """As a coded concept."""
        return Code(scheme=SCHEME, value=self.code.upper()[:16], meaning=self.display)


def _reason(code: str, display: str, *fits: Assessment) -> Reason:
    return Reason(code=code, display=display, fits=frozenset(fits))


REASONS: Mapping[str, Reason] = {
    each.code: each
    for each in (
        _reason("agree", "Agrees with the images", "accepted"),
        _reason("agree_clinical", "Agrees with the clinical picture", "accepted"),
        _reason("not_there", "Nothing of the kind is there", "rejected"),
        _reason("normal_variant", "Normal anatomy or variant", "rejected"),
        _reason("artefact", "Artefact, marker, line or device", "rejected"),
        _reason("old_change", "Old or treated change, known before", "rejected"),
        _reason("poor_image", "The image is not good enough for it", "rejected"),
        _reason("other_patient", "Wrong patient, study or image", "rejected"),
        _reason("other_finding", "It is another finding", "modified"),
        _reason("other_place", "It is in another place", "modified"),
        _reason("other_extent", "It is larger or smaller", "modified"),
        _reason("other_certainty", "It is more or less certain", "modified"),
        _reason("other", "Other, see comment", "rejected", "modified"),
    )
}
"""By code."""

ASSESSMENT = Code(scheme=SCHEME, value="ASSESSMENT", meaning="Assessment of AI result")
ASSESSMENTS: Mapping[Assessment | Outcome, Code] = {
    "accepted": Code(scheme=SCHEME, value="ACCEPTED", meaning="Accepted"),
    "modified": Code(scheme=SCHEME, value="MODIFIED", meaning="Modified"),
    "rejected": Code(scheme=SCHEME, value="REJECTED", meaning="Rejected"),
    "supplemented": Code(scheme=SCHEME, value="SUPPLEMENTED", meaning="Supplemented"),
}
"""What a person says of a result, or of one finding."""
