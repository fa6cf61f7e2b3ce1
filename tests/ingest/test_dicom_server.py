"""The DICOM door over real associations: success only of what is kept, and no crowd or stranger shuts it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from delivery_peers import Certificates, certificates
from dicom_factory import CR, cr, lit
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.association import Association
from pynetdicom.pdu import A_ASSOCIATE_RJ

from radiolucent.errors import InputRefused, InvariantBroken, PeerUnavailable, SettingsError
from radiolucent.ingest.callers import callers
from radiolucent.ingest.dicom_server import DicomServer, Doors
from radiolucent.pipeline.faults import Faults
from radiolucent.pipeline.journal import Journal
from radiolucent.pipeline.meters import Meters
from radiolucent.pipeline.receiving import Intake
from radiolucent.records.door import Offered
from radiolucent.settings import Caller, Dicom
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID
from radiolucent.store.blobs import Blobs
from radiolucent.store.database import Database
from radiolucent.wiring.serving import clock

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
VERIFICATION = "1.2.840.10008.1.1"


@dataclass
class Kept:
    """A door that keeps everything, or raises as told."""

    raises: BaseException | None = None
    before: Callable[[], None] = lambda: None
    offered: list[Offered] = field(default_factory=list)
    refusals: list[tuple[str, str, str]] = field(default_factory=list)
    cannot_record: bool = False

    def keep(self, offered: Offered) -> None:
        self.before()
        if self.raises is not None:
            raise self.raises
        self.offered.append(offered)

    def refused(self, code: str, title: str, peer: str) -> None:
        self.refusals.append((code, title, peer))
        if self.cannot_record:
            raise PeerUnavailable("database_unavailable", found="none", expected="one", action="Wait.")


@contextmanager
def serving(
    kept: Kept, *, tls: object = None, allowed: Sequence[Caller] = (), **settings: object
) -> Iterator[DicomServer]:
    rows = Dicom(port=0, ae_title="RADIOLUCENT", **settings)  # type: ignore[arg-type]
    server = DicomServer(rows, Doors(keep=kept.keep, refused=kept.refused), callers(allowed), tls=tls)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.stop(timeout_s=5)


def scu(
    title: str = "MODALITY", *, classes: Sequence[str] = (CR, VERIFICATION), syntaxes: Sequence[str] = SYNTAXES
) -> AE:
    ae = AE(ae_title=title)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 30
    for each in classes:
        ae.add_requested_context(each, list(syntaxes))
    return ae


OPENED: list[socket.socket] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """The library's own side of a connection that the door has cut stays open until it is collected."""
    yield
    for line in OPENED:
        line.close()
    OPENED.clear()


def remember(opened: evt.Event) -> None:
    line = opened.assoc.dul.socket
    if line is not None and line.socket is not None:
        OPENED.append(line.socket)


def call(
    server: DicomServer,
    ae: AE | None = None,
    *,
    called: str = "RADIOLUCENT",
    tls: object = None,
    handlers: Sequence[evt.EventHandlerType] = (),
) -> Association:
    secure = None if tls is None else (tls, "localhost")
    return (ae or scu()).associate(
        "127.0.0.1",
        server.port,
        ae_title=called,
        tls_args=secure,  # type: ignore[arg-type]
        evt_handlers=[(evt.EVT_CONN_OPEN, remember), *handlers],
    )


def rejection(server: DicomServer, ae: AE | None = None, **options: object) -> tuple[int | None, ...] | None:
    """Result, source and reason of a rejection as it came over the wire; ``None`` without one.

    The library's own side may lose it again, because its line closes at once.
    """
    answers: list[tuple[int | None, ...]] = []

    def heard(event: evt.Event) -> None:
        if isinstance(event.pdu, A_ASSOCIATE_RJ):
            answers.append((event.pdu.result, event.pdu.source, event.pdu.reason_diagnostic))

    association = call(server, ae, handlers=[(evt.EVT_PDU_RECV, heard)], **options)  # type: ignore[arg-type]
    assert not association.is_established or not answers
    return answers[0] if answers else None


def store(server: DicomServer, source: Dataset | None = None, **options: object) -> Dataset:
    association = call(server, **options)  # type: ignore[arg-type]
    assert association.is_established
    status = association.send_c_store(source or cr(lit(16, 16, at=(0, 0), side=4)))
    association.release()
    return status


