"""Peers of others that take and give DICOM: an Orthanc with DICOMweb, and DCMTK's storage SCP."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from delivery_peers import Certificates
from peers.orthanc_server import ask, free_port

from radiolucent.records.destination import DimsePeer, WebPeer

DICOMWEB = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


@dataclass(frozen=True)
class Orthanc:
    http: str
    dicom_port: int

    def peer(self, **options: object) -> DimsePeer:
        return DimsePeer(host="127.0.0.1", port=self.dicom_port, **({"called_ae_title": "ORTHANC"} | options))

    @property
    def web(self) -> WebPeer:
        return WebPeer(url=f"{self.http}/dicom-web")

    def has(self, uid: str) -> bool:
        return bool(json.loads(ask(f"{self.http}/tools/lookup", uid.encode())))

    def file(self, uid: str) -> bytes:
        (found,) = json.loads(ask(f"{self.http}/tools/lookup", uid.encode()))
        return ask(f"{self.http}/instances/{found['ID']}/file")

    def knows(self, title: str, port: int) -> None:
        """Tell it of an application entity on this machine that may do everything."""
        settings = {"AET": title, "Host": "127.0.0.1", "Port": port, "AllowStorageCommitment": True}
        body = json.dumps(settings).encode()
        urllib.request.urlopen(
            urllib.request.Request(f"{self.http}/modalities/{title}", data=body, method="PUT"), timeout=30
        ).close()


@contextmanager
def orthanc(folder: Path, *, tls: Certificates | None = None, **settings: object) -> Iterator[Orthanc]:
    http, dicom = free_port(), free_port()
    rows: dict[str, object] = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "HttpPort": http,
        "DicomPort": dicom,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAet": "ORTHANC",
        "Plugins": [DICOMWEB],
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    if tls is not None:
        rows |= {
            "DicomTlsEnabled": True,
            "DicomTlsCertificate": str(tls.server),
            "DicomTlsPrivateKey": str(tls.server_key),
            "DicomTlsTrustedCertificates": str(tls.ca),
            "DicomTlsRemoteCertificateRequired": True,
        }
    (folder / "orthanc.json").write_text(json.dumps(rows | settings))
    with _process(["Orthanc", str(folder / "orthanc.json")], folder / "orthanc.log"):
        _wait(http)
        _wait(dicom)
        yield Orthanc(f"http://127.0.0.1:{http}", dicom)


@contextmanager
def storescp(folder: Path, *options: str, tls: Certificates | None = None) -> Iterator[DimsePeer]:
    """DCMTK's storage SCP, writing into ``folder``."""
    port = free_port()
    secured: Sequence[str] = ()
    if tls is not None:
        secured = ("+tls", str(tls.server_key), str(tls.server), "+cf", str(tls.ca), "-rc")
    command = ["storescp", "-q", "-od", str(folder), "-aet", "STORESCP", *secured, *options, str(port)]
    with _process(command, folder.parent / f"{folder.name}.log"):
        _wait(port)
        yield DimsePeer(host="127.0.0.1", port=port, called_ae_title="STORESCP")


@contextmanager
def _process(command: Sequence[str], log: Path) -> Iterator[None]:
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("a peer did not start")
