"""Machines at the HTTP door: tokens and their scopes, and who is anonymous when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from access_cases import PASSWORD, access_of, desks_of
from flow.hospital import eventually
from installation_cases import House
from starlette.routing import Mount, Route
from web.dicomweb_archive import MemoryArchive, encoded, serving
from web.dicomweb_objects import grey
from web.test_app import Site

from radiolucent.access.permissions import ROLES, SCOPES, permissions_of
from radiolucent.audit.canonical import parse
from radiolucent.records.person import Person
from radiolucent.web.access import Sparing
from radiolucent.web.api.endpoints import DOORS, door_need
from radiolucent.web.api.ports import Access
from radiolucent.web.app import http_app

FILED = "0123456789abcdef01234567"
ASKED = {
    "dicomweb.read": ("GET", "/dicom-web/studies"),
    "dicomweb.store": ("POST", "/dicom-web/studies"),
    "fhir.read": ("GET", "/fhir/DiagnosticReport"),
    "metrics.read": ("GET", "/metrics"),
    "status.read": ("GET", "/api/status"),
}
"""One request for each scope."""


@dataclass
class Place:
    house: House
    access: Access
    site: Site
    url: str

    def ask(self, scope: str, token: str = "", **headers: str) -> int:
        method, path = ASKED[scope]
        body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + encoded(grey()[0]) + b"\r\n--b--\r\n"
        given = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b', **headers}
        if token:
            given["Authorization"] = f"Bearer {token}"
        content = body if method == "POST" else None
        return httpx.request(method, self.url + path, headers=given, content=content, timeout=30).status_code

    def all_asked(self, token: str = "") -> dict[str, int]:
        return {scope: self.ask(scope, token) for scope in SCOPES}

    def account(self, name: str, *roles: str) -> str:
        """An account that is signed in: its cookie."""
        link = self.access.people.add(Person(name=name, display=name, roles=roles), by="test")
        shown, _ = self.access.people.enrol(link, name="", display="", password=PASSWORD, peer="")
        return f"radiolucent_session={shown}"


def place_of(tmp_path: Path, tokens: dict[str, str] | None = None, *, lets_anonymous: bool = True) -> Iterator[Place]:
    house, site, archive = House(tmp_path), Site(), MemoryArchive()
    access, desks = access_of(house), desks_of(house)
    app = http_app(site, archive, archive, tokens=tokens, access=access, desks=desks, lets_anonymous=lets_anonymous)
    with serving(app) as url:
        yield Place(house, access, site, url)
    house.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    yield from place_of(tmp_path)


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Place]:
    """Beyond one machine, where nobody is let in without a name."""
    yield from place_of(tmp_path, lets_anonymous=False)


@pytest.fixture
def filed(tmp_path: Path) -> Iterator[Place]:
    """With a file of tokens."""
    yield from place_of(tmp_path, {FILED: "viewer"})


OPEN = dict.fromkeys(SCOPES, 200)
CLOSED = dict.fromkeys(SCOPES, 401)


def test_nobody_is_anonymous_once_somebody_can_sign_in(place: Place) -> None:
    assert place.all_asked() == OPEN
    place.access.people.first_link()
    assert place.all_asked() == OPEN
    place.account("ana", "radiologist")
    assert place.all_asked() == CLOSED
    assert place.all_asked("a guess") == CLOSED
    assert place.ask("dicomweb.read", **{"X-Forwarded-For": "127.0.0.1"}) == 401
    for path in ("/health/live", "/health/ready", "/", "/api/door"):
        assert httpx.get(place.url + path).status_code == 200


def test_nobody_is_anonymous_once_there_is_a_token(place: Place) -> None:
    token = place.access.machines.make("viewer", ["dicomweb.read"], by="test")
    assert place.all_asked() == CLOSED
    place.access.machines.withdraw("viewer", by="test")
    assert place.all_asked() == place.all_asked(token) == CLOSED


def test_beyond_this_machine_nobody_is_anonymous_at_all(far: Place) -> None:
    assert far.all_asked() == CLOSED


@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_may_do_what_its_scope_says_and_nothing_else(place: Place, scope: str) -> None:
    place.account("boss", "administrator")
    token = place.access.machines.make("one", [scope], by="boss")
    assert place.all_asked(token) == {each: 200 if each == scope else 403 for each in SCOPES}
    assert place.all_asked(token[:-1]) == CLOSED
    for path in ("/api/session", "/api/people", "/api/tokens"):
        assert httpx.get(place.url + path, headers={"Authorization": f"Bearer {token}"}).status_code == 401
    place.access.machines.withdraw("one", by="boss")
    assert place.all_asked(token) == CLOSED


def test_who_is_turned_away_is_on_record_once_a_minute(place: Place) -> None:
    token = place.access.machines.make("viewer", ["dicomweb.read"], by="test")
    for _ in range(3):
        assert place.ask("dicomweb.read") == 401
        assert place.ask("dicomweb.store", token) == 403
        assert place.ask("metrics.read", token) == 403
    assert place.site.turned == [
        ("token_missing", "", "127.0.0.1"),
        ("token_may_not", "viewer", "127.0.0.1"),
    ]


def test_a_flood_of_callers_fills_no_log() -> None:
    sparing = Sparing()
    assert sum(sparing.is_due(number) for number in range(2 * Sparing.MOST)) == Sparing.MOST


def test_tokens_of_the_file_go_on_working_beside_others(filed: Place) -> None:
    assert filed.all_asked() == CLOSED
    assert filed.all_asked(FILED) == OPEN
    token = filed.access.machines.make("pacs", ["dicomweb.store"], by="test")
    assert filed.ask("dicomweb.store", token) == 200
    assert filed.ask("dicomweb.read", token) == 403
    eventually(lambda: {name for name, *_ in filed.site.on_record} == {"viewer"})


@pytest.mark.parametrize("role", ROLES)
def test_what_each_role_may_read_here_with_the_session_of_the_page(place: Place, role: str) -> None:
    cookie = place.account("ana", role)
    for scope in SCOPES:
        allowed = scope in permissions_of([role]) and ASKED[scope][0] == "GET"
        refused = 401 if ASKED[scope][0] == "POST" else 403
        assert place.ask(scope, Cookie=cookie) == (200 if allowed else refused), scope


def test_a_token_is_kept_as_a_digest_and_its_acts_are_on_record(place: Place) -> None:
    token = place.access.machines.make("Viewer ", ["fhir.read", "dicomweb.read"], by="boss")
    assert place.ask("fhir.read", token) == 200
    (known,) = place.access.machines.everybody()
    assert (known.name, known.scopes, known.made_by) == ("viewer", ("dicomweb.read", "fhir.read"), "boss")
    assert known.used_at == place.house.clock().timestamp()
    eventually(lambda: [name for name, *_ in place.site.on_record] == ["viewer"])  # it is written after the answer
    place.access.machines.withdraw("viewer", by="boss")
    told = [parse(entry.text) for entry in place.house.journal.log.entries()]
    assert [e.details["setting"] for e in told if e.action == "setting_change"] == ["token_made", "token_withdrawn"]
    for file in place.house.root.glob("store.sqlite*"):
        assert token.encode() not in file.read_bytes()


def test_tokens_are_managed_over_the_api(place: Place) -> None:
    cookie = place.account("boss", "administrator")
    with httpx.Client(base_url=f"{place.url}/api", headers={"Cookie": cookie}) as client:
        client.headers["X-CSRF-Token"] = client.get("/session").json()["csrf"]
        made = client.post("/tokens", json={"name": "viewer", "scopes": ["dicomweb.read"]})
        assert made.status_code == 201
        assert place.ask("dicomweb.read", made.json()["token"]) == 200
        for body, code in (
            ({"name": "viewer", "scopes": ["fhir.read"]}, "name_taken"),
            ({"name": "boss", "scopes": ["fhir.read"]}, "name_taken"),
            ({"name": "../x", "scopes": ["fhir.read"]}, "name_unfit"),
            ({"name": "other", "scopes": ["people.manage"]}, "scope_unknown"),
            ({"name": "other", "scopes": []}, "scope_unknown"),
        ):
            assert client.post("/tokens", json=body).json()["code"] == code
        (listed,) = client.get("/tokens").json()
        assert (listed["id"], listed["name"], listed["scopes"]) == ("viewer", "viewer", ["dicomweb.read"])
        assert listed["created_at"] == listed["last_used_at"]
        assert "token" not in listed
        assert client.delete(f"/tokens/{listed['id']}").status_code == 204
        assert client.delete(f"/tokens/{listed['id']}").json()["code"] == "no_such_token"
        assert place.ask("dicomweb.read", made.json()["token"]) == 401


def test_everything_that_is_served_stands_in_the_table(place: Place) -> None:
    archive = MemoryArchive()
    served: set[tuple[str, str]] = set()

    def walk(routes: list[object], below: str = "") -> None:
        for route in routes:
            if isinstance(route, Mount) and route.path == "/api":
                continue  # its own table, checked when it is put together
            if isinstance(route, Mount):
                walk(route.routes, below + route.path)
            elif isinstance(route, Route):
                served.update((method, below + route.path) for method in route.methods or ())

    walk(http_app(place.site, archive, archive, tokens=None, access=place.access).routes)
    assert len(served) > 20
    assert [each for each in served if door_need(*each) is None] == []
    assert set(DOORS) == {
        row
        for row in DOORS
        if any(
            path == row[1] or (row[1] != "/" and path.startswith(row[1])) for method, path in served if method == row[0]
        )
    }


@pytest.mark.parametrize("path", ["/dicom-web", "//dicom-web/studies", "/static/../dicom-web/studies", "/nothing"])
def test_no_other_way_of_writing_a_path_leads_in(place: Place, path: str) -> None:
    place.account("ana", "radiologist")
    answer = httpx.get(httpx.URL(place.url).copy_with(raw_path=path.encode()))
    assert answer.status_code in (401, 404)
    assert "00080050" not in answer.text
