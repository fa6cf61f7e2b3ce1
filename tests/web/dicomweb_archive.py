"""An archive and a receiver in memory, and a real server on loopback, for tests."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import uvicorn
from starlette.applications import Starlette

from radiolucent.errors import InputRefused
from radiolucent.prepare.identity import identify, split_part10
from radiolucent.web.dicomweb.archive import InstanceRow, SeriesRow, StudyRow
from radiolucent.web.dicomweb.matching import select

IMPLEMENTATION = "1.2.826.0.1.3680043.10.1"


def encoded(ds) -> bytes:
    """Part 10 bytes of a dataset."""
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _value(header, tag, default=""):
    values = header.get(tag, {}).get("Value", [])
    first = values[0] if values else default
    return "=".join(first.values()) if isinstance(first, dict) else first


class MemoryArchive:
    """Both protocols; identifies an instance as the real door does."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.rows: dict[str, InstanceRow] = {}
        self.offered = []
        self.raises: Exception | None = None

    def add(self, ds) -> str:
        """Keep a dataset as it is; its SOP Instance UID."""
        data = encoded(ds)
        dataset, syntax = split_part10(data)
        self._keep(dataset, syntax)
        return str(ds.SOPInstanceUID)

    def keep(self, offered) -> None:
        self.offered.append(offered)
        if self.raises is not None:
            raise self.raises
        self._keep(offered.dataset, offered.transfer_syntax_uid)

    def _keep(self, dataset, syntax) -> None:
        made = identify(
            dataset,
            transfer_syntax_uid=syntax,
            calling_ae="TEST",
            peer="",
            implementation_class_uid=IMPLEMENTATION,
        )
        uid, data = made.received.sop_instance_uid, made.head + bytes(dataset)
        if self.files.setdefault(uid, data) != data:
            raise InputRefused("duplicate_uid", found="another", expected="one", action="No.")
        self.rows[uid] = row_of(made.received)

    def _studies(self):
        found = {}
        for row in self._instances():
            found.setdefault(row.series.study.study_instance_uid, row.series.study)
        return found.values()

    def _series(self):
        return {row.series.series_instance_uid: row.series for row in self._instances()}.values()

    def _instances(self):
        """Rows with the counts that only the whole archive knows."""
        out = []
        for row in self.rows.values():
            study_uid, series_uid = row.series.study.study_instance_uid, row.series.series_instance_uid
            peers = [r for r in self.rows.values() if r.series.study.study_instance_uid == study_uid]
            study = replace(
                row.series.study,
                modalities_in_study=tuple(sorted({r.series.modality for r in peers})),
                number_of_study_related_series=len({r.series.series_instance_uid for r in peers}),
                number_of_study_related_instances=len(peers),
            )
            count = sum(r.series.series_instance_uid == series_uid for r in peers)
            out.append(replace(row, series=replace(row.series, study=study, number_of_series_related_instances=count)))
        return out

    def find_studies(self, query):
        return select(self._studies(), query)

    def find_series(self, query):
        return select(self._series(), query)

    def find_instances(self, query):
        return select(self._instances(), query)

    def locate(self, study, series=None, instance=None, *, sight):
        return [
            row
            for row in self.rows.values()
            if row.series.study.study_instance_uid == study
            and series in (None, row.series.series_instance_uid)
            and instance in (None, row.sop_instance_uid)
        ]

    def open_instance(self, sop_instance_uid):
        try:
            return io.BytesIO(self.files[sop_instance_uid])
        except KeyError:
            raise FileNotFoundError from None


def row_of(received) -> InstanceRow:
    """The row of an identified instance, as the store would build it from the same two headers."""
    header = json.loads(received.study_header) | json.loads(received.instance_header)
    study = StudyRow(
        study_instance_uid=received.study_instance_uid,
        study_date=_value(header, "00080020"),
        study_time=_value(header, "00080030"),
        accession_number=received.accession_number,
        study_description=_value(header, "00081030"),
        referring_physician_name=_value(header, "00080090"),
        patient_name=_value(header, "00100010"),
        patient_id=received.patient.patient_id,
        patient_birth_date=received.patient.birth_date,
        patient_sex=received.patient.sex,
        study_id=_value(header, "00200010"),
    )
    series = SeriesRow(
        study=study,
        series_instance_uid=received.series_instance_uid,
        modality=_value(header, "00080060"),
        series_number=_value(header, "00200011", None),
        series_description=_value(header, "0008103E"),
        body_part_examined=_value(header, "00180015"),
    )
    return InstanceRow(
        series=series,
        sop_class_uid=received.sop_class_uid,
        sop_instance_uid=received.sop_instance_uid,
        transfer_syntax_uid=received.transfer_syntax_uid,
        instance_number=_value(header, "00200013", None),
        rows=_value(header, "00280010", None),
        columns=_value(header, "00280011", None),
        bits_allocated=_value(header, "00280100", None),
        number_of_frames=_value(header, "00280008", None),
    )


@contextmanager
def serving(app) -> Iterator[str]:
    """Address of a real server on an ephemeral port of loopback, until the block ends.

    ``app`` is an application, or a function that makes one for the address.
    """
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{door.getsockname()[1]}"
    app = app if isinstance(app, Starlette) else app(address)
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join(20)
        door.close()
    assert not thread.is_alive()
