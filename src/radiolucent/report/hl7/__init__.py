"""From a study report to an HL7 version 2 message; builds, never sends."""

from radiolucent.report.hl7.oru import Hl7Route, OruMessage, build_oru

__all__ = ["Hl7Route", "OruMessage", "build_oru"]
