"""The composition root: puts the rooms together."""

from radiolucent.wiring.analysis import (
    analyzer,
    check,
    demo_studies,
    evaluate,
    import_engine,
    phantoms,
    registry,
    spec_of,
    validate,
)

__all__ = [
    "analyzer",
    "check",
    "demo_studies",
    "evaluate",
    "import_engine",
    "phantoms",
    "registry",
    "spec_of",
    "validate",
]
