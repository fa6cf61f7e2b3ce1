"""The report of a validation as PDF: the same page, laid out in sheets by its own style sheet."""

from __future__ import annotations

import io
import re

from radiolucent.cohort.needs import need

LINK = re.compile(r'<a href="[^"]*">(.*?)</a>', re.DOTALL)
CLOSED = "<details>"


PACKAGE, EXTRA = "plutoprint", "pdf"


def check_printing() -> None:
    """Whether a PDF can be made here, asked before anything is read.

    Raises
    ------
    SettingsError
        ``validate_extra`` without the package of ``radiolucent[pdf]``.
    """
    need(PACKAGE, extra=EXTRA)


def printed(page: str) -> bytes:
    """A report (`page.render`) as PDF, A4 across.

    Tables that the page keeps closed are open; links, which lead to patient images, are words.

    Raises
    ------
    SettingsError
        ``validate_extra``.
    """
    maker = need(PACKAGE, extra=EXTRA)
    book = maker.Book(media=maker.MEDIA_TYPE_PRINT)
    book.load_html(LINK.sub(r"\1", page).replace(CLOSED, "<details open>"))
    out = io.BytesIO()
    book.write_to_pdf_stream(out)
    return out.getvalue()
