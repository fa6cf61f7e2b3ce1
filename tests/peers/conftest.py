"""Real peers: DCMTK and Orthanc from Debian; `make test-peers` installs them, and a missing one fails."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from peers import orthanc_server

NEEDED = ("dcmdump", "dsr2html", "storescu", "Orthanc")


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.fail(f"not installed: {', '.join(missing)}; see tests/peers/install.sh")


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """``(http address, DICOM port)``."""
    with orthanc_server.running(tmp_path_factory.mktemp("orthanc")) as server:
        yield server
