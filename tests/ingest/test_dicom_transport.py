"""How associations wait and read: whole PDUs in large pieces, no PDU without end, any number of open files."""

from __future__ import annotations

import os
import resource
import socket
import struct
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from dicom_factory import CR, cr, lit
from pynetdicom import AE, evt
from pynetdicom.association import Association

from radiolucent.ingest import dicom_transport
from radiolucent.ingest.callers import callers
from radiolucent.ingest.dicom_server import DicomServer, Doors
from radiolucent.ingest.dicom_transport import MOST_PDU_BYTES, PIECE_BYTES, Checkpoint, Provider, Socket
from radiolucent.records.door import Offered
from radiolucent.settings import Dicom

VERIFICATION = "1.2.840.10008.1.1"


@pytest.fixture
def line() -> Iterator[tuple[Socket, socket.socket, list[str]]]:
    """Our end, the peer's end, and what the state machine was told."""
    ours, theirs = socket.socketpair()
    told: list[str] = []
    queue = SimpleNamespace(put=told.append)
    association = SimpleNamespace(dul=SimpleNamespace(event_queue=queue))
    yield Socket(association, client_socket=ours), theirs, told  # type: ignore[arg-type]
    ours.close()
    theirs.close()


@pytest.fixture
def offered() -> list[Offered]:
    return []


@pytest.fixture
def server(offered: list[Offered]) -> Iterator[DicomServer]:
    doors = Doors(keep=offered.append, refused=lambda *_: None)
    made = DicomServer(Dicom(port=0, idle_timeout_s=20), doors, callers(()))
    yield made
    made.stop(timeout_s=5)


def associated(server: DicomServer) -> Association:
    ae = AE(ae_title="MODALITY")
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 30
    for each in (CR, VERIFICATION):
        ae.add_requested_context(each)
    association = ae.associate("127.0.0.1", server.port, ae_title="RADIOLUCENT")
    assert association.is_established
    return association


def test_all_bytes_come_however_they_are_cut(line: tuple[Socket, socket.socket, list[str]]) -> None:
    ours, theirs, _ = line
    wanted = os.urandom(2 * PIECE_BYTES + 77)

    def send() -> None:
        for start in range(0, len(wanted), 50_021):
            theirs.sendall(wanted[start : start + 50_021])

    sender = threading.Thread(target=send)
    sender.start()
    head, rest = ours.recv(6), ours.recv(len(wanted) - 6)
    sender.join(30)
    assert head + rest == wanted


def test_a_connection_that_ends_gives_what_came(line: tuple[Socket, socket.socket, list[str]]) -> None:
    ours, theirs, _ = line
    theirs.sendall(b"half")
    theirs.close()
    assert ours.recv(100) == b"half"


def test_a_length_beyond_any_pdu_is_not_waited_for(line: tuple[Socket, socket.socket, list[str]]) -> None:
    ours, theirs, _ = line
    theirs.sendall(b"x" * 10)
    with pytest.raises(OSError, match="longer than any"):
        ours.recv(MOST_PDU_BYTES + 1)


def test_readiness(line: tuple[Socket, socket.socket, list[str]]) -> None:
    ours, theirs, told = line
    assert not ours.ready
    theirs.sendall(b"x")
    assert ours.ready
    assert told == ["Evt5"]
    assert ours.socket is not None
    ours.socket.close()
    assert not ours.ready
    assert told == ["Evt5", "Evt17"]


def test_a_checkpoint_holds_whoever_has_news_while_it_is_cleared() -> None:
    news = threading.Event()
    checkpoint = Checkpoint(news)
    news.set()
    assert checkpoint.wait()
    assert not news.is_set()
    checkpoint.clear()
    passed = threading.Event()
    waiter = threading.Thread(target=lambda: checkpoint.wait() and passed.set())
    waiter.start()
    news.set()
    assert not passed.wait(4 * dicom_transport.LONGEST_S)
    checkpoint.set()
    assert passed.wait(30)
    waiter.join(30)


def test_a_pdu_of_four_gigabytes_ends_its_connection_and_no_other(server: DicomServer) -> None:
    good = associated(server)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as bad:
        bad.sendall(struct.pack(">BBL", 1, 0, 2**32 - 1) + b"x" * 100)
        while bad.recv(4096):
            pass
    assert good.send_c_echo().Status == 0
    good.release()


def test_more_open_files_than_select_can_watch(server: DicomServer) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard) if hard >= 0 else 4096, hard))
    held: list[int] = []
    try:
        first = os.open(os.devnull, os.O_RDONLY)
        held = [first, *(os.dup(first) for _ in range(1100))]
        assert max(held) > 1024  # what select() can hold (FD_SETSIZE)
        os.close(held.pop(0))  # the one place that is low enough for the requesting side, which is pynetdicom alone
        seen: list[int] = []
        server._server.bind(evt.EVT_ESTABLISHED, lambda event: seen.append(event.assoc.dul.socket.socket.fileno()))
        association = associated(server)
        assert seen[0] > 1024
        assert association.send_c_echo().Status == 0
        association.release()
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_every_association_reads_by_our_own_parts_and_leaves_nothing_open(
    server: DicomServer, offered: list[Offered]
) -> None:
    seen: list[Association] = []
    server._server.bind(evt.EVT_ESTABLISHED, lambda event: seen.append(event.assoc))
    association = associated(server)
    assert association.send_c_store(cr(lit(64, 64, at=(0, 0), side=4))).Status == 0
    association.release()
    assert len(offered) == 1
    (theirs,) = seen
    theirs.join(30)
    provider = theirs.dul
    assert isinstance(provider, Provider)
    provider.join(30)
    assert not provider.is_alive()
    assert (provider._bell.fileno(), provider._rope.fileno()) == (-1, -1)
    assert provider.network_timeout == 20
    assert provider._idle_timer.timeout == 20
