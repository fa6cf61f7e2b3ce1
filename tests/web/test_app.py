"""The HTTP door around DICOMweb: who may come in, health, and what is put on record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhir_cases import report
from web.dicomweb_archive import MemoryArchive, serving
from web.dicomweb_objects import grey

from radiolucent.errors import SettingsError
from radiolucent.report.fhir.bundle import build_bundle
from radiolucent.report.fhir.capability import capability_statement
from radiolucent.report.fhir.options import FhirOptions
from radiolucent.web.access import read_tokens
from radiolucent.web.app import http_app

TOKEN = "0123456789abcdef01234567"


@dataclass
class Site:
    """What an installation would answer."""

    wrong: dict[str, str] = field(default_factory=dict)
    turned: list[tuple[str, str, str]] = field(default_factory=list)
    on_record: list[tuple[str, str, bool, int]] = field(default_factory=list)

    def problems(self) -> Mapping[str, str]:
        return self.wrong

    def metrics(self) -> bytes:
        return b"radiolucent_studies 1\n"

    def status(self) -> Mapping[str, Any]:
        return {"studies": {"done": 1}}

    def capability(self, base_url: str) -> Mapping[str, Any]:
        return capability_statement(software_version="1", base_url=base_url, now=report().produced_at)

    def bundles(self) -> Iterable[Mapping[str, Any]]:
        return [build_bundle(report(), FhirOptions())]

    def turned_away(self, code: str, user: str, peer: str) -> None:
        self.turned.append((code, user, peer))

    def accessed(self, user: str, path: str, *, is_query: bool, status: int, peer: str) -> None:
        self.on_record.append((user, path, is_query, status))


@pytest.fixture
def site() -> Site:
    return Site()


@contextmanager
def client_of(site: Site, tokens: dict[str, str] | None = None, **settings: Any) -> Iterator[httpx.Client]:
    archive = MemoryArchive()
    archive.add(grey()[0])
    app = http_app(site, archive, archive, tokens=tokens, **settings)
    with serving(app) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    with client_of(site) as made:
        yield made


def test_behind_a_proxy_addresses_are_those_that_clients_see(site: Site) -> None:
    with client_of(site, public_url="https://ai.example/radiolucent") as client:
        (study,) = client.get("/dicom-web/studies").json()
        assert study["00081190"]["Value"][0].startswith("https://ai.example/radiolucent/dicom-web/studies/")
        found = client.get("/fhir/metadata").json()
        assert found["implementation"]["url"] == "https://ai.example/radiolucent/fhir"
        bundle = client.get("/fhir/DiagnosticReport").json()
        assert bundle["entry"][0]["fullUrl"].startswith("https://ai.example/radiolucent/fhir/DiagnosticReport/")


def test_pages_of_named_origins_alone_may_call_and_show_a_token(site: Site) -> None:
    asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    with client_of(site, {TOKEN: "viewer"}, cors_origins=["https://viewer.example"]) as client:
        for origin, allowed in (("https://viewer.example", "https://viewer.example"), ("https://other.example", None)):
            preflight = client.options("/dicom-web/studies", headers={"Origin": origin} | asks)
            assert preflight.headers.get("Access-Control-Allow-Origin") == allowed
            assert "Access-Control-Allow-Credentials" not in preflight.headers
        shown = {"Origin": "https://viewer.example"}
        assert client.get("/dicom-web/studies", headers=shown).status_code == 401
        answer = client.get("/dicom-web/studies", headers=shown | {"Authorization": f"Bearer {TOKEN}"})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "https://viewer.example")


def test_health_says_what_is_wrong(site: Site, client: httpx.Client) -> None:
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").json() == {"ready": True, "problems": {}}
    site.wrong["disk"] = "storage_full"
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["problems"]) == (503, {"disk": "storage_full"})


def test_with_tokens_only_health_is_open(site: Site) -> None:
    with client_of(site, {TOKEN: "viewer"}) as client:
        assert client.get("/health/live").status_code == 200
        for path in ("/metrics", "/api/status", "/dicom-web/studies", "/fhir/Patient", "/nothing"):
            assert client.get(path).status_code == 401, path
            assert client.get(path, headers={"Authorization": f"Bearer {TOKEN[:-1]}"}).status_code == 401
            assert client.get(path, headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401
        shown = {"Authorization": f"Bearer {TOKEN}"}
        assert client.get("/metrics", headers=shown).text.startswith("radiolucent_studies")
        assert client.get("/dicom-web/studies", headers=shown).status_code == 200
    assert {user for user, _, _, _ in site.on_record} == {"viewer"}


def test_every_reading_of_patient_data_is_on_record(site: Site, client: httpx.Client) -> None:
    client.get("/dicom-web/studies?PatientID=1")
    client.get("/dicom-web/studies/1.2.3/metadata")
    client.get("/fhir/DiagnosticReport")
    client.get("/metrics")
    assert [(path, query) for _, path, query, _ in site.on_record] == [
        ("/dicom-web/studies", True),
        ("/dicom-web/studies/1.2.3/metadata", False),
        ("/fhir/DiagnosticReport", False),
    ]
    assert site.on_record[1][3] == 404


def test_fhir_reads_what_was_reported(client: httpx.Client) -> None:
    assert client.get("/fhir/metadata").json()["resourceType"] == "CapabilityStatement"
    found = client.get("/fhir/DiagnosticReport").json()
    assert found["total"] == 1
    own = found["entry"][0]["resource"]
    assert client.get(f"/fhir/DiagnosticReport/{own['id']}").json() == own
    assert client.get("/fhir/DiagnosticReport/none").status_code == 404


def test_a_file_of_tokens(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"# viewers\nviewer {TOKEN}\n\n", encoding="utf-8")
    assert read_tokens(path) == {TOKEN: "viewer"}
    for wrong in ("", "viewer short", f"viewer {TOKEN} more"):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(SettingsError) as raised:
            read_tokens(path)
        assert raised.value.code == "tokens_file"
        assert TOKEN not in str(raised.value)
    with pytest.raises(SettingsError):
        read_tokens(tmp_path / "missing")
