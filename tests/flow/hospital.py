"""The hospital around a running installation: a modality that sends, a PACS, a STOW server, an HL7 listener."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tiny_engine
import uvicorn
from dicom_factory import CR, cr, lit
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE, evt

from radiolucent.pipeline.faults import Faults
from radiolucent.pipeline.journal import Journal
from radiolucent.pipeline.meters import Meters
from radiolucent.pipeline.receiving import Intake
from radiolucent.settings import Settings
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID
from radiolucent.standards.mllp import Decoder, frame
from radiolucent.store import archive
from radiolucent.store.blobs import Blobs
from radiolucent.store.database import Database
from radiolucent.web.app import http_app
from radiolucent.web.dicomweb.limits import WebLimits
from radiolucent.wiring.archive import StoredArchive, WebReceiver
from radiolucent.wiring.serving import clock

OBJECTS = (
    "1.2.840.10008.5.1.4.1.1.88.34",  # Comprehensive 3D SR
    "1.2.840.10008.5.1.4.1.1.88.59",  # Key Object Selection
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture
    "1.2.840.10008.5.1.4.1.1.30",  # Parametric Map
    "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation
    "1.2.840.10008.5.1.4.1.1.11.1",  # Grayscale Softcopy Presentation State
)
REJECTION = OBJECTS[1]


def eventually(holds: Callable[[], Any], *, within_s: float = 60.0) -> Any:
    """What ``holds`` gives once it is true; a limit that only a defect reaches."""
    deadline = time.monotonic() + within_s
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"never came about: {holds}")
        time.sleep(0.02)


# --- what the modality sends ---


def film(*, study: str | None = None, bright: bool = True, **changes: object) -> Dataset:
    """One small chest film, with a finding of the tiny engine or without."""
    pixels = lit(64, 64, at=(8, 8), side=40 if bright else 0)
    made = cr(pixels, **({"StudyInstanceUID": study or generate_uid()} | changes))
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    return made


def study_of(count: int, *, announced: bool = True, **changes: object) -> list[Dataset]:
    """Films of one study and series; ``announced``: each says how many there are, so nobody has to wait."""
    study, series = generate_uid(), generate_uid()
    said: dict[str, object] = {"NumberOfStudyRelatedInstances": count} if announced else {}
    return [film(study=study, SeriesInstanceUID=series, InstanceNumber=n + 1, **(said | changes)) for n in range(count)]


def other_content(dataset: Dataset) -> Dataset:
    """The same SOP Instance UID with other pixels."""
    made = copy.deepcopy(dataset)
    made.PixelData = bytes(len(made.PixelData))
    return made


def send(
    port: int,
    datasets: Sequence[Dataset],
    *,
    calling: str = "MODALITY",
    called: str = "RADIOLUCENT",
    tls: ssl.SSLContext | None = None,
    timeout_s: float = 20.0,
) -> dict[str, int | None]:
    """C-STORE each over one association: the status by SOP Instance UID, ``None`` where no answer came."""
    ae = AE(ae_title=calling)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = timeout_s
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        ae.add_requested_context(CR, syntax)
    answers: dict[str, int | None] = {str(each.SOPInstanceUID): None for each in datasets}
    association = ae.associate("127.0.0.1", port, ae_title=called, tls_args=None if tls is None else (tls, "127.0.0.1"))
    if not association.is_established:
        return answers
    for each in datasets:
        # An association that ended under our hands.
        with contextlib.suppress(RuntimeError, ValueError):
            status = association.send_c_store(each)
            answers[str(each.SOPInstanceUID)] = status.get("Status")
    association.release() if association.is_established else association.abort()
    return answers


# --- the PACS ---


@dataclass
class Pacs:
    """A storage SCP that keeps every content it was ever sent, after ``delay_s``.

    ``statuses`` are answered in turn, then success.
    """

    contents: dict[str, set[str]] = field(default_factory=dict)
    received: list[tuple[str, str, Dataset]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    delay_s: float = 0.0
    port: int = 0

    def store(self, event: evt.Event) -> int:
        time.sleep(self.delay_s)
        status = self.statuses.pop(0) if self.statuses else 0
        if status:
            return status
        uid = str(event.request.AffectedSOPInstanceUID)
        data = event.request.DataSet.getvalue()
        self.contents.setdefault(uid, set()).add(hashlib.sha256(data).hexdigest())
        self.received.append((str(event.request.AffectedSOPClassUID), uid, event.dataset))
        return 0

    def of(self, study: str, kind: str | None = None) -> set[str]:
        """SOP Instance UIDs of a study."""
        return {u for k, u, d in list(self.received) if d.StudyInstanceUID == study and kind in (None, k)}


@contextmanager
def pacs(into: Pacs | None = None, *, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Pacs]:
    """A PACS that listens for as long as the context lasts."""
    found = into or Pacs()
    ae = AE(ae_title="PACS")
    for each in OBJECTS:
        ae.add_supported_context(each, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    handlers = [(evt.EVT_C_STORE, found.store)]
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers, ssl_context=tls)
    found.port = server.server_address[1]
    try:
        yield found
    finally:
        server.shutdown()


# --- the HL7 listener ---


@dataclass
class Listener:
    """Takes messages and keeps them, answers AA (or what ``answers`` says, in turn)."""

    messages: list[bytes] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    port: int = 0

    def take(self, payload: bytes) -> bytes:
        control = payload.split(b"\r", 1)[0].split(b"|")[9]
        code = self.answers.pop(0) if self.answers else "AA"
        (self.messages if code == "AA" else self.refused).append(payload)
        head = b"MSH|^~\\&|EHR|HOSPITAL|RADIOLUCENT|RADIOLOGY|20250301||ACK^R01^ACK|1|P|2.5.1\rMSA|"
        return head + code.encode() + b"|" + control + b"\r"

    def by_control(self) -> dict[str, set[bytes]]:
        """Contents by MSH-10."""
        found: dict[str, set[bytes]] = {}
        for each in list(self.messages):
            found.setdefault(segments(each)["MSH"][0][9], set()).add(each)
        return found

    def of(self, accession: str) -> list[dict[str, list[list[str]]]]:
        """Messages of an accession number (OBR-18), split into segments, each control id once, in their order."""
        seen: dict[str, dict[str, list[list[str]]]] = {}
        for each in list(self.messages):
            read = segments(each)
            if read["OBR"][0][18] == accession:
                seen.setdefault(read["MSH"][0][9], read)
        return list(seen.values())


def segments(payload: bytes) -> dict[str, list[list[str]]]:
    """Fields by segment name; of MSH, field n is at n - 1."""
    found: dict[str, list[list[str]]] = {}
    for line in payload.decode().rstrip("\r").split("\r"):
        fields = line.split("|")
        found.setdefault(fields[0], []).append(fields)
    return found


@contextmanager
def listener(into: Listener | None = None, *, port: int = 0) -> Iterator[Listener]:
    """An MLLP listener on a real socket."""
    found = into or Listener()
    with socket.create_server(("127.0.0.1", port)) as server:
        found.port = server.getsockname()[1]
        thread = threading.Thread(target=_listen, args=(server, found))
        thread.start()
        try:
            yield found
        finally:
            # Closing alone does not wake a thread that accepts.
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _listen(server: socket.socket, found: Listener) -> None:
    while True:
        try:
            line, _ = server.accept()
        except OSError:
            return
        with line, contextlib.suppress(OSError):
            line.settimeout(20)
            decoder = Decoder()
            while data := line.recv(65536):
                for each in decoder.feed(data):
                    line.sendall(frame(found.take(each.payload)))


def tell(port: int, message: bytes) -> str:
    """Send an HL7 message and give back MSA-1 of the answer, empty where none came."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
            line.sendall(frame(message))
            decoder = Decoder()
            while data := line.recv(65536):
                for each in decoder.feed(data):
                    return segments(each.payload)["MSA"][0][1]
    except OSError:
        return ""
    return ""


