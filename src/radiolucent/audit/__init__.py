"""Audit: an append-only hash chain of what happened, signed anchors outside it, and its ATNA and FHIR forms."""
