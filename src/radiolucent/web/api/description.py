"""The OpenAPI document, of which the page's client is made.

``python -m radiolucent.web.api.description > docs/openapi.json`` writes it anew.
"""

from __future__ import annotations

import json
import sys
from typing import Any, cast

from radiolucent.web.api.answers import PROBLEMS
from radiolucent.web.api.app import routes
from radiolucent.web.api.ports import Access, Desks


class _Nobody:
    """Stands for everything behind the endpoints, which are described and not called."""

    oidc = None

    def __getattr__(self, name: str) -> _Nobody:
        return self


def description() -> dict[str, Any]:
    """The API below ``/api`` as OpenAPI 3.1."""
    nobody = _Nobody()
    made = routes(cast(Access, nobody), cast(Desks, nobody)).openapi()
    made["servers"] = [{"url": "/api"}]
    for operation in (each for path in made["paths"].values() for each in path.values()):
        for status in PROBLEMS:  # they are JSON where the answer is not
            refused = operation["responses"][status]
            refused["content"] = {"application/json": next(iter(refused["content"].values()))}
    return made


if __name__ == "__main__":
    sys.stdout.write(json.dumps(description(), indent=1) + "\n")
