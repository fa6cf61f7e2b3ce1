"""Radiolucent: diagnostic-imaging AI that a clinician can see through."""

__version__ = "0.3.0"
