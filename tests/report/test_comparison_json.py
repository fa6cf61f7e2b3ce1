"""A comparison as JSON keeps its schema, and its page names every field."""

from __future__ import annotations

import math
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from report.report_cases import ENGINE, FACTS

from radiolucent.errors import InvariantBroken
from radiolucent.records.comparison import Comparison, Figures, FindingChange, Margins, Registration
from radiolucent.report.comparison_json import comparison_json, comparison_schema

DOCS = Path(__file__).parents[2] / "docs" / "result-schema.md"


def comparison(*, comparable: bool = True, logit: float = 1.0) -> Comparison:
    change = FindingChange(
        key="mass",
        display="Mass",
        change="increased",
        prior_probability=0.5,
        current_probability=0.75,
        prior_positive=np.bool_(True),  # type: ignore[arg-type]
        current_positive=True,
        figures=Figures(logit_change=logit, prior_area=np.float32(0.1)),  # type: ignore[arg-type]
        reasons=("because",),
    )
    return Comparison(
        comparable=comparable,
        prior=FACTS,
        current=FACTS,
        engine=ENGINE if comparable else None,
        registration=Registration(by="picture", row_scale=1.0, column_scale=1.0) if comparable else None,
        margins=Margins(area=1.5, evidence=1.5, logit=1.0, measured_on="e 1"),
        changes=(change,) if comparable else (),
        reasons=("so",),
    )


def _objects(node: object) -> list[dict]:
    if isinstance(node, dict):
        own = [node] if "properties" in node and node.get("type") == "object" else []
        return own + [found for child in node.values() for found in _objects(child)]
    return [found for child in node for found in _objects(child)] if isinstance(node, list) else []


def test_a_comparison_keeps_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(comparison_schema())
    validator = jsonschema.Draft202012Validator(comparison_schema())
    document = comparison_json(comparison())
    validator.validate(document)
    assert document["findings"][0]["probability_change"] == 0.25
    validator.validate(comparison_json(comparison(comparable=False)))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document | {"comparable": False})


def test_every_property_is_required_closed_described_and_documented() -> None:
    page = DOCS.read_text("utf-8")
    nodes = _objects(comparison_schema())
    assert len(nodes) == 6
    for node in nodes:
        assert node["additionalProperties"] is False
        assert sorted(node["required"]) == sorted(node["properties"])
        for name, what in node["properties"].items():
            assert what["description"]
            assert f"| `{name}` |" in page


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InvariantBroken) as caught:
        comparison_json(comparison(logit=math.nan))
    assert caught.value.code == "result_not_finite"
