"""A study report as FHIR R4 (4.0.1), and what our own read interface answers; pure, sends nothing.

The whole interface is specified in ``docs/fhir.md``.
"""

from radiolucent.report.fhir.bundle import build_bundle
from radiolucent.report.fhir.capability import capability_statement
from radiolucent.report.fhir.options import FhirOptions
from radiolucent.report.fhir.read import Answer, read, resources, search
from radiolucent.report.fhir.transparency import Carded, transparency_bundle

__all__ = [
    "Answer",
    "Carded",
    "FhirOptions",
    "build_bundle",
    "capability_statement",
    "read",
    "resources",
    "search",
    "transparency_bundle",
]
