"""Transactions over real sockets, to a server that behaves as an EHR does and to ones that do not."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fhir_cases import CONTEXT, EVERY, OPTIONS, corrected, report, retracted
from fhir_peer import Ehr, outcome, serving
from starlette.responses import JSONResponse, Response, StreamingResponse

from radiolucent.deliver.fhir import ISSUE_CODES, MOST_BYTES, FhirConnection, FhirPeer, FhirUnavailable
from radiolucent.errors import PeerRefused, PeerUnavailable, RadiolucentError, SettingsError
from radiolucent.report.fhir import build_bundle

NOW = datetime(2024, 5, 17, 12, tzinfo=UTC)
BUNDLE = build_bundle(report(), OPTIONS)


def peer(url: str, **changes: Any) -> FhirPeer:
    return FhirPeer(url=url, timeout_s=10.0, **changes)


@contextmanager
def connected(ehr: Ehr, **changes: Any) -> Iterator[FhirConnection]:
    with serving(ehr) as url, FhirConnection(peer(url, **changes), clock=lambda: NOW) as connection:
        yield connection


def failure(answer: Response, **changes: Any) -> RadiolucentError:
    with connected(Ehr(answers=[answer]), **changes) as connection, pytest.raises(RadiolucentError) as raised:
        connection.transact(BUNDLE)
    assert "SECRET" not in str(raised.value)
    return raised.value


def kinds(ehr: Ehr) -> dict[str, int]:
    names = [name.split("/")[0] for name in ehr.stored]
    return {kind: names.count(kind) for kind in sorted(set(names))}


def test_what_is_sent_twice_is_stored_once() -> None:
    ehr = Ehr()
    with connected(ehr) as connection:
        first = connection.transact(BUNDLE)
        stored = json.dumps(ehr.stored)
        second = connection.transact(BUNDLE)
    assert len(first.statuses) == len(BUNDLE["entry"])
    assert (first.created, second.created) == (len(BUNDLE["entry"]), 0)
    assert json.dumps(ehr.stored) == stored
    assert set(ehr.versions.values()) == {1}
    assert kinds(ehr) == {
        "Device": 2, "DiagnosticReport": 1, "ImagingStudy": 1, "Media": 2, "Observation": 2, "Patient": 1,
        "Provenance": 1,
    }  # fmt: skip
    references = [ref for ref in json.dumps(ehr.stored).split('"') if ref.startswith("urn:uuid:")]
    assert references == []


@pytest.mark.parametrize("name", EVERY)
def test_an_ehr_takes_every_report(name: str) -> None:
    ehr = Ehr()
    with connected(ehr) as connection:
        connection.transact(build_bundle(EVERY[name](), OPTIONS, earlier=[report()]))
    assert kinds(ehr)["DiagnosticReport"] == 1


def test_a_correction_and_a_retraction_reach_what_was_sent() -> None:
    ehr = Ehr()
    with connected(ehr) as connection:
        connection.transact(BUNDLE)
        connection.transact(build_bundle(corrected(), OPTIONS, earlier=[report()]))
        states = {r["code"]["text"]: r["status"] for n, r in ehr.stored.items() if n.startswith("Observation")}
        assert states == {"Pneumothorax": "entered-in-error", "Effusion": "preliminary"}
        last = replace(retracted(), revision=3, replaces=corrected().report_id)
        connection.transact(build_bundle(last, OPTIONS, earlier=[report(), corrected()]))
    assert kinds(ehr)["DiagnosticReport"] == 1
    assert kinds(ehr)["Observation"] == 2
    assert kinds(ehr)["Provenance"] == 3
    for name, resource in ehr.stored.items():
        if name.startswith(("DiagnosticReport", "Observation")):
            assert resource["status"] == "entered-in-error"


def test_the_hospitals_own_patient_and_study_stay_as_they_are() -> None:
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": "https://hospital.example.org/patient-id", "value": "PID-4711"}],
        "name": [{"family": "As the EHR spells it"}],
    }
    study = {
        "resourceType": "ImagingStudy",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{CONTEXT.study_instance_uid}"}],
        "status": "available",
        "subject": {"reference": "Patient/7"},
    }
    ehr = Ehr(stored={"Patient/7": patient, "ImagingStudy/3": study})
    with connected(ehr) as connection:
        connection.transact(BUNDLE)
    assert (ehr.stored["Patient/7"], ehr.stored["ImagingStudy/3"]) == (patient, study)
    assert kinds(ehr)["Patient"] == kinds(ehr)["ImagingStudy"] == 1
    diagnostic = next(r for n, r in ehr.stored.items() if n.startswith("DiagnosticReport"))
    assert diagnostic["subject"] == {"reference": "Patient/7"}
    assert diagnostic["imagingStudy"] == [{"reference": "ImagingStudy/3"}]


def test_two_patients_of_one_identifier_stop_everything() -> None:
    twin = {"resourceType": "Patient", "identifier": [{"system": OPTIONS.patient_system, "value": "PID-4711"}]}
    ehr = Ehr(stored={"Patient/1": twin, "Patient/2": twin})
    with connected(ehr) as connection, pytest.raises(PeerRefused) as raised:
        connection.transact(BUNDLE)
    assert raised.value.code == "fhir_refused"
    assert "412" in raised.value.found
    assert "multiple-matches" in raised.value.found
    assert set(ehr.stored) == {"Patient/1", "Patient/2"}


def test_odd_identifiers_arrive_as_they_are() -> None:
    odd = "a|b,c$d\\e &f=1#?ü"
    context = replace(CONTEXT, patient=replace(CONTEXT.patient, patient_id=odd))
    ehr = Ehr()
    with connected(ehr) as connection:
        for _ in range(2):
            connection.transact(build_bundle(report(context=context), OPTIONS))
    assert [r["identifier"][0]["value"] for n, r in ehr.stored.items() if n.startswith("Patient")] == [odd]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 599])
def test_a_server_that_cannot_now_is_tried_again(status: int) -> None:
    error = failure(outcome(status, "transient", "SECRET"))
    assert isinstance(error, PeerUnavailable)
    assert error.code == "fhir_busy"
    assert error.found == f"HTTP status {status} from the FHIR server (issues: transient)"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 410, 412, 413, 415, 422, 501])
def test_a_server_that_says_no_is_not(status: int) -> None:
    error = failure(outcome(status, "forbidden", "SECRET", headers={"location": "http://127.0.0.1:1/SECRET"}))
    assert isinstance(error, PeerRefused)
    assert error.code == "fhir_refused"
    assert str(status) in error.found


@pytest.mark.parametrize(
    ("said", "wait_s"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("99999999999999999999", 86_400.0),
        ("Fri, 17 May 2024 12:01:30 GMT", 90.0),
        ("Fri, 17 May 2024 11:00:00 GMT", 0.0),
        ("Fri, 17 May 2030 11:00:00 GMT", 86_400.0),
        ("Fri, 17 May 2024 12:01:30 -0000", None),
        ("soon", None),
        ("-5", None),
        (None, None),
    ],
)
def test_the_wait_that_a_server_asks_for_is_handed_on(said: str | None, wait_s: float | None) -> None:
    error = failure(outcome(503, "throttled", headers={"retry-after": said} if said is not None else None))
    assert isinstance(error, FhirUnavailable)
    assert error.retry_after_s == wait_s


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "OperationOutcome", "issue": [{"code": "SECRET"}, {"code": 5}, "SECRET", {}]},
        {"resourceType": "OperationOutcome", "issue": "SECRET"},
        ["SECRET"],
        None,
    ],
)
def test_only_known_issue_codes_reach_the_error(body: Any) -> None:
    error = failure(JSONResponse(body, status_code=422))
    assert error.found == "HTTP status 422 from the FHIR server"
    assert "SECRET" not in ISSUE_CODES


def _response(*statuses: str, **changes: Any) -> dict[str, Any]:
    entries = [{"response": {"status": status}} for status in statuses]
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": entries} | changes


COUNT = len(BUNDLE["entry"])


@pytest.mark.parametrize(
    "answer",
    [
        Response(b"<html>SECRET</html>", media_type="text/html"),
        Response(b"", status_code=204),
        Response(b"[" * 200_000),
        Response(b"\xff\xfe"),
        JSONResponse([1]),
        JSONResponse({"resourceType": "OperationOutcome", "issue": []}),
        JSONResponse(_response(*["201 Created"] * (COUNT - 1))),
        JSONResponse(_response(*["201 Created"] * COUNT, type="batch-response")),
        JSONResponse(_response(*["201 Created"] * (COUNT - 1), "422 SECRET")),
        JSONResponse(_response(*["201 Created"] * COUNT, entry="SECRET")),
        JSONResponse(_response(*["201 Created"] * COUNT, entry=[1] * COUNT)),
        Response(b"x" * (MOST_BYTES + 1)),
        Response(b"\x1f\x8b", headers={"content-encoding": "gzip"}),
    ],
    ids=[
        "a page", "nothing", "too deep", "no text", "no object", "an outcome", "one too few", "another bundle",
        "one failed", "no entries", "odd entries", "too long", "compressed",
    ],
)  # fmt: skip
def test_a_success_that_is_none(answer: Response) -> None:
    error = failure(answer)
    assert isinstance(error, PeerRefused)
    assert error.code == "fhir_bad_answer"


def test_a_redirect_is_not_followed_and_the_token_stays_here() -> None:
    elsewhere = Ehr()
    with serving(elsewhere) as other:
        moved = Response(status_code=307, headers={"location": f"{other}"})
        with connected(Ehr(answers=[moved]), token="SECRET") as connection, pytest.raises(PeerRefused):
            connection.transact(BUNDLE)
    assert elsewhere.requests == []


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with FhirConnection(peer(f"http://127.0.0.1:{port}/fhir")) as connection, pytest.raises(FhirUnavailable) as raised:
        connection.transact(BUNDLE)
    assert raised.value.code == "fhir_unreachable"
    assert raised.value.retry_after_s is None


@contextmanager
def raw(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """A peer below HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            accepted, _ = listening.accept()
            with accepted:
                behave(accepted)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/fhir"
        thread.join()


