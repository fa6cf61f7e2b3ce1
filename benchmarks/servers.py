"""Servers of a benchmark as processes of their own: ``radiolucent serve``, Orthanc, DCMTK's ``storescp``."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

START_S = 120.0
PDU = 131_072
"""Bytes of a PDU that every receiver takes: ours by default, the most that DCMTK and Orthanc can be told."""


def free_port() -> int:
    """A port of this machine that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(folder: Path, *, port: int, rows: str = "", **tables: str) -> Path:
    """Write a settings file: our DICOM door on ``port``, no other door, any caller; ``tables`` add rows by name."""
    parts = {
        "dicom": f'port = {port}\ncallers = [{{ ae_title = "*" }}]\nrequire_called_ae = false\nmax_associations = 100',
        "http": "enabled = false",
        "storage": "reserve_mb = 64",
    } | tables
    text = f'data = "{folder / "data"}"\nlog_level = "info"\n{rows}\n'
    text += "".join(f"[{name}]\n{body}\n" for name, body in parts.items() if not name.startswith("_"))
    text += parts.get("_end", "")
    path = folder / "radiolucent.toml"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def process(command: Sequence[object], folder: Path, *, port: int | None) -> Iterator[psutil.Popen]:
    """A process, once its port answers; it is asked to end with the block, and killed where it does not."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("ab") as log:
        started = psutil.Popen([str(c) for c in command], stdout=log, stderr=log, cwd=folder, env=_environment())
        try:
            if port is not None:
                await_port(started, port, folder / "log.txt")
            yield started
        finally:
            started.terminate()
            try:
                started.wait(60)
            except psutil.TimeoutExpired:
                started.kill()
                started.wait(10)


def radiolucent(config: Path, *more: str) -> list[object]:
    """The command line of ``radiolucent serve``."""
    return [sys.executable, "-m", "radiolucent.cli.main", "serve", "--config", config, *more]


def orthanc(folder: Path, *, port: int) -> list[object]:
    """The command line of an Orthanc as its package configures it, but for folders, ports, PDU and who may call."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpServerEnabled": False,
        "DicomPort": port,
        "DicomAet": "ORTHANC",
        "Plugins": [],
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "MaximumPduLength": PDU,
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return ["Orthanc", path]


def dcmtk(name: str) -> str | None:
    """A program of DCMTK: pynetdicom puts one of the same name, with other options, beside our Python."""
    beside = Path(sys.executable).parent
    return shutil.which(name, path=os.pathsep.join(p for p in os.get_exec_path() if Path(p) != beside))


def storescp(folder: Path, *, port: int) -> list[object]:
    """The command line of ``storescp``, a child for each association."""
    (folder / "storage").mkdir(parents=True, exist_ok=True)
    return [dcmtk("storescp"), "--quiet", "--fork", "--max-pdu", PDU, "--output-directory", folder / "storage", port]


def processor_s(root: psutil.Process) -> float:
    """Processor time that a process, its children and those that have ended took, in seconds."""
    total = 0.0
    for each in (root, *root.children(recursive=True)):
        try:
            total += sum(each.cpu_times()[:4])  # own and ended children's, user and system
        except psutil.NoSuchProcess:
            continue
    return total


def resident_mb(root: psutil.Process) -> tuple[float, int]:
    """Megabytes that a process and its children hold (shared pages counted once), and their threads."""
    total, threads = 0.0, 0
    for each in (root, *root.children(recursive=True)):
        try:
            total += each.memory_full_info().pss / 1e6
            threads += each.num_threads()
        except psutil.NoSuchProcess:
            continue
    return total, threads


def await_port(started: psutil.Popen, port: int, log: Path) -> None:
    """Wait until a port answers; raises where the process ends before it does, with the end of its log."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if started.poll() is not None:
            raise RuntimeError(log.read_text(errors="replace")[-2000:])
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"nothing on port {port} after {START_S:.0f} s")


def _environment() -> dict[str, str]:
    """Ours, with this checkout importable from another working directory.

    DCMTK (and Orthanc by it) leaves Nagle's algorithm on: between two of them every image then waits 40 ms for a
    delayed acknowledgement, which would flatter us. All of them get ``TCP_NODELAY``.
    """
    root = Path(__file__).resolve().parent.parent
    paths = [str(root / "src"), str(root), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "TCP_NODELAY": "1"}


def run_all(commands: Sequence[Sequence[object]]) -> None:
    """Run commands side by side to their end; raises where one fails."""
    running = [
        subprocess.Popen(
            [str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=_environment()
        )
        for command in commands
    ]
    for each in running:
        _, text = each.communicate(timeout=600)
        if each.returncode != 0:
            raise RuntimeError(text.decode(errors="replace")[-2000:])
