"""STOW-RS before real HTTP: what is kept, what is not, and what the sender is told."""

import gzip
import io
import socket
import zipfile
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest
from dicom_factory import MARKER_NAME
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid
from web import dicomweb_objects as objects
from web.dicomweb_archive import MemoryArchive, encoded, serving

from radiolucent.errors import InputRefused, PeerUnavailable
from radiolucent.web.dicomweb.limits import WebLimits
from radiolucent.web.dicomweb.routes import dicomweb_app

LIMITS = WebLimits(max_part_bytes=20_000, max_request_bytes=60_000, max_parts=10, idle_timeout_s=1.0)
KIND = 'multipart/related; type="application/dicom"; boundary=xyz'


@pytest.fixture
def archive():
    return MemoryArchive()


@pytest.fixture
def client(archive):
    with serving(dicomweb_app(archive, archive, LIMITS)) as address, httpx.Client(base_url=address, timeout=60) as http:
        yield http


def body_of(*parts, kind="application/dicom"):
    heads = (f"--xyz\r\nContent-Type: {kind}\r\n\r\n".encode() + part + b"\r\n" for part in parts)
    return b"".join(heads) + b"--xyz--\r\n"


def post(client, body, path="/studies", kind=KIND, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, content=body, headers={"Content-Type": kind} | headers)


def failures(answer):
    items = answer.json().get("00081198", {}).get("Value", []) + answer.json().get("0008119A", {}).get("Value", [])
    return [item["00081197"]["Value"][0] for item in items]


def kept(answer):
    return [item["00081155"]["Value"][0] for item in answer.json().get("00081199", {}).get("Value", [])]


def test_all_kept(client, archive):
    first, second = (objects.grey()[0] for _ in range(2))
    for ds in (first, second):
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID
    answer = post(client, body_of(encoded(first), encoded(second)))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    assert answer.headers["cache-control"] == "private, no-store"
    assert kept(answer) == [first.SOPInstanceUID, second.SOPInstanceUID]
    item = answer.json()["00081199"]["Value"][0]
    assert item["00081150"]["Value"] == [str(first.SOPClassUID)]
    assert client.get(item["00081190"]["Value"][0]).status_code == 200
    assert answer.json()["00081190"]["Value"][0].endswith(f"/studies/{objects.STUDY}")
    assert (archive.offered[0].sender, archive.offered[0].peer) == ("STOW-RS", "127.0.0.1")
    # Once more: the same instance is no failure.
    assert post(client, body_of(encoded(first))).status_code == 200


def test_one_instance_without_parts(client, archive):
    ds, _ = objects.grey()
    answer = post(client, encoded(ds), kind="application/dicom")
    assert (answer.status_code, kept(answer)) == (200, [ds.SOPInstanceUID])
    assert post(client, b"x" * 20_001, kind="application/dicom").status_code == 413


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian], ids=str)
def test_any_transfer_syntax_is_kept_as_it_came(client, archive, syntax):
    ds, _ = objects.in_syntax(syntax)
    data = encoded(ds)
    assert post(client, body_of(data)).status_code == 200
    assert data.endswith(bytes(archive.offered[0].dataset))
    assert archive.offered[0].transfer_syntax_uid == syntax


def test_some_kept(client):
    good, other = objects.grey()[0], objects.grey()[0]
    changed = objects.grey()[0]
    changed.SOPInstanceUID = changed.file_meta.MediaStorageSOPInstanceUID = good.SOPInstanceUID
    changed.PatientID = "ANOTHER"
    other.StudyInstanceUID = "1.2.3"
    directory = objects.grey(SOPClassUID="1.2.840.10008.1.3.10")[0]
    body = body_of(*(encoded(ds) for ds in (good, changed, other, directory)), b"not DICOM", b"")
    answer = post(client, body, path=f"/studies/{objects.STUDY}")
    assert answer.status_code == 202
    assert kept(answer) == [good.SOPInstanceUID]
    named = answer.json()["00081198"]["Value"]
    assert [item["00081155"]["Value"][0] for item in named] == [
        good.SOPInstanceUID,
        other.SOPInstanceUID,
        directory.SOPInstanceUID,
    ]
    assert failures(answer) == [0x0111, 0xA900, 0x0122, 0xC000, 0xC000]


def test_private_classes_are_kept(client):
    ds = objects.grey(SOPClassUID="1.3.12.2.1107.5.9.1")[0]
    assert post(client, body_of(encoded(ds))).status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (PeerUnavailable("storage_full", found="", expected="", action=""), 503, 0xA700),
        (InputRefused("caller_refused", found="", expected="", action=""), 409, 0x0124),
        (InputRefused("truncated_file", found="", expected="", action=""), 409, 0xC000),
        (RuntimeError(MARKER_NAME), 409, 0x0110),
    ],
)
def test_none_kept(client, archive, error, status, reason):
    archive.raises = error
    answer = post(client, body_of(encoded(objects.grey()[0])))
    assert (answer.status_code, failures(answer)) == (status, [reason])
    assert "Marker" not in answer.text
    assert ("retry-after" in answer.headers) is (status == 503)


