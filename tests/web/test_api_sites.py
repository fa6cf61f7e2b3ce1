"""Two sites in one installation, over its real doors: nobody sees a study of a site they do not read for."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from flow import hospital
from flow.hospital import eventually
from web.dicomweb_archive import encoded

from radiolucent.audit.atna import message
from radiolucent.audit.canonical import parse
from radiolucent.audit.participants import Reporter
from radiolucent.records.person import ROLES, Person
from radiolucent.store import priors, work
from radiolucent.web.api.endpoints import ENDPOINTS
from radiolucent.wiring.operator import Desk
from radiolucent.wiring.running import Running

PASSWORD = "seven green lamps"
READERS = {"ned": ("north",), "sue": ("main",), "all": ("*",)}
TOKEN = "0123456789abcdef01234567"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A film of the north and one of a sender that no site names."""
    folder: Path = tmp_path_factory.mktemp("sites")
    (folder / "tokens").write_text(f"viewer {TOKEN}\n")
    settings = hospital.settings(
        folder / "data",
        reader={"engines": [str(hospital.engines(folder / "engines"))]},
        rules=[{"name": "all"}],
        sites=[{"name": "north", "callers": ["NORTH_CR"]}, {"name": "west", "callers": ["STOW-RS"]}],
        http={"port": 0, "tokens": folder / "tokens"},
    )
    with Running(settings) as made:
        it = made.installation
        for calling, number in (("NORTH_CR", "N1"), ("OTHER", "M1")):
            films = hospital.study_of(1, AccessionNumber=number)
            assert set(hospital.send(it.dicom.port, films, calling=calling).values()) == {0}
        for name, sites in READERS.items():
            link = it.people.add(Person(name=name, display=name, roles=("radiologist",), sites=sites), by="test")
            it.people.enrol(link, name="", display="", password=PASSWORD, peer="")
        eventually(lambda: _done(made) == 2)
        yield made


def _done(running: Running) -> int:
    with running.installation.journal.reading() as connection:
        return work.counts(connection).get("done", 0)


