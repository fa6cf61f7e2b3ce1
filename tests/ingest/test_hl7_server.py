"""The HL7 door on a real socket: what is answered, when, and to whom."""

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading

import hl7
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hl7.client import MLLPClient
from hl7_cases import MARKER, a40, msh, orm

from radiolucent.errors import PeerUnavailable, SettingsError
from radiolucent.ingest.mllp_server import MllpDoor, MllpServer
from radiolucent.records.hl7 import Answer
from radiolucent.standards.mllp import Decoder, frame

NOW = datetime.datetime(2025, 3, 1, tzinfo=datetime.UTC)


class Ward:
    """A handler that keeps what it got, and can be told to wait or to fail."""

    def __init__(self):
        self.kept, self.told = [], []
        self.fails = None
        self.entered, self.free = threading.Event(), threading.Event()
        self.free.set()

    def keep(self, message):
        self.entered.set()
        assert self.free.wait(30)
        if self.fails is not None:
            raise self.fails
        if message.header.key not in [each.header.key for each in self.kept]:
            self.kept.append(message)
        return Answer()

    def hear(self, code, header, peer):
        self.told.append((code, header.control_id, peer))


@pytest.fixture
def ward():
    return Ward()


@pytest.fixture
def opened(ward):
    servers = []

    def start(**changes):
        given = {"port": 0, "allows": lambda _: True, "idle_timeout_s": 30.0} | changes
        servers.append(MllpServer(MllpDoor(**given), ward.keep, told=ward.hear, clock=lambda: NOW))
        return servers[-1]

    yield start
    ward.free.set()
    for each in servers:
        assert each.stop()


class Sender:
    def __init__(self, server, *, tls=None):
        self.line = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        if tls is not None:
            self.line = tls.wrap_socket(self.line, server_hostname="localhost")
        self.decoder, self.frames = Decoder(), []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.line.close()

    def send(self, data):
        self.line.sendall(data)
        return self

    def answer(self):
        while not self.frames:
            data = self.line.recv(4096)
            assert data, "hung up"
            self.frames += self.decoder.feed(data)
        return hl7.parse(self.frames.pop(0).payload.decode())

    def verdict(self):
        answer = self.answer()
        return answer.extract_field("MSA", 1, 1), answer.extract_field("MSA", 1, 2)

    def is_hung_up(self):
        try:
            return self.line.recv(1) == b""
        except ConnectionError:
            return True


def test_an_order_is_kept_and_then_acknowledged(opened, ward):
    ward.free.clear()
    with Sender(opened()) as sender:
        sender.send(frame(orm()))
        assert ward.entered.wait(20)
        sender.line.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sender.answer()
        ward.free.set()
        sender.line.settimeout(20)
        assert sender.verdict() == ("AA", "MSG00001")
    assert [each.orders[0].accession_number for each in ward.kept] == ["ACC1"]
    assert ward.kept[0].peer == "127.0.0.1"


def test_a_sender_that_is_not_ours(opened, ward):
    with MLLPClient("127.0.0.1", opened().port) as client:
        for message in (orm(), a40()):
            (answer,) = Decoder().feed(client.send_message(message))
            assert hl7.parse(answer.payload.decode()).extract_field("MSA", 1, 1) == "AA"
    assert [len(each.orders) + len(each.merges) for each in ward.kept] == [1, 1]


def test_split_and_crowded_reads(opened, ward):
    with Sender(opened()) as sender:
        stream = frame(orm()) + b"\r\n noise" + frame(a40())
        for at in range(0, len(stream), 37):
            sender.send(stream[at : at + 37])
        assert [sender.verdict(), sender.verdict()] == [("AA", "MSG00001"), ("AA", "MSG00004")]
    assert len(ward.kept) == 2


def test_the_same_message_again_gets_the_same_answer(opened, ward):
    with Sender(opened()) as sender:
        first = str(sender.send(frame(orm())).answer())
        again = str(sender.send(frame(orm())).answer())
    assert first == again
    assert len(ward.kept) == 1


def test_what_cannot_be_kept_is_not_accepted_and_nothing_is_given_away(opened, ward):
    ward.fails = RuntimeError(MARKER)
    with Sender(opened()) as sender:
        answer = sender.send(frame(orm())).answer()
        assert answer.extract_field("MSA", 1, 1) == "AE"
        assert MARKER not in str(answer)
        ward.fails = PeerUnavailable("database_gone", found=MARKER, expected="", action="")
        assert MARKER not in str(sender.send(frame(orm())).answer())
        ward.fails = None
        assert sender.send(frame(orm())).verdict() == ("AA", "MSG00001")
    assert [code for code, _, _ in ward.told] == ["internal_error", "database_gone"]


@pytest.mark.parametrize(
    ("stream", "expected", "told"),
    [
        (b"\x0b" + orm() + frame(orm()), [("AE", "MSG00001"), ("AA", "MSG00001")], ["hl7_incomplete"]),
        (frame(orm() + a40()), [("AR", "MSG00001")], ["hl7_several_messages"]),
        (frame(b"GET / HTTP/1.1"), [("AR", "")], ["hl7_not_a_message"]),
        (frame(orm(pid="PID|1||1||MÜLLER")), [("AR", "MSG00001")], ["hl7_undecodable"]),
        (frame(orm(header=msh("ORU^R01"))), [("AR", "MSG00001")], ["hl7_message_type"]),
        (frame(orm(orc="ORC|NW", obr="OBR|1")), [("AE", "MSG00001")], ["hl7_field_missing"]),
    ],
)
def test_wrong_messages_are_answered_told_and_never_handled(opened, ward, stream, expected, told):
    with Sender(opened()) as sender:
        sender.send(stream)
        assert [sender.verdict() for _ in expected] == expected
        assert sender.send(frame(orm())).verdict() == ("AA", "MSG00001")
    assert [code for code, _, _ in ward.told] == told


