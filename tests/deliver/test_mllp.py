"""Sending to real listeners that answer well, badly, late, in part or not at all."""

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hl7_cases import MARKER, POSITIVE
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message
from hypothesis import given
from hypothesis import strategies as st

from radiolucent.deliver.mllp import MllpPeer, _read, send
from radiolucent.errors import PeerRefused, PeerUnavailable
from radiolucent.ingest.mllp_server import MllpDoor, MllpServer
from radiolucent.report.hl7 import Hl7Route, build_oru
from radiolucent.standards.mllp import Decoder, frame

MESSAGE = build_oru(
    POSITIVE,
    Hl7Route(
        destination="ehr",
        sending_application="RADIOLUCENT",
        sending_facility="RADIOLOGY",
        receiving_application="EHR",
        receiving_facility="HOSPITAL",
    ),
)
ID = MESSAGE.control_id


def ack(code, control_id=ID, *more, end="\r"):
    lines = ("MSH|^~\\&|EHR|HOSPITAL|RADIOLUCENT|RADIOLOGY|20250301||ACK^R01^ACK|1|P|2.5.1", f"MSA|{code}|{control_id}")
    return end.join((*lines, *more, "")).encode()


class Listener:
    """Takes one message, then does what its script says with the connection."""

    def __init__(self, script, tls=None):
        self.script, self.tls = script, tls
        self.got = []
        self.over = threading.Event()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        # A peer that goes away is part of the tests.
        with contextlib.suppress(OSError):
            line, _ = self.server.accept()
            with line:
                if self.tls is not None:
                    line = self.tls.wrap_socket(line, server_side=True)
                with line:
                    line.settimeout(20)
                    decoder = Decoder()
                    while not self.got:
                        data = line.recv(65536)
                        if not data:
                            return
                        self.got += [each.payload for each in decoder.feed(data)]
                    self.script(line, self.over)

    def close(self):
        self.over.set()
        self.server.close()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def listen():
    opened = []

    def start(script, tls=None):
        listener = Listener(script, tls)
        opened.append(listener)
        return listener

    yield start
    for each in opened:
        each.close()


def says(*pieces):
    def script(line, over):
        for piece in pieces:
            line.sendall(piece)
        # Keeps the line open, so that what is missing is missing and not cut off.
        over.wait(20)

    return script


def hangs_up(*pieces):
    def script(line, over):
        for piece in pieces:
            line.sendall(piece)

    return script


def trickles(line, over):
    while not over.wait(0.01):
        line.sendall(b"x")


def send_to(listener, *, answer_timeout_s=20.0, tls=None, host="127.0.0.1"):
    peer = MllpPeer(host=host, port=listener.server.getsockname()[1], answer_timeout_s=answer_timeout_s, tls=tls)
    return send(MESSAGE.payload, ID, peer)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (says(frame(ack("AA"))), "AA"),
        (says(frame(ack("CA"))), "CA"),
        (says(b"noise\r\n", frame(ack("AA"))[:9], frame(ack("AA"))[9:]), "AA"),
        (says(frame(ack("AA", ID, f"ERR||||W||||{MARKER}"))), "AA"),
        (says(frame(ack("AA", end="\r\n"))), "AA"),
        (hangs_up(frame(ack("AA"))), "AA"),
        (says(frame(ack("CA")) + frame(ack("AE"))), "CA"),
    ],
)
def test_taken(listen, script, code):
    listener = listen(script)
    assert send_to(listener) == code
    assert listener.got == [MESSAGE.payload]


BAD = {
    "AE": (says(frame(ack("AE"))), PeerUnavailable, "hl7_application_error"),
    "CE": (says(frame(ack("CE"))), PeerUnavailable, "hl7_application_error"),
    "AR": (says(frame(ack("AR"))), PeerRefused, "hl7_rejected"),
    "CR": (says(frame(ack("CR"))), PeerRefused, "hl7_rejected"),
    "AR of a header it cannot read": (says(frame(ack("AR", ""))), PeerRefused, "hl7_rejected"),
    "AA of nothing": (says(frame(ack("AA", ""))), PeerUnavailable, "hl7_wrong_acknowledgement"),
    "AA of another": (says(frame(ack("AA", "OTHER"))), PeerUnavailable, "hl7_wrong_acknowledgement"),
    "AR of another": (says(frame(ack("AR", "OTHER"))), PeerUnavailable, "hl7_wrong_acknowledgement"),
    "a code of its own": (says(frame(ack("OK"))), PeerUnavailable, "hl7_garbled_acknowledgement"),
    "no MSA": (says(frame(ack("AA").split(b"\r")[0])), PeerUnavailable, "hl7_garbled_acknowledgement"),
    "no HL7": (says(frame(b"OK")), PeerUnavailable, "hl7_garbled_acknowledgement"),
    "an empty frame": (says(frame(b"")), PeerUnavailable, "hl7_garbled_acknowledgement"),
    "no delimiters": (says(frame(b"MSH\rMSA|AA|" + ID.encode())), PeerUnavailable, "hl7_garbled_acknowledgement"),
    "two starts": (says(b"\x0bhalf" + frame(ack("AA"))), PeerUnavailable, "hl7_garbled_acknowledgement"),
    "too long": (says(frame(b"x" * 10**6)), PeerUnavailable, "hl7_garbled_acknowledgement"),
    "hangs up": (hangs_up(), PeerUnavailable, "hl7_no_acknowledgement"),
    "half, then hangs up": (hangs_up(frame(ack("AA"))[:-1]), PeerUnavailable, "hl7_no_acknowledgement"),
}


