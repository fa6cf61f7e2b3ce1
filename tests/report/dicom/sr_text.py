"""An SR tree as readable text, independent of the code that built it."""

from __future__ import annotations

from pydicom.dataset import Dataset


def tree(dataset: Dataset) -> str:
    """One line per content item: relationship, value type, concept and value; UIDs of references by class only."""
    lines: list[str] = []
    _write(dataset, 0, lines)
    return "\n".join(lines) + "\n"


def _write(item: Dataset, depth: int, lines: list[str]) -> None:
    concept = item.ConceptNameCodeSequence[0] if "ConceptNameCodeSequence" in item else None
    name = f"({concept.CodeValue}, {concept.CodingSchemeDesignator}, {concept.CodeMeaning})" if concept else "-"
    relation = item.get("RelationshipType", "root").lower()
    lines.append(f"{'  ' * depth}{relation} {item.ValueType} {name}{_value(item)}")
    for child in item.get("ContentSequence", []):
        _write(child, depth + 1, lines)


def _value(item: Dataset) -> str:
    match item.ValueType:
        case "CODE":
            code = item.ConceptCodeSequence[0]
            return f" = ({code.CodeValue}, {code.CodingSchemeDesignator}, {code.CodeMeaning})"
        case "NUM":
            measured = item.MeasuredValueSequence[0]
            return f" = {measured.NumericValue} {measured.MeasurementUnitsCodeSequence[0].CodeValue}"
        case "TEXT":
            return f" = {item.TextValue}"
        case "UIDREF":
            return " = <uid>"
        case "SCOORD":
            points = [f"{number:g}" for number in item.GraphicData]
            pairs = " ".join(f"({x},{y})" for x, y in zip(points[::2], points[1::2], strict=True))
            return f" = {item.GraphicType} {pairs}"
        case "IMAGE":
            reference = item.ReferencedSOPSequence[0]
            frame = f" frame {reference.ReferencedFrameNumber}" if "ReferencedFrameNumber" in reference else ""
            return f" -> {reference.ReferencedSOPClassUID.name}{frame}"
    return ""
