"""A store with its journal and blobs, and what tests of the pipeline put into it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian

from radiolucent.audit.canonical import parse
from radiolucent.pipeline.faults import Faults
from radiolucent.pipeline.journal import Journal
from radiolucent.pipeline.receiving import Intake
from radiolucent.records.audit import AuditEvent
from radiolucent.records.door import Offered
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID
from radiolucent.store.blobs import Blobs
from radiolucent.store.database import Database

QUIET_S = 5.0


@dataclass
class Clock:
    """Goes only when told to."""

    now: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Counts:
    """What a meter would count."""

    sizes: list[int] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)

    def received(self, size_bytes: int) -> None:
        self.sizes.append(size_bytes)

    def refused(self, code: str) -> None:
        self.codes.append(code)


@dataclass
class House:
    """The store of an installation, and its door."""

    root: Path
    clock: Clock = field(default_factory=Clock)
    counts: Counts = field(default_factory=Counts)
    due: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = Database(f"sqlite:///{self.root / 'store.sqlite'}")
        self.journal = Journal(self.database, clock=self.clock)
        self.blobs = Blobs(self.root, reserve_bytes=0)

    def intake(
        self, *, faults: Faults | None = None, most_bytes: int = 2**20, sites: Mapping[str, str] | None = None
    ) -> Intake:
        return Intake(
            self.journal,
            self.blobs,
            self.counts,
            faults or Faults(),
            quiet_s=QUIET_S,
            most_bytes=most_bytes,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            sites=sites,
            on_due=lambda: self.due.append(1),
        )

    def events(self) -> list[AuditEvent]:
        assert self.journal.log.verify().verified
        return [parse(entry.text) for entry in self.journal.log.entries()]

    def files(self) -> list[str]:
        found = (p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file())
        return sorted(name for name in found if "sqlite" not in name)

    def close(self) -> None:
        self.database.close()


class Breaks(Faults):
    """Something goes wrong at a named point."""

    def __init__(self, point: str, error: Callable[[], Exception]) -> None:
        self._point, self._error = point, error

    def at(self, point: str) -> None:
        if point == self._point:
            raise self._error()


def offered(source: Dataset, **changes: object) -> Offered:
    out = io.BytesIO()
    file = DicomIO(out)
    file.is_implicit_VR, file.is_little_endian = False, True
    write_dataset(file, source)
    given: dict[str, object] = {
        "dataset": out.getvalue(),
        "transfer_syntax_uid": str(ExplicitVRLittleEndian),
        "sender": "MODALITY",
        "peer": "10.0.0.7",
    }
    return Offered(**{**given, **changes})  # type: ignore[arg-type]
