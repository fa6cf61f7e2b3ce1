"""Orthanc's DICOMweb plugin as a client of our server: it searches, fetches and sends.

Needs the Debian packages ``orthanc orthanc-dicomweb``; run by ``make test-peers``.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from peers import orthanc_server
from peers.orthanc_server import ask
from pydicom import dcmread, uid
from pydicom.filebase import DicomBytesIO
from report.dicom import dicom_sources as sources
from web import dicomweb_objects as objects
from web.dicomweb_archive import MemoryArchive, encoded, serving

from radiolucent.report.dicom import build_objects
from radiolucent.web.dicomweb.routes import dicomweb_app

pytestmark = pytest.mark.peers
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@pytest.fixture
def archive():
    return MemoryArchive()


@pytest.fixture
def server(archive):
    with serving(dicomweb_app(archive, archive)) as address:
        yield address


@pytest.fixture
def orthanc(tmp_path, server):
    """HTTP address of an Orthanc that knows our server as ``radiolucent``."""
    http, dicom = orthanc_server.free_port(), orthanc_server.free_port()
    settings = {
        "StorageDirectory": str(tmp_path),
        "IndexDirectory": str(tmp_path),
        "HttpPort": http,
        "DicomPort": dicom,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Servers": {"radiolucent": [f"{server}/"]}},
    }
    (tmp_path / "orthanc.json").write_text(json.dumps(settings))
    with (tmp_path / "log.txt").open("wb") as log:
        process = subprocess.Popen(["Orthanc", tmp_path / "orthanc.json"], stdout=log, stderr=log)
        try:
            orthanc_server._wait(f"http://127.0.0.1:{http}/system")
            yield f"http://127.0.0.1:{http}"
        finally:
            process.terminate()
            process.wait(timeout=20)


def call(orthanc, what, **body):
    return json.loads(ask(f"{orthanc}/dicom-web/servers/radiolucent/{what}", json.dumps(body).encode()))


def instances(orthanc):
    """What Orthanc has now, by SOP Instance UID."""
    keys = json.loads(ask(f"{orthanc}/instances"))
    read = [dcmread(DicomBytesIO(ask(f"{orthanc}/instances/{key}/file"))) for key in keys]
    return {str(one.SOPInstanceUID): one for one in read}


def test_orthanc_searches_us(orthanc, archive):
    archive.add(objects.grey(StudyDescription="Chest")[0])
    found = call(orthanc, "qido", Uri="/studies", Arguments={"PatientID": "MARKER*"})
    assert found[0]["0020000D"]["Value"] == objects.STUDY
    assert call(orthanc, "qido", Uri="/studies", Arguments={"PatientID": "nobody"}) == []
    found = call(orthanc, "qido", Uri=f"/studies/{objects.STUDY}/series")
    assert found[0]["00080060"]["Value"] == "CR"


def test_orthanc_fetches_a_study_of_ours(orthanc, archive):
    sent = [
        objects.grey()[0],
        objects.compressed(uid.JPEGLSLossless, frames=3)[0],
        objects.in_syntax(uid.ImplicitVRLittleEndian)[0],
        objects.bitmap()[0],
        objects.document(),
    ]
    for ds in sent:
        archive.add(ds)
    call(orthanc, "retrieve", Resources=[{"Study": objects.STUDY}])
    found = instances(orthanc)
    assert set(found) == set(archive.files)
    multi = found[str(sent[1].SOPInstanceUID)]
    assert np.array_equal(multi.pixel_array, objects.ramp(3, 40, 36))
    assert np.array_equal(found[str(sent[3].SOPInstanceUID)].pixel_array, objects.bitmap()[1])


def test_orthanc_fetches_result_objects_of_ours(orthanc, archive):
    source = sources.SOURCES["cr"]()
    built = build_objects(source, sources.processed(source), sources.overlays(), now=sources.NOW)
    for each in built.objects:
        archive.add(each.dataset)
    call(orthanc, "retrieve", Resources=[{"Study": str(source.StudyInstanceUID)}])
    assert set(instances(orthanc)) == set(archive.files)
    assert len(archive.files) == len(built.objects) > 3


def test_orthanc_sends_to_us(orthanc, archive):
    sent = [objects.grey()[0], objects.compressed(uid.JPEG2000Lossless)[0], objects.document()]
    for ds in sent:
        ask(f"{orthanc}/instances", encoded(ds))
    study = json.loads(ask(f"{orthanc}/studies"))[0]
    call(orthanc, "stow", Resources=[study])
    assert set(archive.files) == {str(ds.SOPInstanceUID) for ds in sent}
    pixels = dcmread(DicomBytesIO(archive.files[str(sent[1].SOPInstanceUID)])).pixel_array
    assert np.array_equal(pixels, objects.ramp(1, 40, 36)[0])
    # Again: what is here already is no failure.
    call(orthanc, "stow", Resources=[study])
    assert len(archive.files) == 3


def test_orthanc_reads_metadata_frames_and_pictures_of_ours(orthanc, archive):
    ds, pixels = objects.compressed(uid.JPEGLSLossless, frames=2)
    key = archive.add(ds)
    path = f"/studies/{objects.STUDY}/series/{objects.SERIES}/instances/{key}"
    told = call(orthanc, "get", Uri=f"{path}/metadata", HttpHeaders={"Accept": "application/dicom+json"})
    assert told[0]["00280008"]["Value"] == [2]
    body = json.dumps({"Uri": f"{path}/frames/2", "HttpHeaders": {"Accept": "application/octet-stream"}})
    assert ask(f"{orthanc}/dicom-web/servers/radiolucent/get", body.encode()) == pixels[1].tobytes()
