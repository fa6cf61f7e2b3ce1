"""Sending by STOW-RS to a real HTTP server that answers as told."""

import base64
import contextlib
import json
import socket
import threading
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import delivery_peers as peers
import pydicom
import pytest

from radiolucent.deliver import stow
from radiolucent.errors import InvariantBroken, PeerRefused, PeerUnavailable
from radiolucent.records.destination import WebPeer


def answer(*, stored=(), failed=()):
    """The body for these instance numbers; ``failed`` with their reasons."""
    body = {"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": [peers.uid(n)]}} for n in stored]}}
    body["00081198"] = {
        "vr": "SQ",
        "Value": [
            {"00081155": {"vr": "UI", "Value": [peers.uid(n)]}, "00081197": {"vr": "US", "Value": [reason]}}
            for n, reason in failed
        ],
    }
    return json.dumps(body).encode()


class Server:
    """Gives ``answers`` (status and body) in turn; then takes everything."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.url = ""

    def reply(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.requests.append((handler.path, handler.headers, body))
        if self.answers:
            return self.answers.pop(0)
        numbers = [int(uid.rpartition(".")[2]) for uid in uids(body, handler.headers["Content-Type"])]
        return 200, answer(stored=numbers)

    @property
    def sent(self):
        return [uids(body, headers["Content-Type"]) for _, headers, body in self.requests]

    def peer(self, **options):
        return WebPeer(url=self.url, **options)


def parts(body, media_type):
    boundary = media_type.rpartition("boundary=")[2].encode()
    pieces = body.split(b"--" + boundary)
    assert pieces[0] == b""
    assert pieces[-1] == b"--\r\n"
    return [piece.removeprefix(b"\r\n").removesuffix(b"\r\n").partition(b"\r\n\r\n") for piece in pieces[1:-1]]


def uids(body, media_type):
    return [
        str(pydicom.dcmread(pydicom.filebase.DicomBytesIO(file)).SOPInstanceUID)
        for _, _, file in parts(body, media_type)
    ]


@contextlib.contextmanager
def running(*answers, tls=None):
    told = Server(*answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            status, body = told.reply(self)
            self.send_response(status)
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(body)))
            if status in (301, 302):
                self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            pass

    with Quiet(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        told.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/dicom-web"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()


def test_files_arrive_byte_by_byte_in_one_request(tmp_path):
    paths = peers.write(tmp_path, 3)
    with running() as server:
        sent = stow.store(paths, server.peer())
    assert sent.is_complete
    assert sent.stored == (peers.uid(1), peers.uid(2), peers.uid(3))
    ((path, headers, body),) = server.requests
    assert path == "/dicom-web/studies"
    assert headers["Content-Type"].startswith('multipart/related; type="application/dicom"; boundary=')
    assert headers["Transfer-Encoding"] is None
    assert "application/dicom+json" in headers["Accept"]
    found = parts(body, headers["Content-Type"])
    assert [file for _, _, file in found] == [path.read_bytes() for path in paths]
    for head, _, _ in found:
        assert BytesParser().parsebytes(head)["Content-Type"] == "application/dicom"


def test_many_files_go_in_several_requests(tmp_path, monkeypatch):
    monkeypatch.setattr(stow, "MOST_FILES", 2)
    with running() as server:
        sent = stow.store(peers.write(tmp_path, 5), server.peer())
    assert [len(each) for each in server.sent] == [2, 2, 1]
    assert sent.is_complete


def test_each_instance_has_its_own_outcome(tmp_path):
    told = answer(stored=[1], failed=[(2, 0xC000), (3, 0x0111)])
    with running((202, told)) as server:
        sent = stow.store(peers.write(tmp_path, 3), server.peer())
    assert sent.stored == (peers.uid(1), peers.uid(3))
    assert [receipt.status for receipt in sent.receipts] == [0, 0x0111]
    assert sent.missing == (peers.uid(2),)
    assert isinstance(sent.error, PeerRefused)
    assert sent.error.code == "object_refused"
    assert "C000" in sent.error.found


def test_a_full_server_is_tried_later(tmp_path):
    with running((409, answer(failed=[(1, 0xA700)]))) as server:
        sent = stow.store(peers.write(tmp_path, 1), server.peer())
    assert isinstance(sent.error, PeerUnavailable)
    assert sent.error.code == "peer_out_of_resources"


def test_after_a_partial_failure_only_the_rest_is_sent(tmp_path):
    paths = peers.write(tmp_path, 3)
    with running((202, answer(stored=[1, 2], failed=[(3, 0xA700)]))) as server:
        first = stow.store(paths, server.peer())
        rest = [path for path in paths if pydicom.dcmread(path).SOPInstanceUID in first.missing]
        second = stow.store(rest, server.peer())
    assert second.is_complete
    assert server.sent == [[peers.uid(1), peers.uid(2), peers.uid(3)], [peers.uid(3)]]


def test_an_object_that_is_not_mentioned_is_not_stored(tmp_path):
    with running((200, answer(stored=[1]))) as server:
        sent = stow.store(peers.write(tmp_path, 2), server.peer())
    assert sent.stored == (peers.uid(1),)
    assert sent.error.code == "object_unmentioned"


@pytest.mark.parametrize("status", [200, 202, 409])
def test_a_login_page_is_no_receipt(status, tmp_path):
    with running((status, b"<html>log in</html>")) as server:
        sent = stow.store(peers.write(tmp_path, 1), server.peer())
    assert isinstance(sent.error, PeerRefused)
    assert sent.error.code == "dicomweb_answer_unreadable"
    assert sent.missing == (peers.uid(1),)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 507])
def test_a_busy_server_is_tried_later_and_spared_the_rest(status, tmp_path, monkeypatch):
    monkeypatch.setattr(stow, "MOST_FILES", 1)
    with running((200, answer(stored=[1])), (status, b"")) as server:
        sent = stow.store(peers.write(tmp_path, 3), server.peer())
    assert sent.stored == (peers.uid(1),)
    assert isinstance(sent.error, PeerUnavailable)
    assert sent.error.code == "dicomweb_busy"
    assert str(status) in sent.error.found
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 413, 415, 501])
def test_a_no_is_for_the_operator(status, tmp_path):
    with running((status, b"")) as server:
        sent = stow.store(peers.write(tmp_path, 1), server.peer())
    assert isinstance(sent.error, PeerRefused)
    assert sent.error.code == "dicomweb_refused"
    assert str(status) in sent.error.found


def test_an_endless_answer_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(stow, "MOST_ANSWER_BYTES", 1000)
    with running((200, answer(stored=[1]) + b" " * 2000)) as server:
        sent = stow.store(peers.write(tmp_path, 1), server.peer())
    assert sent.error.code == "dicomweb_answer_unreadable"


def test_a_server_that_is_not_there(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        peer = WebPeer(url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        sent = stow.store(peers.write(tmp_path, 1), peer)
    assert isinstance(sent.error, PeerUnavailable)
    assert sent.error.code == "dicomweb_unreachable"


def test_a_server_that_says_nothing(tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        peer = WebPeer(url=f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.3)
        sent = stow.store(peers.write(tmp_path, 1), peer)
    assert sent.error.code == "dicomweb_unreachable"


def test_bearer_token(tmp_path):
    with running() as server:
        stow.store(peers.write(tmp_path, 1), server.peer(token="secret-1"))
    assert server.requests[0][1]["Authorization"] == "Bearer secret-1"


def test_basic_authentication(tmp_path):
    with running() as server:
        stow.store(peers.write(tmp_path, 1), server.peer(user="me", password="secret-2"))
    assert server.requests[0][1]["Authorization"] == "Basic " + base64.b64encode(b"me:secret-2").decode()


def test_secrets_are_not_shown():
    shown = repr(WebPeer(url="http://pacs", token="secret-1", user="me", password="secret-2"))
    assert "secret" not in shown


def test_the_environment_has_no_say(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with running() as server:
        assert stow.store(peers.write(tmp_path, 1), server.peer()).is_complete


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return peers.certificates(tmp_path_factory.mktemp("certificates"))


def test_both_sides_show_certificates(certificates, tmp_path):
    with running(tls=certificates.door()) as server:
        assert stow.store(peers.write(tmp_path, 1), server.peer(tls=certificates.caller())).is_complete


@pytest.mark.parametrize("wrong", [{"trusts": False}, {"shows_certificate": False}])
def test_a_certificate_is_missing(certificates, tmp_path, wrong):
    with running(tls=certificates.door()) as server:
        sent = stow.store(peers.write(tmp_path, 1), server.peer(tls=certificates.caller(**wrong)))
    assert sent.error.code == "dicomweb_unreachable"
    assert server.requests == []


def test_a_file_that_is_gone_is_our_fault(tmp_path):
    with pytest.raises(InvariantBroken) as raised:
        stow.store([tmp_path / "gone.dcm"], WebPeer(url="http://127.0.0.1:1"))
    assert raised.value.code == "own_object_unreadable"
