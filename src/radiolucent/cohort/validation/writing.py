"""What a validation leaves: ``validation.json``, ``atlas.npz``, ``report.html``, ``cases.html``."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from radiolucent.cohort.package import plain
from radiolucent.cohort.validation.atlas import maps_of_all
from radiolucent.cohort.validation.cases import Cases, sections
from radiolucent.cohort.validation.page import render, render_cases
from radiolucent.cohort.validation.page_probes import CASES
from radiolucent.cohort.validation.printing import printed
from radiolucent.cohort.validation.records import SCHEMA, Validation
from radiolucent.cohort.validation.validate import Found
from radiolucent.deliver.folder import write_bytes

REPORT, PRINTED, FIGURES, ATLAS = "report.html", "report.pdf", "validation.json", "atlas.npz"


def dumps(found: Validation) -> str:
    """All figures as JSON; an interval is ``{value, low, high}``, what cannot be said is null."""
    document = plain(found)
    assert isinstance(document, dict)
    return json.dumps({"schema": SCHEMA, **document}, indent=1, allow_nan=False) + "\n"


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `dumps`, made from the records; every number may be null."""
    made = TypeAdapter(Validation).json_schema(mode="serialization")
    made = _nullable(made)
    made["properties"] = {"schema": {"const": SCHEMA}, **made["properties"]}
    made["required"] = ["schema", *made["required"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA, **made}


def _nullable(node: Any) -> Any:
    if isinstance(node, dict):
        out = {name: _nullable(value) for name, value in node.items() if name != "default"}
        if out.get("type") == "number":
            out["type"] = ["number", "null"]
        if str(out.get("$ref", "")).endswith("/Interval"):
            return {"anyOf": [out, {"type": "null"}]}
        return out
    return [_nullable(item) for item in node] if isinstance(node, list) else node


def write(found: Found, out: Path, *, with_pdf: bool = False) -> None:
    """Write everything into ``out``; each file is replaced whole.

    Raises
    ------
    SettingsError
        ``validate_extra`` where a PDF is wanted without the package that makes it.
    """
    spec = found.engine.spec
    names = {f.key: f.display for f in spec.findings} | {d.key: d.display for d in spec.derived}
    write_bytes(out / FIGURES, dumps(found.validation).encode("utf-8"))
    buffer = io.BytesIO()
    strata = np.array([f"{s.by}={s.value}" for s in found.strata])
    keys = np.array([f.key for f in spec.findings])
    np.savez_compressed(buffer, maps=found.maps, bodies=found.bodies, strata=strata, findings=keys)
    write_bytes(out / ATLAS, buffer.getvalue())
    reference = None
    if found.reference is not None:
        reference = maps_of_all(found.reference, [f.threshold for f in spec.findings])
    page = render(found.validation, names, found.strata, found.maps, found.bodies, reference)
    write_bytes(out / REPORT, page.encode("utf-8"))
    if with_pdf:
        write_bytes(out / PRINTED, printed(page))
    shifted = () if found.validation.shift is None else found.validation.shift.cells
    drawn, cells = Cases(found.observed, found.engine), (*shifted, *found.validation.atlas)
    cases = list(sections(drawn, cells, found.validation.failures, names))
    write_bytes(out / CASES, render_cases(cases, "Cases behind the report").encode("utf-8"))


if __name__ == "__main__":
    Path(__file__).with_name("validation.schema.json").write_text(json.dumps(json_schema(), indent=1) + "\n")
