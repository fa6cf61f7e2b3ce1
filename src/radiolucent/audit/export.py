"""The chain as a file that an auditor can verify without the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from radiolucent.errors import SettingsError
from radiolucent.records.audit import AuditEntry


def to_line(entry: AuditEntry) -> str:
    """An entry as one line of JSON, without a line end; ``text`` is byte for byte what is hashed."""
    fields = {
        "sequence": entry.sequence,
        "text": entry.text,
        "previous_sha256": entry.previous_sha256,
        "sha256": entry.sha256,
    }
    return json.dumps(fields, ensure_ascii=False)


def from_lines(lines: Iterable[str]) -> Iterator[AuditEntry]:
    """The entries of an exported file, as they stand there: whether they are sound, `chain.verify` says.

    Raises
    ------
    SettingsError
        ``audit_export`` for a line that is no exported entry; its number is named.
    """
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            sequence = fields.pop("sequence")
            if type(sequence) is not int or not all(isinstance(v, str) for v in fields.values()):
                raise TypeError
            yield AuditEntry(sequence=sequence, **fields)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise SettingsError(
                "audit_export",
                found=f"line {number}, which is no exported audit entry",
                expected="a file that `radiolucent audit export --format jsonl` wrote",
                action="Export the chain again.",
            ) from error
