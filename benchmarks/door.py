"""What an image costs at our DICOM door, step by step: the protocol, header and hash, the synced file, and `serve`.

A step's receiver is a process of its own (``python -m benchmarks.door STEP PORT FOLDER``).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import servers
from benchmarks.receiving import MEMORY, WIDE, Receiver, slices
from benchmarks.tables import Cell, Table
from radiolucent.ingest.callers import callers
from radiolucent.ingest.dicom_server import DicomServer, Doors
from radiolucent.prepare.identity import Identified, identify_offered
from radiolucent.records.door import Offered
from radiolucent.settings import Dicom
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID
from radiolucent.store.blobs import Blobs

PROTOCOL, HEADER, FILE, ALL = "the protocol alone", "and header and hash", "and the synced file", "radiolucent serve"
STEPS = {"protocol": PROTOCOL, "header": HEADER, "file": FILE}


def run(runs: int) -> list[Table]:
    """CT slices over one association and over eight."""
    if servers.dcmtk("storescu") is None:
        print("door: skipped, needs the Debian package dcmtk\n")
        return []
    rows: list[tuple[Cell, ...]] = []
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as inbox:
        for wide in (1, WIDE):
            files = slices(Path(inbox) / str(wide), folders=wide)
            for step in (*STEPS, ALL):
                home = Path(tempfile.mkdtemp())
                port = servers.free_port()
                if step == ALL:
                    rest = {"reader": "enabled = false", "completion": "quiet_s = 3600"}
                    command = servers.radiolucent(servers.settings(home, port=port, **rest))
                else:
                    command = [sys.executable, "-m", "benchmarks.door", step, port, home]
                with servers.process(command, home, port=port) as process:
                    receiver = Receiver(port=port, storage=home, process=process)
                    for _ in range(runs + 1):
                        files.renew()
                        receiver.take(files)
                spent = float(np.median(receiver.processor_s[1:])) / files.count * 1000
                rows.append((wide, STEPS.get(step, ALL), spent))
                shutil.rmtree(home)
    columns = ("associations", "what is done", "processor ms per slice")
    return [Table(title="A CT slice of 0.5 MB at the door", columns=columns, rows=rows)]


def serve(step: str, port: int, folder: Path) -> None:
    """A door that does so much and no more, until the process is ended."""
    blobs = Blobs(folder / "kept", reserve_bytes=0)

    def header(offered: Offered) -> Identified:
        return identify_offered(offered, implementation_class_uid=IMPLEMENTATION_CLASS_UID)

    def file(offered: Offered) -> None:
        found = header(offered)
        blobs.put(found.received.sha256, (found.head, offered.dataset))

    keeps: dict[str, Callable[[Offered], object]] = {"protocol": lambda _: None, "header": header, "file": file}

    def keep(offered: Offered) -> None:
        keeps[step](offered)

    def refused(code: str, _title: str, _peer: str) -> None:
        sys.stderr.write(f"refused: {code}\n")

    settings = Dicom(port=port, require_called_ae=False, max_associations=100)
    DicomServer(settings, Doors(keep=keep, refused=refused), callers(()))
    threading.Event().wait()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