@pytest.mark.parametrize("bad", ["../../../../etc/passwd", "1.2/../3", "1..2", "", "1.2\\1.3"])
def test_an_identifier_that_is_none_is_refused(client, archive, bad):
    ds, _ = objects.grey()
    data = encoded(ds)
    good = ds.SOPInstanceUID.encode()
    answer = post(client, body_of(data.replace(good, bad.encode().ljust(len(good), b"\x00")[: len(good)])))
    assert answer.status_code == 409
    assert failures(answer) == [0xC000]
    assert archive.files == {}


def zipped():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\x00" * 1_000_000)
    return out.getvalue()


@pytest.mark.parametrize(
    ("body", "kind", "headers", "status"),
    [
        (zipped(), "application/zip", {}, 415),
        (b"<xml/>", 'multipart/related; type="application/dicom+xml"; boundary=xyz', {}, 415),
        (b"[]", "application/dicom+json", {}, 415),
        (b"", "", {}, 415),
        (gzip.compress(b"\x00" * 1_000_000), KIND, {"Content_Encoding": "gzip"}, 415),
        (gzip.compress(b"\x00" * 1_000_000), KIND, {"Content_Encoding": "br, gzip"}, 415),
        (body_of(b"x"), KIND.split(";", maxsplit=1)[0], {}, 400),
        (b"", KIND, {}, 400),
        (b"--xyz--", KIND, {}, 400),
        (b"--other\r\n\r\nx\r\n--other--", KIND, {}, 400),
        (body_of(b"x" * 20_001), KIND, {}, 413),
        (body_of(*[b"x" * 9000] * 7), KIND, {}, 413),
        (body_of(b"x"), KIND, {"Accept": "application/dicom+xml"}, 406),
    ],
)
def test_bodies_that_are_refused(client, archive, body, kind, headers, status):
    answer = post(client, body, kind=kind, **headers)
    assert answer.status_code == status
    assert archive.offered == []


def first_line(client, length, body):
    """Status line of the answer to a request whose body does not go on."""
    where = urlsplit(str(client.base_url))
    head = f"POST /studies HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nContent-Type: {KIND}\r\n\r\n"
    with socket.create_connection((where.hostname, where.port), timeout=30) as peer:
        peer.sendall(head.encode() + body)
        return peer.recv(4096).split(b"\r\n")[0]


def test_a_length_beyond_the_limit_is_refused_before_the_body(client):
    """CVE-2026-5440: what Content-Length claims is neither waited for nor allocated."""
    assert b" 413 " in first_line(client, 999_999_999_999, b"")


def test_a_silent_sender_is_given_up(client):
    assert b" 408 " in first_line(client, 500, b"--xyz")


def test_what_came_before_a_defect_in_the_body_is_kept_and_told(client, archive):
    ds, _ = objects.grey()
    data = encoded(ds)
    cut = body_of(data, encoded(objects.grey()[0]))[: len(data) + 200]
    for body, status in ((cut, 400), (body_of(data, b"x" * 30_000), 413)):
        answer = post(client, body)
        assert answer.status_code == status
        assert kept(answer) == [ds.SOPInstanceUID]
        assert "warning" in answer.headers
    assert list(archive.files) == [ds.SOPInstanceUID]


def test_many_senders_at_once(client, archive):
    made = [objects.grey()[0] for _ in range(24)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda ds: post(client, body_of(encoded(ds))), made))
    assert {answer.status_code for answer in answers} == {200}
    assert set(archive.files) == {ds.SOPInstanceUID for ds in made}


def test_a_deflated_bomb_is_refused(client, archive, monkeypatch):
    ds, _ = objects.in_syntax(uid.DeflatedExplicitVRLittleEndian)
    import radiolucent.web.dicomweb.outcome as outcome
    from radiolucent.prepare.bounded import inflate

    monkeypatch.setattr(outcome, "inflate", lambda data: inflate(data, limit=100))
    answer = post(client, body_of(encoded(ds)))
    assert (answer.status_code, failures(answer)) == (409, [0xC000])
    assert archive.files == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_any_body_has_an_answer(client, data):
    ds, _ = objects.grey(SOPInstanceUID=f"{objects.SERIES}.1")
    whole = body_of(encoded(ds))
    kind = data.draw(st.sampled_from([KIND, "application/dicom", "multipart/related", "x"]))
    body = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=6))
    answer = post(client, bytes(body)[: data.draw(st.integers(0, len(body)))], kind=kind)
    assert answer.status_code in (200, 400, 409, 413, 415)
    assert "Marker" not in answer.text
