"""Records as JSON text and back, for columns that hold one whole."""

from __future__ import annotations

from typing import TypeVar

from pydantic import TypeAdapter

from radiolucent.records.study import Order, Patient, StudyReport

Record = TypeVar("Record", Order, Patient, StudyReport)


def to_text(record: Order | Patient | StudyReport) -> str:
    """JSON of a record."""
    return TypeAdapter(type(record)).dump_json(record).decode("utf-8")


def from_text(kind: type[Record], text: str) -> Record:
    """The record that `to_text` wrote."""
    return TypeAdapter(kind).validate_json(text)
