"""QIDO-RS and WADO-RS from a real HTTP server that answers as told."""

import contextlib
import io
import json
import socket
import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import delivery_peers as peers
import pydicom
import pytest

from radiolucent.errors import InputRefused, PeerRefused, PeerUnavailable
from radiolucent.ingest.pull import PriorQuery, PullLimits
from radiolucent.ingest.pull_cohort import StudyQuery
from radiolucent.ingest.pull_web import WebArchive
from radiolucent.records.destination import WebPeer

LIMITS = PullLimits()
JSON = "application/dicom+json"
MULTIPART = 'multipart/related; type="application/dicom"; boundary="b=1"'


def study(number, date="20250101", **more):
    tags = {"0020000D": f"1.2.{number}", "00100020": "P1", "00080020": date, "00080030": "101112.5"} | more
    return {tag: {"vr": "UN", "Value": value if isinstance(value, list) else [value]} for tag, value in tags.items()}


def file(number):
    out = io.BytesIO()
    peers.dataset(number).save_as(out, enforce_file_format=True)
    return out.getvalue()


def part(content):
    return b"--b=1\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--b=1--\r\n"


class Server:
    """``answers`` by path below the base: status, media type, body."""

    def __init__(self):
        self.answers, self.asked, self.headers, self.url = {}, [], [], ""

    def tell(self, path, body, *, media_type=JSON, status=200):
        self.answers[path] = (status, media_type, body if isinstance(body, bytes) else json.dumps(body).encode())

    def archive(self, **options):
        return WebArchive(WebPeer(url=self.url, **options))

    def holds(self, *numbers, study="1.2.1"):
        rows = [
            {"0020000E": {"Value": [peers.SERIES]}, "00080018": {"Value": [peers.uid(number)]}} for number in numbers
        ]
        self.tell(f"/studies/{study}/instances", rows)
        for number in numbers:
            path = f"/studies/{study}/series/{peers.SERIES}/instances/{peers.uid(number)}"
            self.tell(path, part(file(number)), media_type=MULTIPART)


@contextlib.contextmanager
def running():
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            address = urlsplit(self.path)
            path = address.path.removeprefix("/dicom-web")
            told.asked.append((path, parse_qsl(address.query, keep_blank_values=True)))
            told.headers.append(self.headers)
            status, media_type, body = told.answers.get(path, (404, "text/plain", b""))
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            pass

    with Quiet(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}/dicom-web/"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()


def test_find_tells_what_is_there_most_recent_first():
    with running() as server:
        server.tell(
            "/studies", [study(1), study(2, "20260101", **{"00080061": ["cr", "SR"], "00201208": 4, "00100021": "H"})]
        )
        server.tell("/studies/1.2.1/series", [{"00080060": {"Value": ["DX"]}}])
        server.tell("/studies/1.2.2/series", [{"00180015": {"Value": ["Chest"]}}, {"00180015": {}}])
        found = server.archive().find(PriorQuery(patient_id="P1"), limits=LIMITS)
    assert [each.study_instance_uid for each in found] == ["1.2.2", "1.2.1"]
    assert found[0].started == "20260101101112"
    assert (found[0].instances, found[0].issuer) == (4, "H")
    assert (found[0].modalities, found[1].modalities) == (("CR", "SR"), ("DX",))
    assert (found[0].body_parts, found[1].body_parts) == (("CHEST",), ())


def test_the_query_names_one_patient_and_a_range_of_dates():
    query = PriorQuery(patient_id="P&1=x", modalities=("CR",), since=date(2020, 1, 1), until=date(2026, 3, 14))
    with running() as server:
        server.tell("/studies", [])
        assert server.archive().find(query, limits=LIMITS) == ()
    ((path, asked),) = server.asked
    assert path == "/studies"
    assert ("PatientID", "P&1=x") in asked
    assert ("StudyDate", "20200101-20260314") in asked
    assert ("ModalitiesInStudy", "CR") in asked
    assert ("includefield", "00201208") in asked
    assert server.headers[0]["Accept"] == JSON


