"""Structured log: one JSON object a line, without patient data.

Only our own loggers' fields are written, and of them only names on a list: no message of a library, no exception text
reaches the log, because both may quote a header. What a library says is counted by its logger's name.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

OURS = "radiolucent"
FIELDS = frozenset(
    {
        *("study", "revision", "state", "status", "code", "step", "engine", "version", "destination", "delivery"),
        *("ms", "count", "attempt", "port", "worker", "signal", "kind", "free_mb", "rule", "priority", "bytes"),
    }
)
"""Fields that may stand in a log line. ``study`` is our own random key of a study, never its UID."""


class Lines(logging.Formatter):
    """One JSON object a line: time, level, event, and the fields on the list."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record; of a library's record only its origin."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {"at": at, "level": record.levelname.lower()}
        if record.name.split(".")[0] == OURS:
            line |= {"event": record.msg, **{k: v for k, v in record.__dict__.items() if k in FIELDS}}
        else:
            line |= {"event": "library", "logger": record.name}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, default=str)


def start(level: str = "info", stream: TextIO | None = None) -> None:
    """Send the log to a stream (standard error by default); libraries from warnings on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(level.upper())


def event(
    logger: logging.Logger, name: str, *, level: int = logging.INFO, error: bool = False, **fields: object
) -> None:
    """Log an event by its name; ``error`` adds the type of the exception being handled.

    Raises
    ------
    ValueError
        A field that is not on the list: whoever adds one must be sure that it holds no patient data.
    """
    unknown = fields.keys() - FIELDS
    if unknown:
        raise ValueError(f"fields that may not be logged: {', '.join(sorted(unknown))}")
    logger.log(level, name, extra=fields, exc_info=error)
