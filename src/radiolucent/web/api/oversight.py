"""How readers and engines agree, and the audit log, for whoever answers for quality."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from radiolucent.web.api.answers import AuditLines, Oversight, Verified, described
from radiolucent.web.api.caller import Caller, caller_of
from radiolucent.web.api.ports import Json, Meant, Overseeing

Calling = Annotated[Caller, Depends(caller_of)]
Word = Annotated[str, Query(max_length=128)]
COLUMNS = (
    *("engine", "version", "finding", "reader", "confidence", "n", "accepted", "modified", "rejected", "missed"),
    *("override_rate", "override_low", "override_high", "median_decision_s"),
    *("right", "right_agreed", "agreed_right", "agreed_right_low", "agreed_right_high"),
    *("wrong", "wrong_agreed", "agreed_wrong", "agreed_wrong_low", "agreed_wrong_high"),
    *("false_alarms", "false_alarms_agreed"),
)
SHARES = {"override_rate": "override", "agreed_right": "agreed_right", "agreed_wrong": "agreed_wrong"}
"""Columns that are an interval, and how the columns of its ends begin."""


class Csv(Response):
    """Comma-separated values (RFC 4180)."""

    media_type = "text/csv"


def meant(
    since: Annotated[date | None, Query(alias="from")] = None,
    until: Annotated[date | None, Query(alias="to")] = None,
    engine: Word = "",
    finding: Word = "",
    reader: Word = "",
) -> Meant:
    """The choice of decisions that a query makes."""
    return Meant(since=since, until=until, engine=engine, finding=finding, reader=reader)


Chosen = Annotated[Meant, Depends(meant)]


def router(desk: Overseeing) -> APIRouter:
    """``/oversight``, ``/oversight.csv``, ``/audit`` and ``/audit/verify``."""
    made = described()

    @made.get("/oversight", response_model=Oversight)
    def oversight(caller: Calling, wanted: Chosen) -> Json:
        """Decisions counted by finding, engine version, reader and confidence."""
        return desk.oversight(caller, wanted)

    @made.get("/oversight.csv", response_class=Csv)
    def oversight_csv(caller: Calling, wanted: Chosen) -> Response:
        """The same rows as comma-separated values (RFC 4180)."""
        headers = {"Content-Disposition": 'attachment; filename="oversight.csv"'}
        return Csv(_csv(desk.oversight(caller, wanted)), headers=headers)

    @made.get("/audit", response_model=AuditLines)
    def audit(
        caller: Calling,
        from_sequence: Annotated[int | None, Query(ge=1)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> Json:
        """Entries from a sequence number on, or the last ones; newest last."""
        return {"entries": desk.audit(caller, from_sequence, limit), "verified": None}

    @made.post("/audit/verify", response_model=Verified)
    def verify(caller: Calling) -> Json:
        """Check the whole chain against itself and the signed checkpoints."""
        return desk.verify(caller)

    return made


def _csv(meters: Json) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    for row in meters["rows"]:
        spread: dict[str, object] = {}
        for name, start in SHARES.items():
            spread[name], spread[f"{start}_low"], spread[f"{start}_high"] = row[name] or ("", "", "")
        writer.writerow({name: _inert(value) for name, value in ({**row, **spread}).items()})
    return text.getvalue()


def _inert(value: object) -> object:
    """A word that a spreadsheet would take for a formula is written as a word."""
    is_formula = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if is_formula else value