def test_a_hundred_megabytes_in_one_field(opened, ward):
    with Sender(opened(max_message_bytes=2**20)) as sender:
        sender.send(b"\x0b" + orm() + b"NTE|1||")
        for _ in range(100):
            sender.send(b"x" * 2**20)
        sender.send(b"\x1c\r")
        assert sender.verdict() == ("AR", "MSG00001")
        assert sender.send(frame(orm())).verdict() == ("AA", "MSG00001")
    assert ward.told == [("hl7_too_large", "MSG00001", "127.0.0.1")]


def test_enhanced_mode_on_the_wire(opened):
    with Sender(opened()) as sender:
        sender.send(frame(orm(header=msh("ORM^O01", accept="AL", application="AL"))))
        assert [sender.verdict()[0], sender.verdict()[0]] == ["CA", "AA"]
        sender.send(frame(orm(header=msh("ORM^O01", accept="NE", application="NE", control="SILENT"))))
        assert sender.send(frame(orm())).verdict() == ("AA", "MSG00001")


def test_strangers_are_hung_up_on(opened, ward):
    asked = []

    def allows(address):
        asked.append(address)
        return False

    with Sender(opened(allows=allows)) as sender:
        assert sender.is_hung_up()
    assert asked == ["127.0.0.1"]
    assert ward.kept == []


def test_no_more_connections_than_allowed(opened):
    server = opened(max_connections=2)
    with Sender(server) as first, Sender(server) as second:
        for sender in (first, second):
            assert sender.send(frame(orm())).verdict()[0] == "AA"
        with Sender(server) as third:
            assert third.is_hung_up()
        assert server.connections == 2
        assert first.send(frame(orm())).verdict()[0] == "AA"


def test_who_only_trickles_is_hung_up_on(opened, ward):
    with Sender(opened(idle_timeout_s=0.3)) as sender:
        sender.send(b"\x0bMSH|")
        sender.line.settimeout(0.02)
        for _ in range(500):
            try:
                with contextlib.suppress(TimeoutError):
                    assert sender.line.recv(1) == b""
                    break
                sender.send(b"x")
            except ConnectionError:
                break
        else:
            pytest.fail("a trickle keeps the connection open")
    assert ward.kept == []


def test_stopping_lets_the_message_in_hand_end(opened, ward):
    server = opened()
    ward.free.clear()
    with Sender(server) as busy, Sender(server) as idle:
        busy.send(frame(orm()) + frame(a40()))
        assert ward.entered.wait(20)
        stopped = []
        stopping = threading.Thread(target=lambda: stopped.append(server.stop(timeout_s=30)))
        stopping.start()
        assert idle.is_hung_up()
        ward.free.set()
        assert busy.verdict() == ("AA", "MSG00001")
        assert busy.is_hung_up()
        stopping.join(30)
    assert stopped == [True]
    assert len(ward.kept) == 1
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_a_port_in_use_is_said(opened):
    with pytest.raises(SettingsError) as caught:
        opened(port=opened().port)
    assert caught.value.code == "port_in_use"


def certificate(folder, name, issuer=None):
    """A certificate for this machine; self-signed, or signed by an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer, signing_key = (issuer[0].subject, issuer[1]) if issuer else (subject, key)
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(signing_key, hashes.SHA256())
    )
    pem = folder / f"{name}.pem"
    pem.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made, key, pem


@pytest.fixture
def contexts(tmp_path):
    """Of a server that wants client certificates, of a client that has one, and of one that has none."""
    root = certificate(tmp_path, "root")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate(tmp_path, "server", root)[2])
    server.load_verify_locations(root[2])
    server.verify_mode = ssl.CERT_REQUIRED
    known, unknown = (ssl.create_default_context(cafile=str(root[2])) for _ in range(2))
    known.load_cert_chain(certificate(tmp_path, "client", root)[2])
    return server, known, unknown


def is_turned_away(server, tls):
    """Whether the server ends it: in the handshake, or (TLS 1.3) at the first read after it."""
    try:
        with Sender(server, tls=tls) as stranger:
            return stranger.send(frame(orm())).line.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_tls_with_client_certificates(opened, ward, contexts):
    server_side, known, unknown = contexts
    server = opened(tls=server_side)
    assert is_turned_away(server, unknown)
    assert ward.kept == []
    with Sender(server, tls=known) as sender:
        assert sender.send(frame(orm())).verdict() == ("AA", "MSG00001")


def test_the_last_answer_before_stopping_is_still_encrypted(opened, ward, contexts):
    server_side, known, _ = contexts
    server = opened(tls=server_side)
    ward.free.clear()
    with Sender(server, tls=known) as sender:
        sender.send(frame(orm()))
        assert ward.entered.wait(20)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        while not server._server.stopping.is_set():
            stopping.join(0.01)
        ward.free.set()
        assert sender.verdict() == ("AA", "MSG00001")
        stopping.join(30)