def _hang_up(peer_socket: socket.socket) -> None:
    peer_socket.recv(1000)


def _half_an_answer(peer_socket: socket.socket) -> None:
    peer_socket.recv(1000)
    peer_socket.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")


def _no_http(peer_socket: socket.socket) -> None:
    peer_socket.recv(1000)
    peer_socket.sendall(b"\x00\x01\x02SECRET\r\n\r\n")


@pytest.mark.parametrize("behave", [_hang_up, _half_an_answer, _no_http])
def test_a_broken_answer_is_no_answer(behave: Callable[[socket.socket], None]) -> None:
    with raw(behave) as url, FhirConnection(peer(url)) as connection, pytest.raises(FhirUnavailable) as raised:
        connection.transact(BUNDLE)
    assert raised.value.code == "fhir_unreachable"
    assert "SECRET" not in str(raised.value)


def test_silence_ends() -> None:
    done = threading.Event()

    def silent(peer_socket: socket.socket) -> None:
        done.wait()

    with raw(silent) as url:
        quick = replace(peer(url), timeout_s=0.2)
        with FhirConnection(quick) as connection, pytest.raises(FhirUnavailable) as raised:
            connection.transact(BUNDLE)
        done.set()
    assert raised.value.code == "fhir_unreachable"


def test_an_answer_that_never_ends_is_given_up() -> None:
    given_up = threading.Event()

    async def drip() -> Any:
        while not given_up.is_set():
            yield b" "
            await asyncio.sleep(0.01)

    slow = StreamingResponse(drip())
    with serving(Ehr(answers=[slow])) as url:
        with FhirConnection(peer(url, longest_s=0.0)) as connection, pytest.raises(FhirUnavailable) as raised:
            connection.transact(BUNDLE)
        given_up.set()
    assert raised.value.code == "fhir_unreachable"


