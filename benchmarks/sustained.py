"""Many studies through the whole chain, and the same work shared by several processes over one PostgreSQL."""

from __future__ import annotations

import copy
import itertools
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import psutil
from pydicom.dataset import Dataset

from benchmarks import servers
from benchmarks.stat import RULES, Pacs, Sender, kinds_of_phantoms, pacs
from benchmarks.tables import Cell, Table

AHEAD = 30
"""So many studies wait at most: sooner sent, they would only lie on the disk."""
LONGEST_S = 600.0


def _arrived(found: Pacs, wanted: dict[str, int]) -> int:
    with found.arrived:
        return sum(len(found.at.get(study, ())) >= reports for study, reports in wanted.items())


def _wait(found: Pacs, wanted: dict[str, int], *, count: int) -> None:
    deadline = time.monotonic() + LONGEST_S
    while _arrived(found, wanted) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{_arrived(found, wanted)} of {count} studies came")
        time.sleep(0.05)


def _feed(found: Pacs, sender: Sender, kinds: dict[str, list[Dataset]], count: int) -> dict[str, int]:
    """Send studies of all kinds in turn, never more than some ahead of the results; each with its reports to come."""
    wanted: dict[str, int] = {}
    for name in itertools.islice(itertools.cycle(kinds), count):
        images = copy.copy(kinds[name])
        study, _ = sender.study(images, priority="ROUTINE")
        wanted[study] = len(images)
        _wait(found, wanted, count=len(wanted) - AHEAD)
    return wanted


def _kinds(folder: Path) -> dict[str, list[Dataset]]:
    """A film of the chest, a film of a bone, and a head CT of four slices."""
    kinds = kinds_of_phantoms(folder)
    return {name: images[:4] for name, images in kinds.items()}


def run(count: int) -> list[Table]:
    """``count`` studies through one process on SQLite, its size after each quarter."""
    rows: list[tuple[Cell, ...]] = []
    with tempfile.TemporaryDirectory() as scratch, pacs() as (found, port):
        home, ours = Path(scratch) / "serve", servers.free_port()
        home.mkdir()
        kinds = _kinds(Path(scratch) / "phantoms")
        config = servers.settings(home, port=ours, _end=RULES.format(port=port))
        with servers.process(servers.radiolucent(config), home, port=ours) as server:
            sender = Sender(ours)
            _wait(found, _feed(found, sender, kinds, 3 * len(kinds)), count=3 * len(kinds))
            part = count // 4
            for quarter in range(1, 5):
                started = time.perf_counter()
                wanted = _feed(found, sender, kinds, part)
                _wait(found, wanted, count=part)
                held, threads = servers.resident_mb(server)
                rows.append((quarter * part, part / (time.perf_counter() - started) * 3600, held, threads))
            sender.close()
    return [
        Table(
            title="Sustained: from C-STORE to the last object in the PACS",
            columns=("studies so far", "studies an hour", "memory, MB", "threads"),
            rows=rows,
            notes=[
                "A third each: chest film, forearm film with a finding, head CT of four slices; four engines, one "
                "reading process and one for urgent studies, SQLite. Sender and PACS are in the measuring process, on "
                "the same cores."
            ],
        )
    ]


def workers(count: int) -> list[Table]:
    """``count`` studies through one, two and four processes over one PostgreSQL, and two of which one is killed."""
    sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))
    import postgres_server

    rows: list[tuple[Cell, ...]] = []
    with tempfile.TemporaryDirectory() as scratch, postgres_server.running() as database:
        kinds = _kinds(Path(scratch) / "phantoms")
        for width, kills in ((1, False), (2, False), (4, False), (2, True)):
            with pacs() as (found, port), ExitStack() as stack:
                homes = Path(scratch) / f"{width}-{kills}"
                processes, ours = _workers(stack, homes, port, database.new_database(), width)
                sender = Sender(ours)
                _wait(found, _feed(found, sender, kinds, 2 * len(kinds)), count=2 * len(kinds))
                started = time.perf_counter()
                wanted = _feed(found, sender, kinds, count)
                if kills:
                    _kill(processes[-1])
                _wait(found, wanted, count=count)
                took = time.perf_counter() - started
                sender.close()
            rows.append((f"{width}{', one killed' if kills else ''}", count, took, count / took * 3600))
    return [
        Table(
            title="Processes over one PostgreSQL",
            columns=("worker processes", "studies", "seconds", "studies an hour"),
            rows=rows,
            notes=[
                "Each has one reading process; the first receives. On two cores, which sender and PACS share, more "
                "than two cannot be faster. A killed worker is noticed after 12 s, and its studies are handed over."
            ],
        )
    ]


def _workers(stack: ExitStack, homes: Path, pacs_port: int, url: str, width: int) -> tuple[Sequence[psutil.Popen], int]:
    """Processes over one database and one data folder; the port of the first."""
    processes, first = [], 0
    for number in range(width):
        port = servers.free_port()
        home = homes / str(number)
        home.mkdir(parents=True)
        config = servers.settings(
            home,
            port=port,
            rows=f'database_url = "{url}"\nworker_id = "worker-{number}"',
            reader="urgent_process = false",
            _end=RULES.format(port=pacs_port),
        )
        text = config.read_text(encoding="utf-8").replace(f'data = "{home / "data"}"', f'data = "{homes / "data"}"')
        config.write_text(text, encoding="utf-8")
        processes.append(stack.enter_context(servers.process(servers.radiolucent(config), home, port=port)))
        first = first or port
    return processes, first


def _kill(process: psutil.Popen) -> None:
    for each in (*process.children(recursive=True), process):
        each.kill()