@contextmanager
def signed_in(running: Running, name: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{running.http.port}") as client:
        answer = client.post("/api/session", json={"name": name, "password": PASSWORD})
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        yield client


def listed(client: httpx.Client) -> dict[str, str]:
    """Keys by accession number, as the worklist shows them."""
    answer = client.post("/api/worklist", json={}).json()
    assert sum(answer["counts"].values()) == len(answer["items"])
    return {item["accession_number"]: item["study_key"] for item in answer["items"]}


@pytest.mark.parametrize(("name", "seen"), [("ned", {"N1"}), ("sue", {"M1"}), ("all", {"N1", "M1"})])
def test_the_worklist_and_a_search_of_the_archive_show_the_own_sites(running, name, seen) -> None:
    with signed_in(running, name) as client:
        assert set(listed(client)) == seen
        for level in ("studies", "series", "instances"):
            found = client.get(f"/dicom-web/{level}", params={"includefield": "AccessionNumber"}).json()
            assert {row["00080050"]["Value"][0] for row in found if "00080050" in row} == seen
        for number in ("N1", "M1"):
            named = client.get("/dicom-web/studies", params={"AccessionNumber": number}).json()
            assert len(named) == (number in seen)


def test_nothing_of_another_sites_study_is_given(running) -> None:
    """By page and by archive, with every address known."""
    with signed_in(running, "all") as client:
        key = listed(client)["N1"]
        view = client.get(f"/api/studies/{key}").json()
        assert view["site"] == "north"
        shown = view["findings"][0]["maps"][0]["url"]
        frames = view["series"][0]["images"][0]["frames_url"]
        study = frames.split("/series/")[0]
        instance = frames.split("/frames/")[0]
        assert client.get(frames, headers={"Accept": "application/octet-stream"}).status_code == 200
    places = [study, f"{study}/series", f"{study}/metadata", instance, f"{instance}/rendered", frames]
    with signed_in(running, "sue") as client:
        asked = [
            client.get(f"/api/studies/{key}"),
            client.get(shown),
            client.post(f"/api/studies/{key}/opinion", json={"nothing": True}),
            client.post(f"/api/studies/{key}/lease", json={}),
            client.delete(f"/api/studies/{key}/lease"),
        ]
        assert {(a.status_code, a.json()["code"]) for a in asked} == {(403, "other_site")}
        for place in places:
            answer = client.get(place, headers={"Accept": "*/*"})
            nothing = place.endswith("/series") and answer.json() == []
            assert answer.status_code == 404 or nothing, place
    with signed_in(running, "ned") as client:
        assert client.get(shown).status_code == 200
        assert client.get(frames, headers={"Accept": "application/octet-stream"}).status_code == 200


ASKED = [(method, path) for method, path in ENDPOINTS if "{study_key}" in path and not path.endswith("/break-glass")]


@pytest.mark.parametrize(("method", "path"), ASKED)
def test_every_endpoint_of_a_study_looks_at_its_site(running, method: str, path: str) -> None:
    """As somebody who may do everything, at another site."""
    people = running.installation.people
    people.change("sue", by="test", roles=[role for role in ROLES if role != "service"])
    with signed_in(running, "all") as client:
        key = listed(client)["N1"]
        view = client.get(f"/api/studies/{key}").json()
    filled = path.replace("{study_key}", key).replace("{image_key}", "0")
    filled = filled.replace("{engine}", view["findings"][0]["engine"]).replace("{finding}", view["findings"][0]["key"])
    with signed_in(running, "sue") as client:
        answer = client.request(method, f"/api{filled}", json=bodies(view["report_id"]).get(path))
    assert (answer.status_code, answer.json()["code"]) == (403, "other_site")


def bodies(report_id: str) -> dict[str, dict[str, object]]:
    """A body that each endpoint would take."""
    return {
        "/studies/{study_key}/opinion": {"nothing": True},
        "/studies/{study_key}/lease": {},
        "/studies/{study_key}/decision": {
            "idempotency_key": str(uuid.uuid4()),
            "report_id": report_id,
            "supersedes": None,
            "is_final": True,
            "comment": "",
            "findings": [],
            "added": [],
        },
        "/studies/{study_key}/retract": {"reason": "quality"},
        "/studies/{study_key}/rerun": {},
    }


def test_in_an_emergency_one_study_opens_to_one_person_and_everybody_hears_of_it(running) -> None:
    with signed_in(running, "all") as client:
        key = listed(client)["N1"]
        frames = client.get(f"/api/studies/{key}").json()["series"][0]["images"][0]["frames_url"]
    reason = "unconscious after a fall, no prior here"
    octets = {"Accept": "application/octet-stream"}
    link = running.installation.people.add(
        Person(name="una", display="Una", roles=("radiologist",), sites=("main",)), by="test"
    )
    running.installation.people.enrol(link, name="", display="", password=PASSWORD, peer="")
    with signed_in(running, "una") as client, signed_in(running, "sue") as other:
        short = client.post(f"/api/studies/{key}/break-glass", json={"reason": " a fall   "})
        assert (short.status_code, short.json()["code"]) == (422, "reason_too_short")
        assert client.get(f"/api/studies/{key}").status_code == 403
        assert client.post(f"/api/studies/{key}/break-glass", json={"reason": reason}).status_code == 200
        view = client.get(f"/api/studies/{key}").json()
        assert client.get(view["findings"][0]["maps"][0]["url"]).status_code == 200
        assert client.get(frames, headers=octets).status_code == 200
        assert client.post(f"/api/studies/{key}/lease", json={}).status_code == 200
        assert set(listed(client)) == {"N1", "M1"}
        assert other.get(f"/api/studies/{key}").status_code == 403
        assert other.get(frames, headers=octets).status_code == 404
        assert set(listed(other)) == {"M1"}
        meters = httpx.get(
            f"http://127.0.0.1:{running.http.port}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
        ).text
    assert "radiolucent_break_glass_total 1.0" in meters
    told = [parse(entry.text) for entry in running.installation.journal.log.entries()]
    (alert,) = [each for each in told if each.details.get("kind") == "break_glass"]
    assert (alert.action, alert.outcome, alert.actor) == ("access", "serious_failure", "una")
    assert (alert.details["reason"], alert.details["site"]) == (reason, "north")
    assert alert.study_instance_uid
    assert "Emergency Override Started" in message(alert, Reporter())


def test_meters_and_the_audit_log_hold_the_own_sites(running) -> None:
    people = running.installation.people
    for name in READERS:
        people.change(name, by="test", roles=("senior", "qa", "auditor", "administrator"))
    with signed_in(running, "all") as client:
        key = listed(client)["N1"]
        view = client.get(f"/api/studies/{key}").json()
        north = view["series"][0]["images"][0]["frames_url"].split("/")[3]
        accepted = [
            {"engine": f["engine"], "key": f["key"], "assessment": "accepted"}
            for f in view["findings"]
            if f["positive"]
        ]
        body = {"idempotency_key": str(uuid.uuid4()), "report_id": view["report_id"], "is_final": True}
        assert client.post(f"/api/studies/{key}/lease", json={"break_reason": "a test"}).status_code == 200
        signed = client.post(f"/api/studies/{key}/decision", json=body | {"findings": accepted})
        assert signed.status_code == 201, signed.text
    for name, is_seen in (("ned", True), ("all", True), ("sue", False)):
        with signed_in(running, name) as client:
            meters = client.get("/api/oversight").json()
            assert meters["totals"]["n"] == (len(accepted) if is_seen else 0)
            entries = client.get("/api/audit", params={"from_sequence": 1, "limit": 500}).json()["entries"]
            assert entries
            assert (north in {each["study_instance_uid"] for each in entries}) == is_seen
            assert client.post("/api/audit/verify").json()["verified"]


def test_sites_change_while_somebody_is_signed_in(running) -> None:
    with signed_in(running, "ned") as client:
        key = listed(client)["N1"]
        running.installation.people.change("ned", by="test", sites=["main"])
        try:
            assert client.get(f"/api/studies/{key}").status_code == 403
            assert set(listed(client)) == {"M1"}
        finally:
            running.installation.people.change("ned", by="test", sites=["north"])


def test_a_study_is_given_to_another_site_and_back(running) -> None:
    desk = Desk(running.installation.settings)
    with signed_in(running, "sue") as client, signed_in(running, "ned") as north:
        key = listed(north)["N1"]
        assert set(listed(client)) == {"M1"}
        desk.move(key, "main")
        assert (set(listed(client)), set(listed(north))) == ({"M1", "N1"}, set())
        desk.move(key, "north")
        assert set(listed(north)) == {"N1"}
    told = [parse(entry.text) for entry in running.installation.journal.log.entries()]
    moves = [(e.details["before"], e.details["after"]) for e in told if e.details.get("setting") == "study_site"]
    assert moves == [("north", "main"), ("main", "north")]


def test_other_doors_have_sites_too(running) -> None:
    """Last, because it adds a study."""
    (film,) = hospital.study_of(1, AccessionNumber="W1")
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + encoded(film) + b"\r\n--b--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    with httpx.Client(base_url=f"http://127.0.0.1:{running.http.port}") as client:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
        assert client.post("/dicom-web/studies", content=body, headers=headers).status_code == 200
    with running.installation.journal.reading() as connection:
        key = priors.key_of(connection, str(film.StudyInstanceUID))
        assert key is not None
        assert work.site_of(connection, key) == "west"
