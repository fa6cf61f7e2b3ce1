"""Reports in files: FHIR JSON or NDJSON, HL7 version 2, one file or a folder of them; told apart by their content."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from radiolucent.errors import InputRefused
from radiolucent.ingest.fhir_reports import read_documents
from radiolucent.ingest.hl7_reports import read_oru
from radiolucent.records.reported import Reported

_HL7 = re.compile(rb"[\x0b\r\n]*(MSH|FHS|BHS)[^A-Za-z0-9\s]")
_FHIR = re.compile(rb"(\xef\xbb\xbf)?\s*[\[{]")
_LOOK = 64


def is_reports(path: Path) -> bool:
    """Whether this is a folder, or a file that begins as FHIR JSON or HL7 version 2 does."""
    if path.is_dir():
        return True
    try:
        with path.open("rb") as file:
            head = file.read(_LOOK)
    except OSError:
        return False
    return bool(_HL7.match(head) or _FHIR.match(head))


def read_reports(path: Path) -> Iterator[Reported]:
    """All reports of a file, or of the files of a folder by name.

    Raises
    ------
    InputRefused
        ``report_unreadable``, with the name of the file; whatever `read_oru` refuses.
    """
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    for file in files:
        content = file.read_bytes()
        if _HL7.match(content):
            yield from read_oru(content)
        elif _FHIR.match(content):
            yield from read_documents(_documents(content, file.name))
        else:
            raise _unreadable(file.name)


def _documents(content: bytes, name: str) -> Iterator[object]:
    """The documents of a file: one, a list of them, or one a line."""
    try:
        text = content.decode("utf-8-sig")
        try:
            whole = json.loads(text)
        except ValueError:
            yield from [json.loads(line) for line in text.splitlines() if line.strip()]
            return
    except (ValueError, RecursionError):
        raise _unreadable(name) from None
    yield from whole if isinstance(whole, list) else [whole]


def _unreadable(name: str) -> InputRefused:
    return InputRefused(
        "report_unreadable",
        found=f"{name}, which is neither FHIR JSON nor HL7 version 2",
        expected="bundles or resources in JSON or NDJSON, or ORU messages",
        action="Take the file out, or export it again.",
    )
