"""Images per second of our DICOM door, of Orthanc and of ``storescp``: same files, same sender, in one run."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from pydicom.dataset import Dataset

from benchmarks import servers, studies
from benchmarks.tables import Cell, Table
from benchmarks.timing import Times, interleaved, paired_ratio
from radiolucent.phantoms import head, headers

SLICES, FILMS = 400, 40
PER_STUDY = 40
WIDE = 8
US, ORTHANC, STORESCP = "radiolucent serve", "Orthanc", "storescp"
NAMES = (US, ORTHANC, STORESCP)
PREFIX = "1.2.826.0.1.3680043.10.1.77."
"""Under pydicom's root for anybody's tests; digits of a fixed number follow, so that they can be changed in place."""
DIGITS = 12
MARK = re.compile(re.escape(PREFIX).encode() + rb"\d{%d}" % DIGITS)
MEMORY = Path("/dev/shm")


@dataclass
class Files:
    """Files to be sent, in as many folders as there are associations; their UIDs are new before each sending."""

    folders: list[Path]
    places: dict[Path, list[tuple[int, int]]]
    count: int
    size_bytes: int
    _epoch: int = field(default=0)

    def renew(self) -> None:
        """Other UIDs in every file, of the same length: nothing that comes is known already."""
        self._epoch += 1
        for path, places in self.places.items():
            with path.open("r+b") as file:
                for offset, number in places:
                    file.seek(offset)
                    file.write(_uid(number + self._epoch * 1_000_000).encode())


def _uid(number: int) -> str:
    return f"{PREFIX}{number + 10 ** (DIGITS - 1):0{DIGITS}d}"


def _write(folder: Path, made: Iterator[Dataset], *, folders: int) -> Files:
    places: dict[Path, list[tuple[int, int]]] = {}
    size = count = 0
    for count, ds in enumerate(made, start=1):
        study = count // PER_STUDY
        ds.StudyInstanceUID, ds.SeriesInstanceUID = _uid(900_000 + 2 * study), _uid(900_001 + 2 * study)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = _uid(count)
        path = folder / f"{count % folders}" / f"{count:05d}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        ds.save_as(path, enforce_file_format=True)
        data = path.read_bytes()
        base = len(PREFIX) + 1
        places[path] = [(m.start(), int(m.group()[base:])) for m in MARK.finditer(data)]
        size += len(data)
    return Files(folders=sorted(folder.iterdir()), places=places, count=count, size_bytes=size)


def slices(folder: Path, *, count: int = SLICES, folders: int) -> Files:
    """CT slices of 512 x 512, 16 bit."""
    volume, _, _ = head.volume(np.random.default_rng(3))
    known = [
        headers.head(hu, key="receiving", index=i, spacing_mm=0.45, thickness_mm=5.0) for i, hu in enumerate(volume)
    ]
    return _write(folder, (known[n % len(known)] for n in range(count)), folders=folders)


def films(folder: Path, *, count: int = FILMS, folders: int) -> Files:
    """Films of 2500 x 2048, 16 bit."""
    film = studies.large_film()
    return _write(folder, (film for _ in range(count)), folders=folders)


def send(files: Files, port: int) -> None:
    """All files by ``storescu``, one association for each folder, all at once."""
    storescu = servers.dcmtk("storescu")
    servers.run_all(
        [[storescu, "--quiet", "-aec", "ANY", "+sd", "127.0.0.1", port, folder] for folder in files.folders]
    )


@dataclass
class Receiver:
    """A receiver: its port, the folder where it keeps what it gets, and the processor time of each round in seconds."""

    port: int
    storage: Path
    process: psutil.Popen
    processor_s: list[float] = field(default_factory=list)

    def take(self, files: Files) -> None:
        """Have everything sent to it."""
        before = servers.processor_s(self.process)
        send(files, self.port)
        self.processor_s.append(servers.processor_s(self.process) - before)


@contextmanager
def running(folder: Path) -> Iterator[dict[str, Receiver]]:
    """The receivers, by name."""
    ports = {name: servers.free_port() for name in NAMES}
    homes = {name: folder / str(number) for number, name in enumerate(NAMES)}
    for home in homes.values():
        home.mkdir()
    config = servers.settings(homes[US], port=ports[US], reader="enabled = false", completion="quiet_s = 3600")
    commands = {
        US: servers.radiolucent(config),
        ORTHANC: servers.orthanc(homes[ORTHANC], port=ports[ORTHANC]),
        STORESCP: servers.storescp(homes[STORESCP], port=ports[STORESCP]),
    }
    with ExitStack() as stack:
        yield {
            name: Receiver(
                port=ports[name],
                storage=homes[name] / "storage",
                process=stack.enter_context(servers.process(command, homes[name], port=ports[name])),
            )
            for name, command in commands.items()
        }


def _compare(files: Files, receivers: dict[str, Receiver], *, runs: int) -> Times:
    def case(receiver: Receiver) -> Callable[[], None]:
        return lambda: receiver.take(files)

    def clear(name: str) -> None:
        files.renew()
        if name == STORESCP:
            _empty(receivers[name].storage)

    files.renew()
    cases = {name: case(receiver) for name, receiver in receivers.items()}
    return interleaved(cases, runs=runs, warm=0, after=clear)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def run(runs: int) -> list[Table]:
    """Slices and films, over one association and over eight."""
    if servers.dcmtk("storescu") is None or shutil.which("Orthanc") is None:
        print("receiving: skipped, needs the Debian packages dcmtk and orthanc\n")
        return []
    rows: list[tuple[Cell, ...]] = []
    source = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=source) as inbox, tempfile.TemporaryDirectory() as scratch:
        for what, make in (("CT slice, 0.5 MB", slices), ("film, 10 MB", films)):
            for wide in (1, WIDE):
                files = make(Path(inbox) / f"{make.__name__}-{wide}", folders=wide)
                folder = Path(scratch) / f"{make.__name__}-{wide}"
                folder.mkdir()
                with running(folder) as receivers:
                    times = _compare(files, receivers, runs=runs)
                    spent = {name: float(np.median(each.processor_s)) for name, each in receivers.items()}
                rows += _rows(what, wide, files, times, spent)
                shutil.rmtree(folder)
                shutil.rmtree(files.folders[0].parent)
    return [_table(rows)]


def _rows(what: str, wide: int, files: Files, times: Times, spent: Mapping[str, float]) -> Iterator[tuple[Cell, ...]]:
    for name in NAMES:
        per_second = files.count / (float(np.median(times[name])) / 1000)
        yield (
            *(what, wide, name, per_second, per_second * files.size_bytes / files.count / 1e6),
            spent[name] / files.count * 1000,
            paired_ratio(times[ORTHANC], times[name]),
            paired_ratio(times[name], times[STORESCP]),
        )


def _table(rows: list[tuple[Cell, ...]]) -> Table:
    return Table(
        title="Receiving over C-STORE",
        columns=(
            *("image", "associations", "receiver", "images per second", "MB per second"),
            "processor ms per image",
            "rate over Orthanc's (95 % interval)",
            "time over storescp's (95 % interval)",
        ),
        rows=rows,
        notes=[
            f"{SLICES} slices or {FILMS} films a round, sent by DCMTK's storescu from memory to disk, start of the "
            "sender and negotiation included; new UIDs every round. Sender and receiver share the cores.",
            "What success means: ours is on disk with its name, in the committed database and the audit chain; Orthanc "
            "1.10 syncs the file and not its index; storescp (`--fork`) syncs nothing.",
        ],
    )
