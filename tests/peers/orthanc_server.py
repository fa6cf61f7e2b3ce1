"""An Orthanc of our own on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(address: str, data: bytes | None = None) -> bytes:
    """The answer of a GET, or of a POST of ``data``."""
    with urllib.request.urlopen(urllib.request.Request(address, data=data), timeout=30) as answer:
        return bytes(answer.read())


@contextmanager
def running(folder: Path) -> Iterator[tuple[str, int]]:
    """``(http address, DICOM port)`` of an Orthanc that keeps its data in ``folder`` and ends with the block."""
    http, dicom = free_port(), free_port()
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "HttpPort": http,
        "DicomPort": dicom,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAet": "ORTHANC",
        "Plugins": [],
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(["Orthanc", folder / "orthanc.json"], stdout=log, stderr=log)
        try:
            _wait(f"http://127.0.0.1:{http}/system")
            yield f"http://127.0.0.1:{http}", dicom
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait(address: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=2).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError("Orthanc did not start")
