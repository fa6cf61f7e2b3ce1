"""The statements of conformance that ship with the software, as they stand in its documents."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

CONFORMANCE = ("conformance.md", "dicomweb.md", "hl7.md", "fhir.md")


def conformance() -> dict[str, bytes]:
    """The statements by name: out of an installed wheel, or out of a checkout."""
    inside = Path(str(resources.files("radiolucent"))) / "shipped_documents"
    folder = inside if inside.is_dir() else Path(__file__).resolve().parents[4] / "docs"
    return {name: (folder / name).read_bytes() for name in CONFORMANCE}