# --- a STOW server: our own, over a store of its own, without the rest of an installation ---


class _Nobody:
    """Operations of an archive that nobody asks anything."""

    def accessed(self, *_: object, **__: object) -> None:
        """Nothing is recorded."""


@dataclass
class Shelf:
    """A STOW server and what it keeps."""

    url: str
    journal: Journal

    def of(self, study: str) -> set[str]:
        """SOP Instance UIDs of a study."""
        with self.journal.reading() as connection:
            kept = [row.study_key for row in archive.studies_of(connection, {"StudyInstanceUID": study})]
            return {row.sop_instance_uid for row in archive.instances_of(connection, kept)}


@contextmanager
def shelf(folder: Path) -> Iterator[Shelf]:
    """Our own STOW-RS server over a store of its own."""
    journal = Journal(Database(f"sqlite:///{folder / 'shelf.sqlite'}"), clock=clock)
    blobs = Blobs(folder, reserve_bytes=0)
    keeps = Intake(
        journal,
        blobs,
        Meters(),
        Faults(),
        quiet_s=3600.0,
        most_bytes=2**30,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
    )
    app = http_app(
        _Nobody(),  # type: ignore[arg-type]
        StoredArchive(journal, blobs),
        WebReceiver(keeps),
        tokens=None,
        limits=WebLimits(max_part_bytes=2**30),
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            eventually(lambda: server.started)
            yield Shelf(url=f"http://127.0.0.1:{listening.getsockname()[1]}/dicom-web", journal=journal)
        finally:
            server.should_exit = True
            thread.join(20)
            journal.database.close()


# --- the installation ---


def engines(folder: Path) -> Path:
    """A folder with the tiny engine."""
    if not folder.exists():
        tiny_engine.write(folder)
    return folder


def settings(data: Path, **rows: Any) -> Settings:
    """Settings of a small installation on free ports of this machine; ``rows`` as in a settings file."""
    base: dict[str, Any] = {
        "data": data,
        "worker_id": "here",
        "dicom": {"port": 0},
        "http": {"port": 0},
        "mllp": {"enabled": True, "port": 0},
        "storage": {"reserve_mb": 16},
        "completion": {"quiet_s": 0.3},
        "reader": {"urgent_process": False},
        "delivery": {"first_wait_s": 0.1, "longest_wait_s": 0.5},
        "rules": [{"name": "everything"}],
    }
    for name, value in rows.items():
        base[name] = base.get(name, {}) | value if isinstance(value, dict) else value
    return Settings.model_validate(base)
