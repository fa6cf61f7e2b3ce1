"""docs/openapi.json, of which the page's client is made, is what the code serves."""

from __future__ import annotations

import json
from pathlib import Path

from radiolucent.web.api.description import description

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_document_is_current() -> None:
    assert json.loads(DOCUMENT.read_text()) == description()


def test_every_refusal_is_json_of_one_form() -> None:
    for path in description()["paths"].values():
        for operation in path.values():
            for status in ("4XX", "5XX"):
                (kind,) = operation["responses"][status]["content"]
                assert kind == "application/json"
            assert not {"422", "default"} & set(operation["responses"])