@pytest.mark.parametrize(
    ("login", "header"),
    [
        ({"token": "abc.DEF-1"}, "Bearer abc.DEF-1"),
        ({"user": "ai", "password": "p:w ü"}, "Basic YWk6cDp3IMO8"),
    ],
)
def test_logins(login: dict[str, str], header: str) -> None:
    with connected(Ehr(authorization=header), **login) as connection:
        assert connection.transact(BUNDLE).created == COUNT
    with connected(Ehr(authorization=header)) as connection, pytest.raises(PeerRefused) as raised:
        connection.transact(BUNDLE)
    assert "401" in raised.value.found


def test_secrets_are_not_printed() -> None:
    shown = repr(FhirPeer(url="https://a/fhir", token="SECRET", user="u", password="SECRET"))
    assert "SECRET" not in shown


def test_the_request_is_fhir_json() -> None:
    ehr = Ehr()
    with connected(ehr) as connection:
        connection.transact(BUNDLE)
    method, url, headers = ehr.requests[0]
    assert (method, url) == ("POST", ehr.url)
    assert headers["content-type"] == headers["accept"] == "application/fhir+json"


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "ftp://host/fhir"},
        {"url": "host/fhir"},
        {"url": "https://"},
        {"url": "https://user:SECRET@host/fhir"},
        {"url": "https://host/fhir?a=SECRET"},
        {"url": "https://host:port/fhir"},
        {"token": "a b"},
        {"token": "SECRET\r\nX: y"},
        {"token": "a", "user": "u", "password": "p"},
        {"user": "u"},
        {"password": "SECRET"},
        {"key": Path("k.pem")},
        {"ca": Path("no-such-file.pem")},
        {"certificate": Path("no-such-file.pem")},
    ],
)
def test_a_wrong_setting_stops_before_anything_is_sent(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as raised:
        FhirConnection(FhirPeer(**{"url": "https://host/fhir"} | changes))
    assert raised.value.code == "fhir_peer"
    assert "SECRET" not in str(raised.value)


def _certificate(
    folder: Path, name: str, *, issuer: tuple[Any, Any] | None = None
) -> tuple[Path, Path, tuple[Any, Any]]:
    """A certificate for 127.0.0.1 (or an authority, without ``issuer``) and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, authority = issuer if issuer else (key, subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if issuer is None:
        builder = builder.add_extension(
            x509.KeyUsage(
                digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
                key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )  # fmt: skip
    else:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
    certificate = builder.sign(signer, hashes.SHA256())
    certificate_path, key_path = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_path, key_path, (key, subject)


def test_tls_with_certificates_on_both_sides(tmp_path: Path) -> None:
    authority, _, signer = _certificate(tmp_path, "authority")
    server, server_key, _ = _certificate(tmp_path, "server", issuer=signer)
    client, client_key, _ = _certificate(tmp_path, "client", issuer=signer)
    ehr = Ehr()
    with serving(ehr, certificate=server, key=server_key, client_ca=authority) as url:
        ours = peer(url, ca=authority, certificate=client, key=client_key)
        with FhirConnection(ours) as connection:
            assert connection.transact(BUNDLE).created == COUNT
        with FhirConnection(peer(url, ca=authority)) as connection, pytest.raises(PeerUnavailable):
            connection.transact(BUNDLE)
        with FhirConnection(peer(url)) as connection, pytest.raises(PeerRefused) as raised:
            connection.transact(BUNDLE)
    assert raised.value.code == "fhir_tls"
    assert len(ehr.requests) == 1