def eventually(holds: Callable[[], bool]) -> None:
    """Wait for what must come about; the limit is one that only a defect reaches."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_success_is_said_only_after_the_door_has_returned() -> None:
    answered = threading.Event()
    seen: list[bool] = []
    kept = Kept(before=lambda: seen.append(answered.wait(0.3)))
    source = cr(lit(16, 16, at=(0, 0), side=4))
    with serving(kept) as server:
        status = store(server, source)
        answered.set()
    assert status.Status == 0x0000
    assert seen == [False]
    (offered,) = kept.offered
    assert (offered.sender, offered.peer) == ("MODALITY", "127.0.0.1")
    assert (offered.sop_class_uid, offered.sop_instance_uid) == (CR, source.SOPInstanceUID)
    assert offered.transfer_syntax_uid == ExplicitVRLittleEndian
    assert source.PixelData in bytes(offered.dataset)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PeerUnavailable("storage_full", found="f", expected="e", action="a"), 0xA700),
        (PeerUnavailable("database_unavailable", found="f", expected="e", action="a"), 0xA700),
        (InputRefused("uid_mismatch", found="f", expected="e", action="a"), 0xA900),
        (InputRefused("duplicate_uid", found="f", expected="e", action="a"), 0x0111),
        (InputRefused("unreadable_header", found="f" * 100, expected="e", action="a"), 0xC000),
        (InvariantBroken("reader_answer", found="f", expected="e", action="a"), 0x0110),
        (ZeroDivisionError("Marker^Patient^Name"), 0x0110),
    ],
    ids=lambda value: f"{value:04X}" if isinstance(value, int) else getattr(value, "code", "defect"),
)
def test_what_is_not_kept_has_a_status_and_is_on_record(error: Exception, status: int) -> None:
    kept = Kept(raises=error)
    with serving(kept) as server:
        answer = store(server)
    assert answer.Status == status
    assert len(answer.ErrorComment) <= 64
    assert "Marker" not in answer.ErrorComment
    assert kept.refusals == [(getattr(error, "code", "internal_error"), "MODALITY", "127.0.0.1")]


def test_a_refusal_that_cannot_be_recorded_keeps_its_status() -> None:
    kept = Kept(raises=PeerUnavailable("database_unavailable", found="f", expected="e", action="a"), cannot_record=True)
    with serving(kept) as server:
        assert store(server).Status == 0xA700


def test_echo_is_answered() -> None:
    with serving(Kept()) as server:
        association = call(server)
        told = association.acceptor.primitive.user_information
        assert [i.implementation_version_name for i in told if "Version" in type(i).__name__] == ["RADIOLUCENT_1"]
        assert association.acceptor.primitive.implementation_class_uid == IMPLEMENTATION_CLASS_UID
        assert association.send_c_echo().Status == 0x0000
        association.release()


def test_another_called_title_is_rejected_unless_any_is_taken() -> None:
    kept = Kept()
    with serving(kept) as server:
        assert rejection(server, called="ANOTHER") is not None
        eventually(lambda: bool(kept.refusals))
    assert kept.refusals == [("association_rejected", "MODALITY", "127.0.0.1")]
    with serving(Kept(), require_called_ae=False) as server:
        association = call(server, called="ANOTHER")
        assert association.is_established
        association.release()


def test_a_title_that_no_entry_names_is_rejected() -> None:
    kept = Kept()
    with serving(kept, allowed=[Caller(ae_title="CT", host="127.0.0.1")]) as server:
        assert rejection(server, scu("STRANGER")) is not None
        assert store(server, ae=scu("CT")).Status == 0x0000
        eventually(lambda: bool(kept.refusals))
    assert kept.refusals == [("association_rejected", "STRANGER", "127.0.0.1")]


def test_a_known_title_from_another_host_may_not_store() -> None:
    kept = Kept()
    allowed = [Caller(ae_title="CT", host="10.0.0.1"), Caller(ae_title="MR", host="127.0.0.1")]
    with serving(kept, allowed=allowed) as server:
        assert store(server, ae=scu("CT")).Status == 0x0124
        assert store(server, ae=scu("MR")).Status == 0x0000
    assert kept.refusals == [("caller_refused", "CT", "127.0.0.1")]
    assert [offered.sender for offered in kept.offered] == ["MR"]


def test_a_host_that_no_entry_names_is_not_even_listened_to() -> None:
    with serving(Kept(), allowed=[Caller(ae_title="*", host="10.0.0.1")]) as server:
        association = call(server)
        assert association.is_aborted or not association.is_established
        with socket.create_connection(("127.0.0.1", server.port), 10) as line:
            line.settimeout(30)
            assert line.recv(1) == b""


def test_too_many_associations_are_rejected_for_the_moment_and_the_next_is_taken() -> None:
    kept = Kept()
    with serving(kept, max_associations=2) as server:
        first, second = call(server), call(server)
        third = rejection(server)
        assert first.is_established
        assert second.is_established
        assert third == (2, 3, 2)
        eventually(lambda: bool(kept.refusals))
        assert [code for code, _, _ in kept.refusals] == ["association_rejected"]
        first.release()
        eventually(lambda: server.associations < 2)
        assert store(server).Status == 0x0000
        second.release()


@contextmanager
def watching(server: DicomServer) -> Iterator[list[int]]:
    """How many associations are open, again and again."""
    seen, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.002):
            seen.append(server.associations)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join(30)


def test_a_crowd_of_idle_sockets_is_capped_and_the_door_answers_afterwards() -> None:
    kept = Kept()
    with serving(kept, max_associations=4, idle_timeout_s=3.0) as server:
        with watching(server) as seen:
            lines = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(60)]
            eventually(lambda: max(seen) >= 8)
            for line in lines:  # whether refused at once or cut after a while
                line.settimeout(30)
                with contextlib.suppress(ConnectionResetError):
                    assert line.recv(1) == b""
                line.close()
            eventually(lambda: server.associations == 0)
        assert max(seen) == 8
        assert store(server).Status == 0x0000


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x01\x00\x00", id="half a PDU header"),
        pytest.param(b"\x01\x00\x00\x00\x10\x00" + bytes(100), id="half an A-ASSOCIATE-RQ"),
        pytest.param(b"\x04\x00\xff\xff\xff\xff" + bytes(100), id="a P-DATA-TF of 4 GB"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="another protocol"),
        pytest.param(b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00", id="a release of nothing"),
    ],
)
def test_a_connection_that_never_becomes_an_association_is_closed(sent: bytes) -> None:
    with serving(Kept(), idle_timeout_s=1.0) as server:
        with socket.create_connection(("127.0.0.1", server.port), 10) as line:
            line.sendall(sent)
            line.settimeout(30)
            with contextlib.suppress(ConnectionResetError):
                while line.recv(1000):
                    pass
            eventually(lambda: server.associations == 0)
        assert store(server).Status == 0x0000


def test_an_association_that_falls_silent_is_ended() -> None:
    with serving(Kept(), idle_timeout_s=1.0) as server:
        association = call(server)
        assert association.is_established
        eventually(lambda: not association.is_established)
        eventually(lambda: server.associations == 0)


def test_no_thread_is_left_of_stalled_connections() -> None:
    before = threading.active_count()
    with serving(Kept(), idle_timeout_s=3.0, max_associations=10) as server:
        lines = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(10)]
        for line in lines:
            line.sendall(b"\x01\x00\x00\x00\x10\x00half")
        eventually(lambda: server.associations >= 5)
        eventually(lambda: server.associations == 0)
        eventually(lambda: threading.active_count() <= before + 1)
        for line in lines:
            line.close()


def tampering(association: Association, *, replacing: bytes, by: bytes) -> None:
    """Change bytes on their way out; the lengths stay."""
    assert len(replacing) == len(by)
    line = association.dul.socket
    assert line is not None
    send = line.send

    def changed(data: bytes) -> None:
        send(data.replace(replacing, by))

    line.send = changed  # type: ignore[method-assign]


@pytest.mark.parametrize("way", ["abort", "hang up"])
def test_a_transfer_that_breaks_off_keeps_nothing(way: str) -> None:
    kept = Kept()
    with serving(kept) as server:
        association = call(server)
        line = association.dul.socket
        assert line is not None
        assert line.socket is not None
        sent: list[bytes] = []
        send = line.send

        def first_half(data: bytes) -> None:
            sent.append(data)
            if len(sent) <= 3:
                send(data)
            elif len(sent) == 4 and way == "abort":
                send(b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00")
            elif len(sent) == 4 and line.socket is not None:
                line.socket.shutdown(socket.SHUT_RDWR)

        line.send = first_half  # type: ignore[method-assign]
        assert "Status" not in association.send_c_store(cr(np.zeros((600, 600), np.uint16)))
        eventually(lambda: server.associations == 0)
        assert len(sent) > 3
        assert kept.offered == []
        assert store(server).Status == 0x0000


def contexts() -> list[str]:
    return [str(context.abstract_syntax) for context in AllStoragePresentationContexts]


def test_every_storage_class_and_every_transfer_syntax_is_accepted() -> None:
    with serving(Kept()) as server:
        accepted = set()
        for start in range(0, len(contexts()), 100):
            association = call(server, scu(classes=contexts()[start : start + 100]))
            accepted |= {str(context.abstract_syntax) for context in association.accepted_contexts}
            association.release()
        assert accepted == set(contexts())
        for syntax in ALL_TRANSFER_SYNTAXES:
            association = call(server, scu(classes=[CR], syntaxes=[syntax]))
            assert [c.transfer_syntax for c in association.accepted_contexts] == [[syntax]]
            association.release()


# From here on the door of an installation is behind it: what is kept is on disk and in the database.


@dataclass
class Archive:
    intake: Intake
    root: Path
    database: Database

    @property
    def files(self) -> list[Path]:
        return sorted(p for p in self.root.rglob("*") if p.is_file() and "sqlite" not in p.name)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    root = tmp_path / "data"
    database = Database(f"sqlite:///{root / 'store.sqlite'}")
    intake = Intake(
        Journal(database, clock=clock),
        Blobs(root, reserve_bytes=0),
        Meters(),
        Faults(),
        quiet_s=5.0,
        most_bytes=2**20,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
    )
    yield Archive(intake, root, database)
    database.close()


@contextmanager
def archiving(archive: Archive) -> Iterator[DicomServer]:
    doors = Doors(keep=lambda offered: archive.intake.keep(offered) and None, refused=archive.intake.refuse)
    server = DicomServer(Dicom(port=0), doors, callers(()))
    try:
        yield server
    finally:
        server.stop(timeout_s=5)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_the_dataset_is_kept_as_it_was_sent_behind_an_empty_preamble(archive: Archive, syntax: str) -> None:
    source = cr(lit(16, 16, at=(0, 0), side=4))
    source.preamble = b"MZ" + b"\x90" * 126
    source.file_meta.TransferSyntaxUID = syntax
    source.file_meta.PrivateInformationCreatorUID, source.file_meta.PrivateInformation = "1.2.3", b"payload"
    with archiving(archive) as server:
        assert store(server, source, ae=scu(syntaxes=[syntax])).Status == 0x0000
    (path,) = archive.files
    assert path.read_bytes()[:132] == b"\x00" * 128 + b"DICM"
    assert b"payload" not in path.read_bytes()
    kept = dcmread(path)
    assert kept.file_meta.TransferSyntaxUID == syntax
    assert kept.file_meta.MediaStorageSOPInstanceUID == source.SOPInstanceUID
    assert kept.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert kept.PatientName == source.PatientName
    assert kept.PixelData == source.PixelData


def test_a_compressed_dataset_that_nobody_can_decode_is_kept_too(archive: Archive) -> None:
    source = cr(lit(16, 16, at=(0, 0), side=4))
    source.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    source.PixelData = encapsulate([b"\xff\xd8 not a picture at all \xff\xd9"])
    source["PixelData"].is_undefined_length = True
    with archiving(archive) as server:
        assert store(server, source, ae=scu(syntaxes=[JPEGBaseline8Bit])).Status == 0x0000
    assert dcmread(archive.files[0]).file_meta.TransferSyntaxUID == JPEGBaseline8Bit


@pytest.mark.parametrize(
    "evil", ["../../../../evil", "/etc/evil/evil/x", "..\\..\\..\\..\\evil", "1.2.3\x00/../../evil"]
)
def test_a_uid_that_climbs_is_refused_and_nothing_is_written(archive: Archive, tmp_path: Path, evil: str) -> None:
    source = cr(lit(16, 16, at=(0, 0), side=4))
    source.SOPInstanceUID = "12345678901234567"[: len(evil)]
    source.file_meta.MediaStorageSOPInstanceUID = source.SOPInstanceUID
    with archiving(archive) as server:
        before = {p for p in tmp_path.rglob("*") if "sqlite" not in p.name}
        association = call(server)
        tampering(association, replacing=source.SOPInstanceUID.encode(), by=evil.encode())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            status = association.send_c_store(source)
        association.release()
    assert status.get("Status", 0xFFFF) != 0x0000
    assert {p for p in tmp_path.rglob("*") if "sqlite" not in p.name} == before
    assert not list(tmp_path.rglob("*evil*"))


def test_a_dataset_that_names_another_instance_than_the_request_is_refused(archive: Archive) -> None:
    source = cr(lit(16, 16, at=(0, 0), side=4), SOPInstanceUID="1.2.3.4.5.6.7.80")
    with archiving(archive) as server:
        association = call(server)
        request = struct.pack("<HHI", 0x0000, 0x1000, 16) + b"1.2.3.4.5.6.7.80"
        tampering(association, replacing=request, by=request[:-2] + b"81")
        assert association.send_c_store(source).Status == 0xA900
        association.release()
    assert archive.files == []


def test_too_large_damaged_and_doubled_instances(archive: Archive) -> None:
    source = cr(lit(16, 16, at=(0, 0), side=4))
    other = cr(lit(16, 16, at=(4, 4), side=4), SOPInstanceUID=source.SOPInstanceUID)
    with archiving(archive) as server:
        assert store(server, cr(np.zeros((1000, 600), np.uint16))).Status == 0xC000
        assert store(server, source).Status == 0x0000
        assert store(server, source).Status == 0x0000
        assert store(server, other).Status == 0x0111
    assert len(archive.files) == 1
    actions = [entry.text.split('"action":"')[1].split('"')[0] for entry in archive.intake._journal.log.entries()]
    assert actions == ["refuse", "receive", "receive", "refuse"]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


def test_tls_with_a_client_certificate(papers: Certificates) -> None:
    kept = Kept()
    with serving(kept, tls=papers.door()) as server:
        assert store(server, tls=papers.caller()).Status == 0x0000
        without = call(server, tls=papers.caller(shows_certificate=False))
        assert not without.is_established
    assert len(kept.offered) == 1


def test_plain_and_silent_callers_of_a_tls_port_hold_up_nobody(papers: Certificates) -> None:
    kept = Kept()
    with serving(kept, tls=papers.door(), max_associations=20, idle_timeout_s=5.0) as server:
        silent = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(4)]
        half = socket.create_connection(("127.0.0.1", server.port), 10)
        half.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
        assert not call(server).is_established
        assert store(server, tls=papers.caller()).Status == 0x0000
        for line in (*silent, half):
            line.close()
        eventually(lambda: server.associations == 0)
    assert len(kept.offered) == 1


def test_a_handshake_that_never_ends_does_not_hold_up_the_stop(papers: Certificates) -> None:
    with serving(Kept(), tls=papers.door(), idle_timeout_s=30.0) as server:
        lines = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(3)]
        lines[0].sendall(b"\x16\x03\x01\x02\x00\x01")
        eventually(lambda: server.associations == len(lines))
        began = time.monotonic()
        server.stop(timeout_s=20)
        assert time.monotonic() - began < 5
        for line in lines:
            line.close()


def test_a_port_in_use_stops_the_start() -> None:
    with serving(Kept()) as server, pytest.raises(SettingsError, match="port_in_use"):
        DicomServer(Dicom(port=server.port), Doors(keep=Kept().keep, refused=Kept().refused), callers(()))


def test_a_running_transfer_is_finished_when_the_door_closes() -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert goes_on.wait(30)

    kept = Kept(before=wait)
    with serving(kept) as server:
        answers: list[int] = []
        sender = threading.Thread(target=lambda: answers.append(store(server).Status))
        sender.start()
        assert begun.wait(30)
        closing = threading.Thread(target=server.stop, kwargs={"timeout_s": 30})
        closing.start()
        goes_on.set()
        sender.join(60)
        closing.join(60)
    assert answers == [0x0000]
    assert len(kept.offered) == 1