@pytest.mark.parametrize("name", BAD)
def test_not_taken(listen, name):
    script, kind, code = BAD[name]
    listener = listen(script)
    with pytest.raises(kind) as caught:
        send_to(listener)
    assert caught.value.code == code
    assert listener.got == [MESSAGE.payload]


@pytest.mark.parametrize("script", [says(), says(frame(ack("AA"))[:-2]), trickles])
def test_whoever_is_too_slow_is_given_up(listen, script):
    with pytest.raises(PeerUnavailable) as caught:
        send_to(listen(script), answer_timeout_s=0.3)
    assert caught.value.code == "hl7_no_acknowledgement"


def test_slow_is_not_too_slow(listen):
    def slowly(line, over):
        for byte in frame(ack("AA")):
            time.sleep(0.001)
            line.sendall(bytes((byte,)))

    assert send_to(listen(slowly)) == "AA"


class Filing(AbstractHandler):
    """A handler of hl7apy's own server: parses the result, files it, acknowledges it."""

    def __init__(self, message, filed):
        super().__init__(message)
        self.filed = filed

    def reply(self):
        result = parse_message(self.incoming_message, find_groups=True)
        self.filed.append(result.oru_r01_patient_result.oru_r01_order_observation.obr.obr_18.to_er7())
        return frame(ack("AA", result.msh.msh_10.to_er7())).decode()


def test_a_listener_that_is_not_ours():
    filed = []
    with MLLPServer("127.0.0.1", 0, {"ORU^R01^ORU_R01": (Filing, filed)}) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            peer = MllpPeer(host="127.0.0.1", port=server.server_address[1])
            assert send(MESSAGE.payload, ID, peer) == "AA"
        finally:
            server.shutdown()
            thread.join(20)
    assert filed == ["ACC1"]


def test_the_words_of_a_listener_go_no_further(listen):
    script = says(frame(ack("AE", ID, f"ERR||PID^1^5|102^{MARKER}^HL70357|E||||{MARKER}")))
    with pytest.raises(PeerUnavailable) as caught:
        send_to(listen(script))
    assert MARKER not in str(caught.value)
    assert "condition 102" in str(caught.value)


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(PeerUnavailable) as caught:
        send(MESSAGE.payload, ID, MllpPeer(host="127.0.0.1", port=port))
    assert caught.value.code == "hl7_unreachable"


def test_a_name_that_does_not_resolve():
    with pytest.raises(PeerUnavailable) as caught:
        send(MESSAGE.payload, ID, MllpPeer(host="nowhere.invalid", port=2575))
    assert caught.value.code == "hl7_unreachable"


@pytest.fixture
def certified(tmp_path):
    """A server context, and a client context that trusts it; its certificate is for ``localhost`` alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "listener")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "listener.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cadata=made.public_bytes(serialization.Encoding.PEM).decode())


def test_tls(listen, certified):
    server_side, client_side = certified
    listener = listen(says(frame(ack("AA"))), tls=server_side)
    assert send_to(listener, tls=client_side, host="localhost") == "AA"
    assert listener.got == [MESSAGE.payload]


@pytest.mark.parametrize("case", ["another name", "unknown issuer", "no TLS at all"])
def test_tls_that_cannot_be_trusted_sends_nothing(listen, certified, case):
    server_side, client_side = certified
    listener = listen(says(frame(ack("AA"))), tls=None if case == "no TLS at all" else server_side)
    trusting = ssl.create_default_context() if case == "unknown issuer" else client_side
    host = "127.0.0.1" if case == "another name" else "localhost"
    # A plain listener never shakes hands; that is given up in time.
    peer = MllpPeer(host=host, port=listener.server.getsockname()[1], connect_timeout_s=1.0, tls=trusting)
    with pytest.raises(PeerUnavailable) as caught:
        send(MESSAGE.payload, ID, peer)
    assert caught.value.code == "hl7_tls"
    assert MARKER.encode() not in b"".join(listener.got)


def test_our_own_door_answers_our_own_sender():
    told = []
    door = MllpDoor(port=0, allows=lambda address: ipaddress.ip_address(address).is_loopback)
    server = MllpServer(
        door,
        lambda message: pytest.fail("a result is no order"),
        told=lambda code, header, peer: told.append((code, header.control_id)),
        clock=lambda: datetime.datetime(2025, 3, 1, tzinfo=datetime.UTC),
    )
    try:
        with pytest.raises(PeerRefused) as caught:
            send(MESSAGE.payload, ID, MllpPeer(host="127.0.0.1", port=server.port))
    finally:
        assert server.stop()
    assert (caught.value.code, told) == ("hl7_rejected", [("hl7_message_type", ID)])
    assert "condition 200" in str(caught.value)


PIECES = st.sampled_from([b"MSH|^~\\&|", b"\rMSA|AA|1", b"\rERR|", b"|", b"^", b"&", b"\r", b"MSH", b"\xff", b"~"])


@given(st.lists(PIECES | st.binary(max_size=6), max_size=12))
def test_any_answer_is_read_or_garbled(pieces):
    try:
        found = _read(b"".join(pieces))
    except PeerUnavailable as error:
        found = (error.code,)
    assert found == ("hl7_garbled_acknowledgement",) or len(found) == 3