def test_no_content_is_nothing_found():
    with running() as server:
        server.tell("/studies", b"", status=204)
        assert server.archive().find(PriorQuery(patient_id="P1"), limits=LIMITS) == ()


def test_only_the_most_recent_candidates_are_asked_about():
    with running() as server:
        server.tell("/studies", [study(n, f"20{10 + n}0101") for n in range(9)])
        for number in range(9):
            server.tell(f"/studies/1.2.{number}/series", [])
        found = server.archive().find(PriorQuery(patient_id="P1"), limits=PullLimits(candidates=2))
    assert [each.study_instance_uid for each in found] == ["1.2.8", "1.2.7"]
    assert len(server.asked) == 3


def test_a_uid_that_is_none_is_never_part_of_an_address():
    with running() as server:
        server.tell("/studies", [study(1, **{"0020000D": "../../patients"})])
        assert server.archive().find(PriorQuery(patient_id="P1"), limits=LIMITS) == ()
        server.tell(
            "/studies/1.2.1/instances", [{"0020000E": {"Value": ["1.2"]}, "00080018": {"Value": ["1/../../secret"]}}]
        )
        with pytest.raises(PeerRefused) as raised:
            server.archive().fetch("1.2.1", lambda _: None, limits=LIMITS)
    assert raised.value.code == "dicomweb_answer_unreadable"
    assert [path for path, _ in server.asked] == ["/studies", "/studies/1.2.1/instances"]


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (503, PeerUnavailable, "dicomweb_busy"),
        (401, PeerRefused, "dicomweb_refused"),
        (302, PeerRefused, "dicomweb_refused"),
    ],
)
def test_a_query_that_fails(status, kind, code):
    with running() as server:
        server.tell("/studies", b"", status=status)
        with pytest.raises(kind) as raised:
            server.archive().find(PriorQuery(patient_id="P1"), limits=LIMITS)
    assert raised.value.code == code
    assert f"{status} to QIDO-RS" in raised.value.found


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[1]", b"[" * 100_000, b"\xff\xfe"])
def test_an_answer_that_is_none(body):
    with running() as server:
        server.tell("/studies", body)
        with pytest.raises(PeerRefused) as raised:
            server.archive().find(PriorQuery(patient_id="P1"), limits=LIMITS)
    assert raised.value.code == "dicomweb_answer_unreadable"


def test_an_archive_that_is_not_there_is_told_without_the_patient():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        archive = WebArchive(WebPeer(url=f"http://127.0.0.1:{taken.getsockname()[1]}"))
        with pytest.raises(PeerUnavailable) as raised:
            archive.find(PriorQuery(patient_id="P-MARKER-77"), limits=LIMITS)
    assert raised.value.code == "dicomweb_unreachable"
    assert raised.value.__cause__ is None
    assert "P-MARKER-77" not in str(raised.value)


def test_fetch_passes_every_instance_on_as_it_is_stored():
    kept = []
    with running() as server:
        server.holds(1, 2, 3)
        found = server.archive(token="secret-1").fetch("1.2.1", kept.append, limits=LIMITS)
    assert (found.instances, found.is_complete) == (3, True)
    assert [each.sop_instance_uid for each in kept] == [peers.uid(n) for n in (1, 2, 3)]
    for number, each in enumerate(kept, start=1):
        assert file(number).endswith(bytes(each.dataset))
        back = pydicom.dcmread(io.BytesIO(bytes(each.dataset)), force=True)
        assert back.SOPInstanceUID == peers.uid(number)
        assert back.group_dataset(2) == pydicom.Dataset()
        assert each.transfer_syntax_uid == "1.2.840.10008.1.2.1"
        assert (each.sender, each.peer) == ("WADO-RS", "127.0.0.1")
    assert server.headers[0]["Authorization"] == "Bearer secret-1"
    assert "transfer-syntax=*" in server.headers[1]["Accept"]


def test_an_answer_may_be_the_file_alone():
    kept = []
    with running() as server:
        server.holds(1)
        path = f"/studies/1.2.1/series/{peers.SERIES}/instances/{peers.uid(1)}"
        server.tell(path, file(1), media_type="application/dicom")
        assert server.archive().fetch("1.2.1", kept.append, limits=LIMITS).is_complete
    assert file(1).endswith(bytes(kept[0].dataset))


def test_fetch_stops_at_its_limit():
    kept = []
    with running() as server:
        server.holds(1, 2, 3)
        found = server.archive().fetch("1.2.1", kept.append, limits=PullLimits(instances=2))
    assert (found.instances, found.is_complete) == (2, False)
    assert len(kept) == 2
    assert len(server.asked) == 3


def test_fetch_says_when_something_was_refused():
    def keep(offered):
        if offered.sop_instance_uid == peers.uid(2):
            raise InputRefused("x", found="", expected="", action="")

    with running() as server:
        server.holds(1, 2, 3)
        found = server.archive().fetch("1.2.1", keep, limits=LIMITS)
    assert (found.instances, found.is_complete) == (2, False)


@pytest.mark.parametrize(
    ("media_type", "body", "kind", "code"),
    [
        (MULTIPART, b"--b=1\r\n\r\nno end", PeerUnavailable, "dicomweb_cut_short"),
        (MULTIPART, part(b"no DICOM"), PeerRefused, "dicomweb_answer_unreadable"),
        (MULTIPART, part(b"\0" * 128 + b"DICM"), PeerRefused, "dicomweb_answer_unreadable"),
        (MULTIPART, part(b"\0" * 128 + b"DICM\x02\0\x10\0UI\xff"), PeerRefused, "dicomweb_answer_unreadable"),
        ("multipart/related", part(b""), PeerRefused, "dicomweb_answer_unreadable"),
        ("text/html", b"<html>", PeerRefused, "dicomweb_answer_unreadable"),
        ("", b"", PeerRefused, "dicomweb_answer_unreadable"),
    ],
)
def test_an_instance_that_is_none(media_type, body, kind, code):
    kept = []
    with running() as server:
        server.holds(1)
        path = f"/studies/1.2.1/series/{peers.SERIES}/instances/{peers.uid(1)}"
        server.tell(path, body, media_type=media_type)
        with pytest.raises(kind) as raised:
            server.archive().fetch("1.2.1", kept.append, limits=LIMITS)
    assert raised.value.code == code
    assert kept == []


def test_an_instance_larger_than_allowed_is_left_out():
    kept = []
    with running() as server:
        server.holds(1, 2)
        path = f"/studies/1.2.1/series/{peers.SERIES}/instances/{peers.uid(1)}"
        server.tell(path, part(b"\0" * 200_000), media_type=MULTIPART)
        found = server.archive().fetch("1.2.1", kept.append, limits=PullLimits(instance_bytes=2000))
    assert [each.sop_instance_uid for each in kept] == [peers.uid(2)]
    assert (found.instances, found.is_complete) == (1, False)


def test_studies_of_many_patients_are_listed_with_description_and_age():
    with running() as server:
        rows = [
            study(1, **{"00101010": "006M", "00081030": "Chest"}),
            study(2, "20260101", **{"00100030": "19860101"}),
        ]
        server.tell("/studies", rows)
        found = server.archive().list_studies(StudyQuery(modality="CR", until=date(2026, 3, 1)), most=9)
    assert [(each.study_instance_uid, each.age_years, each.description) for each in found] == [
        ("1.2.2", 40.0, ""),
        ("1.2.1", 0.5, "Chest"),
    ]
    asked = dict(server.asked[0][1])
    assert (asked["ModalitiesInStudy"], asked["StudyDate"], asked["limit"]) == ("CR", "-20260301", "9")
