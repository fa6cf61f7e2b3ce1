"""How an association waits and reads: woken by what comes, where pynetdicom alone looks a thousand times a second.

pynetdicom runs two threads for an association; each sleeps a millisecond, looks, and sleeps again (as its own source
says, an event would be better). With a few open associations that costs more than receiving does, and what is read
comes in pieces of 4 kB. The classes here stand in for four of its parts and leave the protocol itself to it.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import C_STORE, DimsePrimitiveType
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import A_ABORT, A_ASSOCIATE, A_P_ABORT, A_RELEASE, P_DATA
from pynetdicom.transport import T_CONNECT, AssociationSocket, RequestHandler

Primitive = A_ABORT | A_ASSOCIATE | A_P_ABORT | A_RELEASE | P_DATA | T_CONNECT
LONGEST_S = 0.05
"""Time-outs and the end of an association are seen within this time."""
OTHER_S = 0.001
PIECE_BYTES = 2**18
LAST_COMMAND = b"\x03"
"""Message control header: a command, and its last fragment (PS3.8 E.2)."""
STORE_RESPONSE, NO_DATASET = b"\x01\x80", b"\x01\x01"
MOST_PDU_BYTES = 2**20
"""No PDU is longer than what we accept (PS3.8 9.3.1), which is less; a length beyond is a way to fill our memory."""


def _is_readable(*sockets: socket.socket, timeout_s: float) -> bool:
    """Whether one of them has something, or is closed; any number of open files is fine, as it is not for `select`."""
    poll = select.poll()
    for each in sockets:
        poll.register(each, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


class Socket(AssociationSocket):
    """Reads in large pieces."""

    @property
    def ready(self) -> bool:
        """Whether there is something to read; a broken connection is told to the state machine as closed."""
        if self.socket is None or not self._is_connected:
            return False
        try:
            is_buffered = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0
            return is_buffered or _is_readable(self.socket, timeout_s=0)
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False

    def recv(self, nr_bytes: int) -> bytearray:
        """So many bytes, or fewer where the connection ends before.

        Raises
        ------
        OSError
            For more than `MOST_PDU_BYTES`; pynetdicom ends the connection then.
        """
        if nr_bytes > MOST_PDU_BYTES:
            raise OSError("a PDU longer than any that we accept")
        assert self.socket is not None
        found, count = bytearray(nr_bytes), 0
        with memoryview(found) as room:
            while count < nr_bytes:
                came = self.socket.recv_into(room[count : count + PIECE_BYTES])
                if not came:
                    break
                count += came
        del found[count:]
        return found


class Provider(DULServiceProvider):
    """The upper layer (PS3.8 section 9): rests until the peer or our own side has something for it."""

    def __init__(self, association: Association, news: threading.Event) -> None:
        self._news = news
        self._bell, self._rope = socket.socketpair()
        super().__init__(association)

    @property
    def _run_loop_delay(self) -> float:
        """How long pynetdicom is to sleep before its next look: not at all, because the waiting is done here."""
        if threading.current_thread() is not self:
            return OTHER_S  # another thread waits for this one to end
        self._rest()
        return 0.0

    @_run_loop_delay.setter
    def _run_loop_delay(self, _seconds: float) -> None:
        """pynetdicom's own value."""

    def send_pdu(self, primitive: Primitive) -> None:
        """Queue what is to be sent, and ring."""
        super().send_pdu(primitive)  # type: ignore[arg-type]
        self._ring()

    def kill_dul(self) -> None:
        """End the thread at its next look."""
        super().kill_dul()
        self._ring()

    def run_reactor(self) -> None:
        """Look and rest until killed."""
        try:
            super().run_reactor()
        finally:
            self._bell.close()
            self._rope.close()
            self._news.set()

    def _rest(self) -> None:
        association = self.assoc
        if not (association.dimse.msg_queue.empty() and self.to_user_queue.empty()):
            self._news.set()
        held = self.socket
        peer = None if held is None else held.socket
        if peer is not None and isinstance(peer, ssl.SSLSocket) and peer.pending():
            return
        watched = (self._bell,) if peer is None or peer.fileno() < 0 else (self._bell, peer)
        try:
            _is_readable(*watched, timeout_s=LONGEST_S)
            self._bell.recv(64, socket.MSG_DONTWAIT)
        except (BlockingIOError, ValueError, OSError):
            return  # nobody rang, or the connection went while we looked: the next look finds out

    def _ring(self) -> None:
        try:
            self._rope.send(b"!", socket.MSG_DONTWAIT)
        except OSError:
            return  # it rings already, or the thread is gone


class Messages(DIMSEServiceProvider):
    """Writes the answer to an instance that was kept, which is a few bytes, without a dataset in between.

    Making a dataset of it, and that into bytes, takes a tenth of the time of receiving a CT slice.
    """

    def send_msg(self, primitive: DimsePrimitiveType, context_id: int) -> None:
        """Queue a message; that of success to a C-STORE (PS3.7 table 9.3-2) in one fragment (PS3.8 annex E)."""
        if not isinstance(primitive, C_STORE) or primitive.MessageIDBeingRespondedTo is None or primitive.Status != 0:
            super().send_msg(primitive, context_id)
            return
        data = P_DATA()
        data.presentation_data_value_list.append((context_id, LAST_COMMAND + _success(primitive)))
        self.dul.send_pdu(data)


def _success(answer: C_STORE) -> bytes:
    """C-STORE-RSP in Implicit VR Little Endian (PS3.7 6.3.1)."""
    body = b"".join(
        (
            _command(0x0002, _padded(answer.AffectedSOPClassUID)),
            _command(0x0100, STORE_RESPONSE),
            _command(0x0120, struct.pack("<H", answer.MessageIDBeingRespondedTo)),
            _command(0x0800, NO_DATASET),
            _command(0x0900, b"\0\0"),
            _command(0x1000, _padded(answer.AffectedSOPInstanceUID)),
        )
    )
    return _command(0x0000, struct.pack("<L", len(body))) + body


def _command(element: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0x0000, element, len(value)) + value


def _padded(uid: str | None) -> bytes:
    value = (uid or "").encode("ascii")
    return value + b"\0" * (len(value) % 2)


class Checkpoint(threading.Event):
    """Where an association's thread may be held (pynetdicom clears it); it also waits here until there is news."""

    def __init__(self, news: threading.Event) -> None:
        super().__init__()
        self._news = news
        self.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for news or a moment, and until nobody holds the thread."""
        while super().wait(timeout):
            self._news.wait(LONGEST_S)
            self._news.clear()
            if self.is_set():
                return True
        return False


class Handler(RequestHandler):
    """Gives every accepted connection its association, with the parts above."""

    def _create_association(self) -> Association:
        association = super()._create_association()
        news = threading.Event()
        association.dul = Provider(association, news)
        association.dimse = Messages(association)
        association.set_socket(Socket(association, client_socket=self.request))
        association._reactor_checkpoint = Checkpoint(news)
        # Both pass a time-out on to the provider that they have.
        association.acse_timeout = association.acse_timeout
        association.network_timeout = association.network_timeout
        return association
