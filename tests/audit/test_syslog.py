"""Audit messages to real listeners: TLS with a throwaway authority, plain TCP, UDP."""

from __future__ import annotations

import datetime as dt
import ipaddress
import queue
import re
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_cases import AT, event
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from radiolucent.audit.atna import message
from radiolucent.audit.participants import Reporter
from radiolucent.audit.syslog import LARGEST_DATAGRAM, Collector, SyslogSender, framed, syslog_message
from radiolucent.errors import PeerUnavailable, SettingsError

HEADER = re.compile(
    rb"<(?P<pri>\d{1,3})>1 (?P<at>\S+) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) "
    rb"(?P<id>[!-~]{1,32}) - \xef\xbb\xbf(?P<text>.*)",
    re.DOTALL,
)
WAIT_S = 30


def _authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    return _certificate("authority", None)


def _certificate(
    name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


class Pki:
    """An authority, and certificates of a server and of a client, in files."""

    def __init__(self, folder: Path) -> None:
        authority = _authority()
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(authority[0].public_bytes(Encoding.PEM))
        self.server = self._write(folder / "server.pem", _certificate("localhost", authority))
        self.client = self._write(folder / "client.pem", _certificate("reader-1", authority))

    @staticmethod
    def _write(path: Path, made: tuple[x509.Certificate, ec.EllipticCurvePrivateKey]) -> Path:
        key = made[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(key + made[0].public_bytes(Encoding.PEM))
        return path

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        return context


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


class Listener:
    """Takes octet-counted messages, ``per_connection`` of each connection; the first ``refused`` ones it hangs up."""

    def __init__(self, tls: ssl.SSLContext | None = None, per_connection: int = 1000, refused: int = 0) -> None:
        self.messages: queue.Queue[bytes] = queue.Queue()
        self.ends: queue.Queue[str] = queue.Queue()
        self._tls, self._per_connection, self._refused = tls, per_connection, refused
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                if self._refused:
                    self._refused -= 1
                    continue
                connection.settimeout(WAIT_S)
                try:
                    served = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
                except OSError:
                    self.ends.put("no handshake")
                    continue
                with served, served.makefile("rb") as stream:
                    try:
                        self.ends.put(self._read(stream))
                    except OSError:
                        self.ends.put("broken")

    def _read(self, stream: object) -> str:
        for _ in range(self._per_connection):
            count = b""
            while not count.endswith(b" "):
                byte = stream.read(1)  # type: ignore[attr-defined]
                if not byte:
                    return "ended" if not count else "cut"
                count += byte
            self.messages.put(stream.read(int(count)))  # type: ignore[attr-defined]
        return "hung up"

    def take(self) -> bytes:
        return self.messages.get(timeout=WAIT_S)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(WAIT_S)


@pytest.fixture
def listeners() -> Iterator[list[Listener]]:
    opened: list[Listener] = []
    yield opened
    for listener in opened:
        listener.close()


def tls_sender(port: int, pki: Pki, context: ssl.SSLContext | None = None, host: str = "localhost") -> SyslogSender:
    return SyslogSender(Collector(host=host, port=port), tls=context or pki.context(), host="reader-1")


def wait_until_hung_up(sender: SyslogSender) -> None:
    connection = sender._socket
    assert connection is not None
    while sender._is_open(connection):
        assert select.select([connection], [], [], WAIT_S)[0]


def test_the_message_is_rfc_5424() -> None:
    text = message(event(actor="Müller"), Reporter())
    raw = syslog_message(text, at=AT, host="reader 1.exämple", application="a" * 60, process="")
    found = HEADER.fullmatch(raw)
    assert found is not None
    assert found["pri"] == b"85"
    assert found["at"] == b"2026-03-04T05:06:07.000089Z"
    assert found["host"] == b"reader_1.ex_mple"
    assert (found["app"], found["proc"], found["id"]) == (b"a" * 48, b"-", b"DICOM+RFC3881")
    assert found["text"].decode("utf-8") == text


def test_the_octet_count_is_of_bytes() -> None:
    assert framed("é".encode()) == b"2 \xc3\xa9"


def test_over_tls(pki: Pki, listeners: list[Listener]) -> None:
    listeners.append(Listener(pki.server_context()))
    with tls_sender(listeners[0].port, pki) as sender:
        for actor in ("CT_ONE", "Müller"):
            sender.send(message(event(actor=actor), Reporter()), at=AT)
        sender.send("x" * 40_000, at=AT)  # PS3.15 A.6 wants 32,768 octets at least
        texts = []
        for _ in range(3):
            found = HEADER.fullmatch(listeners[0].take())
            assert found is not None
            texts.append(found["text"].decode())
    assert 'UserID="CT_ONE"' in texts[0]
    assert 'UserID="Müller"' in texts[1]
    assert texts[2] == "x" * 40_000
    assert listeners[0].ends.get(timeout=WAIT_S) == "ended", "the end of TLS was announced, on one connection"


@pytest.mark.parametrize("with_tls", [True, False])
def test_it_connects_again_after_the_collector_hung_up(pki: Pki, listeners: list[Listener], with_tls: bool) -> None:
    listeners.append(Listener(pki.server_context() if with_tls else None, per_connection=1))
    plain = Collector(host="127.0.0.1", port=listeners[0].port, transport="tcp")
    with tls_sender(listeners[0].port, pki) if with_tls else SyslogSender(plain) as sender:
        for text in ("one", "two", "three"):
            sender.send(text, at=AT)
            assert listeners[0].take().endswith(text.encode())
            wait_until_hung_up(sender)


def test_a_certificate_of_another_authority(pki: Pki, listeners: list[Listener], tmp_path: Path) -> None:
    listeners.append(Listener(pki.server_context()))
    other = Pki(tmp_path)
    with tls_sender(listeners[0].port, pki, other.context()) as sender, pytest.raises(PeerUnavailable) as raised:
        sender.send("secret", at=AT)
    assert raised.value.code == "syslog_unavailable"
    assert "secret" not in str(raised.value)
    assert listeners[0].messages.empty()


def test_a_certificate_of_another_name(pki: Pki, listeners: list[Listener]) -> None:
    listeners.append(Listener(pki.server_context()))
    with tls_sender(listeners[0].port, pki, host="127.0.0.2") as sender, pytest.raises(PeerUnavailable):
        sender.send("secret", at=AT)


def test_a_collector_that_wants_our_certificate(pki: Pki, listeners: list[Listener]) -> None:
    wanted = pki.server_context()
    wanted.verify_mode = ssl.CERT_REQUIRED
    wanted.load_verify_locations(pki.ca)
    listeners.append(Listener(wanted))
    shown = pki.context()
    shown.load_cert_chain(pki.client)
    with tls_sender(listeners[0].port, pki, shown) as sender:
        sender.send("shown", at=AT)
        assert listeners[0].take().endswith(b"shown")


def test_plain_tcp_where_it_is_stated(listeners: list[Listener]) -> None:
    listeners.append(Listener())
    with SyslogSender(Collector(host="127.0.0.1", port=listeners[0].port, transport="tcp"), host="r") as sender:
        sender.send("plain", at=AT)
        assert listeners[0].take().startswith(b"<85>1 ")
    assert Collector(host="127.0.0.1").transport == "tls"
    assert Collector(host="127.0.0.1").port == 6514


def test_udp_where_it_is_stated() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(WAIT_S)
        collector = Collector(host="127.0.0.1", port=server.getsockname()[1], transport="udp")
        with SyslogSender(collector, host="reader-1") as sender:
            for text in ("one", "two"):
                sender.send(text, at=AT)
                raw = server.recv(70_000)
                assert raw.startswith(b"<85>1 ")
                assert raw.endswith(text.encode())
            with pytest.raises(SettingsError) as raised:
                sender.send("x" * LARGEST_DATAGRAM, at=AT)
            assert raised.value.code == "syslog_too_long"


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for collector in (
        Collector(host="127.0.0.1", port=port, transport="tcp"),
        Collector(host="host..example", port=port, transport="tcp"),
        Collector(host="host..example", port=port, transport="udp"),
    ):
        with SyslogSender(collector) as sender, pytest.raises(PeerUnavailable):
            sender.send("text", at=AT)


def test_a_collector_that_says_nothing_in_the_handshake(pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        collector = Collector(host="127.0.0.1", port=mute.getsockname()[1], timeout_s=0.2)
        with SyslogSender(collector, tls=pki.context()) as sender, pytest.raises(PeerUnavailable):
            sender.send("text", at=AT)


def test_it_recovers_after_a_failure(pki: Pki, listeners: list[Listener]) -> None:
    listeners.append(Listener(pki.server_context(), refused=1))
    with tls_sender(listeners[0].port, pki) as sender:
        with pytest.raises(PeerUnavailable):
            sender.send("lost", at=AT)
        sender.send("kept", at=AT)
        assert listeners[0].take().endswith(b"kept")
