"""From the last C-STORE response to all results stored in the PACS: urgent films, idle and under routine load."""

from __future__ import annotations

import copy
import itertools
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, evt

from benchmarks import servers, studies
from benchmarks.tables import Cell, Table
from radiolucent.phantoms import write_phantoms

REPORT = "1.2.840.10008.5.1.4.1.1.88.34"
PACS_TITLE, LONGEST_S = "PACS", 120.0
RULES = """
[[rules]]
name = "everything"
destinations = ["pacs"]
[[destinations]]
name = "pacs"
kind = "dimse"
host = "127.0.0.1"
port = {port}
ae_title = "PACS"
"""


@dataclass
class Pacs:
    """When the reports of each study came, and how many objects came."""

    at: dict[str, list[float]] = field(default_factory=dict)
    objects: int = 0
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def store(self, event: evt.Event) -> int:
        study = str(event.dataset.StudyInstanceUID)
        with self.arrived:
            self.objects += 1
            if str(event.request.AffectedSOPClassUID) == REPORT:  # sent last of all
                self.at.setdefault(study, []).append(time.perf_counter())
                self.arrived.notify_all()
        return 0

    def wait(self, study: str, *, reports: int) -> float:
        """When the last of a study's reports came."""
        with self.arrived:
            if not self.arrived.wait_for(lambda: len(self.at.get(study, ())) == reports, LONGEST_S):
                raise TimeoutError("no result came")
            return self.at[study][-1]


@contextmanager
def pacs() -> Iterator[tuple[Pacs, int]]:
    """A PACS in this process."""
    found = Pacs()
    ae = AE(ae_title=PACS_TITLE)
    ae.supported_contexts = AllStoragePresentationContexts
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, found.store)])
    try:
        yield found, server.server_address[1]
    finally:
        server.shutdown()


class Sender:
    """Sends copies of some datasets as new studies over one open association."""

    def __init__(self, port: int) -> None:
        self._ae = AE(ae_title="MODALITY")
        self._ae.requested_contexts = AllStoragePresentationContexts[:120]
        self._association = self._ae.associate("127.0.0.1", port)

    def study(self, images: list[Dataset], *, priority: str) -> tuple[str, float]:
        """One study, announced as complete: its UID, and when the last response came."""
        study, series = generate_uid(), generate_uid()
        for each in images:
            each.StudyInstanceUID, each.SeriesInstanceUID = study, series
            each.SOPInstanceUID = each.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            each.NumberOfStudyRelatedInstances, each.RequestedProcedurePriority = len(images), priority
            status = self._association.send_c_store(each)
            if status.get("Status") != 0:
                raise RuntimeError(f"not taken: {status}")
        return study, time.perf_counter()

    def close(self) -> None:
        """End the association."""
        self._association.release()


def kinds_of_phantoms(folder: Path) -> dict[str, list[Dataset]]:
    """A chest film and a bone film of realistic size, and a head CT stack."""
    write_phantoms(folder)
    kinds: dict[str, list[Dataset]] = {}
    for path in sorted(folder.rglob("*.dcm")):
        ds = dcmread(path)
        name = "head CT, 12 slices" if ds.Modality == "CT" else f"{ds.BodyPartExamined.lower()} film"
        kinds.setdefault(name, []).append(ds)
    return kinds


def _load(port: int, kinds: dict[str, list[Dataset]], ending: threading.Event, sent: list[str]) -> None:
    """Routine studies of all kinds in turn, so many that some always wait."""
    sender = Sender(port)
    copies = {name: copy.deepcopy(images) for name, images in kinds.items()}
    for name in itertools.cycle(copies):
        if ending.is_set():
            break
        sent.append(sender.study(copies[name], priority="ROUTINE")[0])
        ending.wait(0.4)
    sender.close()


def run(runs: int) -> list[Table]:
    """Every kind of study as an urgent one, idle and under load."""
    rows: list[tuple[Cell, ...]] = []
    with tempfile.TemporaryDirectory() as scratch, pacs() as (found, port):
        home, ours = Path(scratch) / "serve", servers.free_port()
        home.mkdir()
        kinds = kinds_of_phantoms(Path(scratch) / "phantoms")
        kinds["film, 2500 x 2048"] = [studies.large_film()]
        config = servers.settings(home, port=ours, _end=RULES.format(port=port))
        with servers.process(servers.radiolucent(config), home, port=ours) as server:
            sender = Sender(ours)
            for images in kinds.values():
                found.wait(sender.study(images, priority="STAT")[0], reports=len(images))
            for load in ("idle", "routine load"):
                ending, sent = threading.Event(), list[str]()
                started, before = time.perf_counter(), len(found.at)
                thread = threading.Thread(target=_load, args=(ours, kinds, ending, sent))
                if load != "idle":
                    thread.start()
                    time.sleep(5)
                for name, images in kinds.items():
                    times = [_one(found, sender, images) for _ in range(runs)]
                    rows.append((load, name, *(float(np.percentile(times, q)) for q in (50, 95)), max(times)))
                if load != "idle":
                    done = (len(found.at) - before) / (time.perf_counter() - started) * 3600
                    ending.set()
                    thread.join()
                    held, threads = servers.resident_mb(server)
            sender.close()
    return [_table(rows, runs, done, held, threads)]


def _one(found: Pacs, sender: Sender, images: list[Dataset]) -> float:
    study, at = sender.study(images, priority="STAT")
    return (found.wait(study, reports=len(images)) - at) * 1000


def _table(rows: list[tuple[Cell, ...]], runs: int, per_hour: float, held: float, threads: int) -> Table:
    return Table(
        title="Urgent studies: from the last C-STORE response to the last object in the PACS",
        columns=("load", "study", "median, ms", "p95, ms", "longest, ms"),
        rows=rows,
        notes=[
            f"{runs} studies of each kind, one after the other; four engines loaded; the number of images is "
            "announced, so no quiet time is in these figures. The PACS is a storage SCP in the measuring process, on "
            "the same cores.",
            f"Under load a routine study comes every 0.4 s beside them, more than can be read: {per_hour:.0f} studies "
            f"an hour were read and delivered in all, with {held:.0f} MB in {threads} threads at the end.",
        ],
    )
