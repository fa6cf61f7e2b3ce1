"""Records as JSON text and back, for columns that hold one whole."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter

from radiolucent.records.decision import Decision, Lease, Opinion
from radiolucent.records.study import Order, Patient, StudyReport

Record = TypeVar("Record", Order, Patient, StudyReport, Decision, Opinion, Lease)
_ADAPTERS: dict[type, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (Order, Patient, StudyReport, Decision, Opinion, Lease)
}


def to_text(record: Order | Patient | StudyReport | Decision | Opinion | Lease) -> str:
    """JSON of a record."""
    return _ADAPTERS[type(record)].dump_json(record).decode("utf-8")


def from_text(kind: type[Record], text: str) -> Record:
    """The record that `to_text` wrote."""
    found: Record = _ADAPTERS[kind].validate_json(text)
    return found
