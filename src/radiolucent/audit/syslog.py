"""Audit messages to a syslog collector: RFC 5424 over TLS (RFC 5425), or plain TCP or UDP where that is stated.

Syslog has no answer: a message that was written into a connection is not known to have been kept. The chain keeps
everything, so what a collector lost can be sent again.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from radiolucent.audit.canonical import utc
from radiolucent.errors import PeerUnavailable, SettingsError

Transport = Literal["tls", "tcp", "udp"]
PRIORITY = 10 * 8 + 5
"""Facility 10 (security), severity 5 (normal but significant): PS3.15 A.6."""
MESSAGE_ID = "DICOM+RFC3881"
LARGEST_DATAGRAM = 65_507
"""Bytes that a UDP datagram over IPv4 can hold."""
_BOM = b"\xef\xbb\xbf"
_NOT_PRINTABLE = re.compile("[^\x21-\x7e]+")


def syslog_message(
    audit_message: str, *, at: datetime, host: str, application: str = "radiolucent", process: str = "-"
) -> bytes:
    """A syslog message (RFC 5424 section 6) around an audit message, without structured data.

    ``host``, ``application`` and ``process`` are cut to 255, 48 and 128 characters; what is no printable ASCII in them
    becomes ``_``. The audit message follows a byte order mark, which says that it is UTF-8.
    """
    header = (
        f"<{PRIORITY}>1 {utc(at)} {_header(host, 255)} {_header(application, 48)} {_header(process, 128)} "
        f"{MESSAGE_ID} - "
    )
    return header.encode("ascii") + _BOM + audit_message.encode("utf-8")


def _header(text: str, longest: int) -> str:
    return _NOT_PRINTABLE.sub("_", text)[:longest] or "-"


def framed(message: bytes) -> bytes:
    """A message with its octet count before it (RFC 5425 section 4.3; over plain TCP RFC 6587 section 3.4.1)."""
    return str(len(message)).encode("ascii") + b" " + message


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """Where audit messages go. ``timeout_s``: seconds to connect, and to write one message."""

    host: str
    port: int = 6514
    transport: Transport = "tls"
    timeout_s: float = 10.0


class SyslogSender:
    """One connection to a collector, made when it is needed and again after it broke. Not for several threads at once.

    Parameters
    ----------
    collector
        Where to.
    tls
        For ``transport="tls"``; by default the system's authorities, the host's name checked, TLS 1.2 or later.
    host
        Our own name in the messages; by default that of this machine.
    """

    def __init__(self, collector: Collector, *, tls: ssl.SSLContext | None = None, host: str = "") -> None:
        self._collector = collector
        self._tls = (tls or ssl.create_default_context()) if collector.transport == "tls" else None
        self._host = host or socket.gethostname()
        self._socket: socket.socket | None = None

    def send(self, audit_message: str, *, at: datetime) -> None:
        """Send an audit message of the time ``at``.

        A connection that the collector closed meanwhile is made anew, once.

        Raises
        ------
        PeerUnavailable
            ``syslog_unavailable`` where the collector cannot be reached, does not prove who it is, or breaks off.
        SettingsError
            ``syslog_too_long`` for a message that no datagram can hold.
        """
        message = syslog_message(audit_message, at=at, host=self._host, process=str(os.getpid()))
        if self._collector.transport == "udp" and len(message) > LARGEST_DATAGRAM:
            raise _too_long()
        data = message if self._collector.transport == "udp" else framed(message)
        try:
            if self._socket is not None and not self._is_open(self._socket):
                self.close()
            if self._socket is not None and self._wrote(self._socket, data):
                return
            self._socket = self._connect()
            self._socket.sendall(data)
        except (OSError, UnicodeError) as error:  # UnicodeError: a host name that no resolver can be asked for
            self.close()
            raise _unavailable(error) from error

    def _wrote(self, connection: socket.socket, data: bytes) -> bool:
        try:
            connection.sendall(data)
        except OSError:
            # In part or not at all: half a message is dropped with its connection, so it goes whole over a new one.
            self.close()
            return False
        return True

    def _connect(self) -> socket.socket:
        host, port, timeout = self._collector.host, self._collector.port, self._collector.timeout_s
        if self._collector.transport == "udp":
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            datagram = socket.socket(family, kind, protocol)
            try:
                datagram.settimeout(timeout)
                datagram.connect(address)
            except OSError:
                datagram.close()
                raise
            return datagram
        stream = socket.create_connection((host, port), timeout)
        if self._tls is None:
            return stream
        try:
            return self._tls.wrap_socket(stream, server_hostname=host)
        except OSError:
            stream.close()
            raise

    def _is_open(self, connection: socket.socket) -> bool:
        """Whether the collector has not ended the connection. It never says anything else, so all it said is read."""
        if self._collector.transport == "udp":
            return True
        connection.settimeout(0)
        try:
            while connection.recv(1024):
                pass
            return False
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        finally:
            connection.settimeout(self._collector.timeout_s)

    def close(self) -> None:
        """End the connection, if there is one; with TLS the end is announced (RFC 5425 section 4.4)."""
        connection, self._socket = self._socket, None
        if connection is None:
            return
        try:
            if isinstance(connection, ssl.SSLSocket):
                connection.settimeout(0)  # announced, not waited for
                connection.unwrap().close()
        except (OSError, ValueError):
            pass
        finally:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _unavailable(error: Exception) -> PeerUnavailable:
    return PeerUnavailable(
        "syslog_unavailable",
        found=f"an audit collector that cannot be reached or broke off ({type(error).__name__})",
        expected="a syslog collector at the address in the settings, with a certificate that its authority signed",
        action="It is tried again and nothing is lost; look at audit.syslog_host and its TLS rows if it stays.",
    )


def _too_long() -> SettingsError:
    return SettingsError(
        "syslog_too_long",
        found="an audit message that is longer than a UDP datagram",
        expected=f"at most {LARGEST_DATAGRAM} bytes",
        action='Set audit.syslog_transport = "tls".',
    )
