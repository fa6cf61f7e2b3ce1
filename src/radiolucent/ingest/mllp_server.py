"""The HL7 door: MLLP over TCP or TLS, answered only when the handler has kept what the message says."""

from __future__ import annotations

import contextlib
import logging
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from radiolucent import logs
from radiolucent.errors import InputRefused, RadiolucentError, SettingsError
from radiolucent.ingest.hl7_acknowledge import acknowledgements
from radiolucent.ingest.hl7_header import ReadingOptions, read_header
from radiolucent.ingest.hl7_message import read_message
from radiolucent.ingest.hl7_refusals import answer_to, refused, too_large
from radiolucent.records.hl7 import Answer, Hl7Header, Hl7Message
from radiolucent.standards.mllp import MAX_MESSAGE_BYTES, Decoder, Frame, frame

_LOG = logging.getLogger(__name__)
_READ_BYTES = 64 * 1024
_NOT_KEPT = Answer(code="AE", error_code="207", text="The message was not kept. Send it again.")

Handler = Callable[[Hl7Message], Answer]
"""Keeps what a message says, and returns when that is committed. It must be idempotent by ``header.key``: a sender that
did not see our answer sends the message again."""
Told = Callable[[str, Hl7Header, str], None]
"""Hears of every message that was not taken: error code, header (empty if unreadable), address of the sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpDoor:
    """Where the door is and what it lets in.

    Parameters
    ----------
    port
        0 takes a free one.
    allows
        Whether an address may call.
    idle_timeout_s
        A connection is closed when no whole message arrived for so long; a trickle of bytes does not keep it open.
    """

    host: str = "127.0.0.1"
    port: int = 2575
    allows: Callable[[str], bool]
    max_connections: int = 16
    idle_timeout_s: float = 300.0
    max_message_bytes: int = MAX_MESSAGE_BYTES
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    tls: ssl.SSLContext | None = None


class MllpServer:
    """The running door: one thread for each connection, one message after the other on each.

    Parameters
    ----------
    handler, told
        Called on the threads of the connections, several at a time.
    clock
        The time of an answer.

    Raises
    ------
    SettingsError
        ``port_in_use``.
    """

    def __init__(self, door: MllpDoor, handler: Handler, *, told: Told, clock: Callable[[], datetime]) -> None:
        self._server: _Server
        try:
            self._server = (_Server6 if ":" in door.host else _Server)(door, _Desk(door, handler, told, clock))
        except OSError as error:
            raise SettingsError(
                "port_in_use",
                found=f"port {door.port}, which cannot be opened",
                expected="a free port of this machine that may be opened",
                action="Stop what uses it, or change mllp.port or mllp.host.",
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="hl7-door", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is open."""
        return int(self._server.server_address[1])

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._server.connections

    def stop(self, *, timeout_s: float = 10.0) -> bool:
        """Take no more; let the messages being handled end and be answered.

        Gives back whether all ended in time. A message that had arrived and was not begun stays unanswered, so its
        sender keeps it.
        """
        self._server.shutdown()
        self._thread.join(timeout_s)
        self._server.server_close()
        return self._server.hang_up(timeout_s)


