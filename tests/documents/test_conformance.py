"""The conformance statement's tables are those of the code."""

from __future__ import annotations

from documents.conformance_tables import PAGE, filled


def test_the_page_is_current() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page) == page, "run `python tests/documents/conformance_tables.py`"
