"""Ten thousand associations, each with an echo and every tenth with an image: does the door grow?"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, AllStoragePresentationContexts
from pynetdicom.sop_class import Verification

from benchmarks import servers
from benchmarks.tables import Cell, Table
from radiolucent.phantoms import write_phantoms

SENDERS, EVERY = 4, 10


def _one(ae: AE, port: int, image: Dataset | None) -> None:
    association = ae.associate("127.0.0.1", port)
    if not association.is_established:
        raise RuntimeError("no association")
    status = association.send_c_echo()
    if image is not None:
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        status = association.send_c_store(image)
    if status.get("Status") != 0:
        raise RuntimeError(f"not taken: {status}")
    association.release()


def _some(port: int, count: int, source: Path) -> None:
    """Associations one after the other, images of one study each tenth time."""
    image = dcmread(source)
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    ae = AE(ae_title="MODALITY")
    ae.add_requested_context(Verification)
    wanted = [each for each in AllStoragePresentationContexts if each.abstract_syntax == image.SOPClassUID]
    ae.requested_contexts = [*ae.requested_contexts, *wanted, *AllStoragePresentationContexts[:8]]
    for number in range(count):
        _one(ae, port, image if number % EVERY == 0 else None)


def _row(server: psutil.Popen, done: int, seconds: float) -> tuple[Cell, ...]:
    held, threads = servers.resident_mb(server)
    return (done, done / seconds if seconds else 0.0, held, threads, server.num_fds())


def run(count: int) -> list[Table]:
    """``count`` associations over four senders; the server's size after each fifth."""
    rows: list[tuple[Cell, ...]] = []
    with tempfile.TemporaryDirectory() as scratch:
        home, port = Path(scratch) / "serve", servers.free_port()
        home.mkdir()
        write_phantoms(Path(scratch) / "phantoms", ["head"])
        source = next(iter(sorted((Path(scratch) / "phantoms").rglob("*.dcm"))))
        config = servers.settings(home, port=port, reader="enabled = false", completion="quiet_s = 3600")
        with (
            servers.process(servers.radiolucent(config), home, port=port) as server,
            ThreadPoolExecutor(SENDERS) as senders,
        ):
            list(senders.map(lambda _: _some(port, 25, source), range(SENDERS)))
            rows.append(_row(server, 0, 0.0))
            started, part = time.perf_counter(), count // 5 // SENDERS
            for fifth in range(1, 6):
                list(senders.map(lambda _: _some(port, part, source), range(SENDERS)))
                rows.append(_row(server, fifth * part * SENDERS, time.perf_counter() - started))
    return [
        Table(
            title="Associations, one after the other, from four senders",
            columns=("associations so far", "per second", "memory, MB", "threads", "open files"),
            rows=rows,
            notes=[
                "After a hundred to warm up. Each negotiates ten contexts and echoes; every tenth stores a CT slice of "
                "256 x 256. Memory is what the process and its children hold, shared pages counted once."
            ],
        )
    ]