class _Desk:
    """Reads a frame, has it kept, and says what is answered."""

    def __init__(self, door: MllpDoor, handler: Handler, told: Told, clock: Callable[[], datetime]) -> None:
        self._door, self._handler, self._told, self._clock = door, handler, told, clock

    def answers(self, arrived: Frame, peer: str) -> tuple[bytes, ...]:
        """The acknowledgements of one frame."""
        header = Hl7Header()
        try:
            header = read_header(arrived.payload)
            self._whole(arrived)
            answer = self._handler(read_message(arrived.payload, peer=peer, options=self._door.reading))
        except InputRefused as error:
            answer = answer_to(error)
            self._refuse(error.code, header, peer)
        except Exception as error:  # noqa: BLE001  whatever it was, the sender must keep the message
            answer = _NOT_KEPT
            self._refuse(error.code if isinstance(error, RadiolucentError) else "internal_error", header, peer)
        return acknowledgements(header, answer, self._clock())

    def _whole(self, arrived: Frame) -> None:
        if arrived.fault == "too_large":
            raise too_large(f"{self._door.max_message_bytes} bytes")
        if arrived.fault == "no_end_block":
            raise refused(
                "hl7_incomplete",
                "a message without an end block before the next one",
                "FS and CR after each message",
                "Send it again, whole.",
            )

    def _refuse(self, code: str, header: Hl7Header, peer: str) -> None:
        logs.event(_LOG, "hl7_not_taken", level=logging.WARNING, code=code)
        # What listens to refusals must not cost the sender its answer.
        try:
            self._told(code, header, peer)
        except Exception:  # noqa: BLE001
            logs.event(_LOG, "hl7_refusal_not_recorded", level=logging.ERROR, error=True)


class _Server(socketserver.ThreadingTCPServer):
    """Counts its connections, and can end them."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, door: MllpDoor, desk: _Desk) -> None:
        self.door, self.desk = door, desk
        self.stopping = threading.Event()
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        super().__init__((door.host, door.port), _Connection)

    @property
    def connections(self) -> int:
        with self._changed:
            return len(self._open)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept a connection; its TLS handshake happens on its own thread, so that nobody else waits for it."""
        connection, address = self.socket.accept()
        if self.door.tls is None:
            return connection, address
        try:
            return self.door.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address
        except OSError:
            connection.close()
            raise

    def verify_request(self, request: object, client_address: object) -> bool:
        """Strangers and crowds are hung up on before a thread is spent on them."""
        assert isinstance(client_address, tuple)
        assert isinstance(request, socket.socket)
        with self._changed:
            if len(self._open) >= self.door.max_connections or not self.door.allows(str(client_address[0])):
                return False
            self._open.add(request)
            return True

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """A connection has ended, or was not taken."""
        assert isinstance(request, socket.socket)
        super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def hang_up(self, timeout_s: float) -> bool:
        """Wake the connections that wait for a message, and wait for those that handle one."""
        self.stopping.set()
        deadline = time.monotonic() + timeout_s
        with self._changed:
            for each in self._open:
                # Reading only: the answer to a message in hand still has to go out. Not by SSLSocket.shutdown, which
                # ends TLS at once, so that the answer would go out in the clear.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(each, socket.SHUT_RD)
            return self._changed.wait_for(lambda: not self._open, max(0.0, deadline - time.monotonic()))

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that breaks is no news; nothing of it is printed."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Connection(socketserver.BaseRequestHandler):
    """One connection, on its own thread."""

    server: _Server
    request: socket.socket

    def handle(self) -> None:
        """Read, answer, and so on until either side ends it."""
        with contextlib.suppress(OSError):
            self.request.settimeout(self.server.door.idle_timeout_s)
            if isinstance(self.request, ssl.SSLSocket):
                self.request.do_handshake()
            self._converse()

    def _converse(self) -> None:
        idle_timeout_s = self.server.door.idle_timeout_s
        decoder = Decoder(self.server.door.max_message_bytes)
        deadline = time.monotonic() + idle_timeout_s
        while not self.server.stopping.is_set() and (left := deadline - time.monotonic()) > 0:
            self.request.settimeout(left)
            data = self.request.recv(_READ_BYTES)
            if not data:
                return
            for arrived in decoder.feed(data):
                if self.server.stopping.is_set():
                    return
                self._answer(arrived)
                deadline = time.monotonic() + idle_timeout_s

    def _answer(self, arrived: Frame) -> None:
        answers = self.server.desk.answers(arrived, str(self.client_address[0]))
        self.request.settimeout(self.server.door.idle_timeout_s)
        for each in answers:
            self.request.sendall(frame(each))
