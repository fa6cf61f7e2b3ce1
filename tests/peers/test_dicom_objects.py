"""Result objects before programs of others: DCMTK reads them, Orthanc stores and renders them.

Needs the Debian packages ``dcmtk orthanc``; run by ``make test-peers``.
"""

import io
import json
import subprocess

import numpy as np
import pydicom
import pytest
from peers.orthanc_server import ask
from PIL import Image
from report.dicom import dicom_sources as sources

from radiolucent.report.dicom import build_objects

pytestmark = pytest.mark.peers
MAKERS = ("cr", "dx", "ct", "enhanced_mr", "monochrome1", "bare", "damaged", "japanese", "greek")


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
