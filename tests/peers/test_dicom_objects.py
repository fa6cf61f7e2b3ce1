"""Result objects before programs of others: DCMTK reads them, Orthanc stores and renders them.

Needs the Debian packages ``dcmtk orthanc``; run by ``make test-peers``.
"""

import io
import json
import shutil
import socket
import subprocess
import time
import urllib.request

import numpy as np
import pydicom
import pytest
from PIL import Image
from report.dicom import dicom_sources as sources

from radiolucent.report.dicom import build_objects

pytestmark = pytest.mark.peers
NEEDED = ("dcmdump", "dsr2html", "storescu", "Orthanc")
MAKERS = ("cr", "dx", "ct", "enhanced_mr", "monochrome1", "bare", "damaged", "japanese", "greek")


@pytest.fixture(scope="module", autouse=True)
def _programs():
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def write(name, folder):
    """Every object of one source as a file, with its kind."""
    dataset = sources.SOURCES[name]()
    dataset.SOPInstanceUID = f"{dataset.SOPInstanceUID}.{1 + MAKERS.index(name)}"
    built = build_objects(dataset, sources.processed(dataset), sources.overlays(), now=sources.NOW)
    paths = []
    for number, each in enumerate(built.objects):
        path = folder / f"{name}-{number}-{each.kind}.dcm"
        each.dataset.save_as(path, enforce_file_format=True)
        paths.append((each.kind, path))
    return paths


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    """An Orthanc of our own on loopback; gives back ``(http address, DICOM port)`` and ends with the module."""
    folder = tmp_path_factory.mktemp("orthanc")
    http, dicom = free_port(), free_port()
    settings = {
        "StorageDirectory": str(folder), "IndexDirectory": str(folder), "HttpPort": http, "DicomPort": dicom,
        "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "DicomAet": "ORTHANC", "Plugins": [],
        "DicomCheckCalledAet": False, "DicomAlwaysAllowStore": True,
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(["Orthanc", folder / "orthanc.json"], stdout=log, stderr=log)
        try:
            _wait(f"http://127.0.0.1:{http}/system")
            yield f"http://127.0.0.1:{http}", dicom
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait(address):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=2).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail("Orthanc did not start")


def ask(address, data=None):
    with urllib.request.urlopen(urllib.request.Request(address, data=data), timeout=30) as answer:
        return answer.read()


@pytest.mark.parametrize("name", MAKERS)
def test_dcmtk_reads_every_object(name, tmp_path):
    for kind, path in write(name, tmp_path):
        dumped = subprocess.run(["dcmdump", "-q", path], capture_output=True, check=False)
        assert dumped.returncode == 0, kind
        if kind == "sr":
            page = tmp_path / "report.html"
            done = subprocess.run(["dsr2html", "-q", path, page], capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
            text = page.read_text(encoding="utf-8", errors="replace")
            assert "Pneumothorax" in text
            assert "92.41" in text
            assert "Not for diagnosis" in text


@pytest.mark.parametrize("name", ["cr", "ct", "enhanced_mr", "japanese"])
def test_orthanc_stores_every_object(name, orthanc, tmp_path):
    address, _ = orthanc
    for kind, path in write(name, tmp_path):
        answer = json.loads(ask(f"{address}/instances", path.read_bytes()))
        assert answer["Status"] in ("Success", "AlreadyStored"), kind


def test_orthanc_shows_the_overlay_in_its_colours(orthanc, tmp_path):
    address, _ = orthanc
    path = next(path for kind, path in write("cr", tmp_path) if kind == "sc")
    stored = json.loads(ask(f"{address}/instances", path.read_bytes()))["ID"]
    for view in ("preview", "rendered"):
        picture = np.asarray(Image.open(io.BytesIO(ask(f"{address}/instances/{stored}/{view}"))).convert("RGB"))
        assert picture.shape == (31, 45, 3)
        assert picture[3, 7].tolist() == [255, 0, 0]
        assert picture[20, 1].tolist() == [0, 0, 255]
        assert picture[10, 10].tolist() == [0, 0, 0]


def test_storescu_sends_every_object_to_orthanc(orthanc, tmp_path):
    address, dicom = orthanc
    paths = [path for _, path in write("dx", tmp_path)]
    sent = subprocess.run(
        ["storescu", "-q", "-aec", "ORTHANC", "-R", "127.0.0.1", str(dicom), *paths], capture_output=True, check=False
    )
    assert sent.returncode == 0, sent.stderr
    for path in paths:
        uid = pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID
        assert json.loads(ask(f"{address}/tools/lookup", uid.encode()))
