"""Signing in, accounts, and the gate in front of the API, over a real server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from access_cases import PASSWORD, Place, place_in

from radiolucent.access.permissions import ROLES, permissions_of
from radiolucent.web.api.endpoints import ENDPOINTS
from radiolucent.web.api.gate import COOKIE

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/session"): {"name": "x", "password": "y"},
    ("POST", "/enrol"): {"token": "x", "password": PASSWORD},
    ("POST", "/enter"): {"token": "x"},
    ("POST", "/me/password"): {"old": "wrong", "new": PASSWORD},
    ("PUT", "/me/totp"): {"code": "000000"},
    ("DELETE", "/me/totp"): {"code": "000000"},
    ("POST", "/people"): {"name": "new", "roles": ["qa"]},
    ("PATCH", "/people/{name}"): {"roles": ["qa"]},
    ("POST", "/tokens"): {"name": "viewer", "scopes": ["dicomweb.read"]},
    ("POST", "/worklist"): {},
    ("POST", "/studies/{study_key}/decision"): {
        "idempotency_key": "7b0a2c9e-5a53-4c5e-9a39-9d0d6f0f7a11",
        "report_id": "none",
        "is_final": True,
        "findings": [],
    },
    ("POST", "/studies/{study_key}/retract"): {"reason": "quality"},
    ("POST", "/studies/{study_key}/opinion"): {"nothing": True},
    ("POST", "/studies/{study_key}/break-glass"): {"reason": "a reason long enough"},
    ("POST", "/studies/{study_key}/lease"): {},
}


def filled(path: str) -> str:
    """A path of the table with something in every place."""
    return re.sub(r"{(\w+)}", lambda m: "0" if m[1] == "image_key" else "nobody", path)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with place_in(tmp_path) as made:
        yield made


def test_the_first_administrator_comes_by_a_link_that_works_once(place: Place) -> None:
    link = place.people.first_link()
    assert link is not None
    with place.client() as client:
        assert client.get("/door").json()["has_users"] is False
        body = {"token": link, "name": "Boss", "display": "The Boss", "password": PASSWORD}
        answer = client.post("/enrol", json=body)
        assert answer.status_code == 200
        assert answer.json()["user"] == {
            "name": "boss",
            "display": "The Boss",
            "roles": ["administrator"],
            "sites": ["*"],
            "totp": False,
        }
        assert client.get("/session").status_code == 200
        assert client.post("/enrol", json=body | {"name": "second"}).status_code == 410
        assert client.get("/door").json()["has_users"] is True
    assert place.people.first_link() is None


def test_a_weak_password_does_not_use_the_link_up(place: Place) -> None:
    link = place.people.first_link()
    with place.client() as client:
        weak = client.post("/enrol", json={"token": link, "name": "boss", "password": "short"})
        assert (weak.status_code, weak.json()["code"]) == (422, "password_weak")
        assert client.post("/enrol", json={"token": link, "name": "boss", "password": PASSWORD}).status_code == 200


def test_a_link_ends_after_a_day(place: Place) -> None:
    link = place.people.first_link()
    place.house.clock.forward(24 * 3600 + 1)
    with place.client() as client:
        assert client.post("/enrol", json={"token": link, "name": "boss", "password": PASSWORD}).status_code == 410


def test_a_link_that_signs_in_does_it_once_and_no_other_link_does(place: Place) -> None:
    place.account("demo", "senior")
    place.account("ana", "radiologist")
    link, reset = place.people.entry_link("demo"), place.people.reset("ana", by="test")
    with place.client() as client:
        assert client.post("/enter", json={"token": reset}).status_code == 410
        assert client.post("/enrol", json={"token": link, "password": PASSWORD}).status_code == 410
        first = client.post("/enter", json={"token": link})
        assert (first.status_code, first.json()["user"]["name"]) == (200, "demo")
        assert client.post("/enter", json={"token": link}).status_code == 410


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(place: Place) -> None:
    place.account("ana", "radiologist")
    with place.client() as client:
        answer = client.post("/session", json={"name": " ANA ", "password": PASSWORD})
        cookie = answer.headers["set-cookie"].lower()
        assert all(word in cookie for word in (COOKIE, "httponly", "samesite=strict", "path=/"))
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json()["permissions"] == sorted(permissions_of(["radiologist"]))


def test_each_sign_in_is_another_session_and_a_planted_one_is_not_taken(place: Place) -> None:
    place.account("ana", "radiologist")
    with place.client() as client:
        client.cookies.set(COOKIE, "planted")
        client.post("/session", json={"name": "ana", "password": PASSWORD})
        first = client.cookies.get(COOKIE, domain="127.0.0.1") or ""
    with place.signed_in("ana") as other:
        assert "planted" not in (first, other.cookies[COOKIE])
        assert other.cookies[COOKIE] != first


def test_every_failure_says_the_same_and_is_on_record(place: Place) -> None:
    place.account("ana", "radiologist")
    place.account("gone", "radiologist")
    place.people.change("gone", by="test", is_disabled=True)
    with place.client() as client:
        answers = [
            client.post("/session", json={"name": name, "password": password})
            for name, password in (("ana", "wrong"), ("nobody", PASSWORD), ("gone", PASSWORD))
        ]
    assert {a.status_code for a in answers} == {401}
    assert len({a.text for a in answers}) == 1
    failed = [e for e in place.audited("login") if e.outcome != "success"]
    assert [e.actor for e in failed] == ["ana", "nobody", "gone"]


def test_whoever_guesses_waits_and_nobody_is_locked_out(place: Place) -> None:
    place.account("ana", "radiologist")
    with place.client() as client:
        for _ in range(5):
            client.post("/session", json={"name": "ana", "password": "wrong"})
        slowed = client.post("/session", json={"name": "ana", "password": PASSWORD})
        assert (slowed.status_code, slowed.json()["code"]) == (429, "too_many_attempts")
        place.house.clock.forward(float(slowed.headers["retry-after"]) + 1)
        assert client.post("/session", json={"name": "ana", "password": PASSWORD}).status_code == 200


def test_a_session_ends_when_idle_and_in_any_case(place: Place) -> None:
    place.account("ana", "radiologist")
    with place.signed_in("ana") as client:
        for _ in range(26):
            place.house.clock.forward(1700)
            last = client.get("/session").status_code
        assert last == 401
    with place.signed_in("ana") as client:
        place.house.clock.forward(1801)
        assert client.get("/session").status_code == 401


def test_what_the_page_asks_by_itself_keeps_no_session_alive(place: Place) -> None:
    place.account("ana", "radiologist")
    with place.signed_in("ana") as client:
        for status in (200, 200, 401):
            with client.stream("GET", "/events") as answer:
                assert answer.status_code == status
            assert client.post("/worklist", json={}, headers={"X-Unattended": "1"}).status_code == status
            place.house.clock.forward(1000)


def test_signing_out_disabling_and_a_new_password_end_sessions(place: Place) -> None:
    place.account("ana", "radiologist")
    with place.signed_in("ana") as client:
        secret = client.cookies[COOKIE]
        assert client.delete("/session").status_code == 204
        client.cookies.set(COOKIE, secret)
        assert client.get("/session").status_code == 401
    with place.signed_in("ana") as client:
        body = {"old": PASSWORD, "new": "eight yellow lamps"}
        assert client.post("/me/password", json=body).status_code == 204
        assert client.get("/session").status_code == 401
    place.people.reset("ana", by="test")
    assert place.people.everybody()[0].name == "ana"


@pytest.mark.parametrize("role", ROLES)
def test_every_endpoint_for_every_role(place: Place, role: str) -> None:
    """Each cell of role and endpoint: let through to the endpoint, or 403."""
    place.account("boss", "administrator")
    place.account("ana", role)
    for (method, path), need in ENDPOINTS.items():
        with (
            place.signed_in("ana") as client,
            client.stream(method, filled(path), json=BODIES.get((method, path))) as answer,
        ):
            told = json.loads(answer.read())["code"] if answer.status_code == 403 else ""
        allowed = need in ("open", "signed_in") or need in permissions_of([role])  # type: ignore[list-item]
        assert (told != "not_allowed") == allowed, (method, path)


@pytest.mark.parametrize(("method", "path"), [e for e, need in ENDPOINTS.items() if need != "open"])
def test_nobody_gets_in_without_a_session(place: Place, method: str, path: str) -> None:
    with place.client() as client:
        answer = client.request(method, filled(path), json=BODIES.get((method, path)))
        assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X-CSRF-Token": ""}, "csrf_token_wrong"),
        ({"X-CSRF-Token": "guessed"}, "csrf_token_wrong"),
        ({"Origin": "https://evil.example"}, "foreign_origin"),
        ({"Sec-Fetch-Site": "cross-site"}, "foreign_origin"),
    ],
)
def test_a_forged_request(place: Place, headers: dict[str, str], code: str) -> None:
    place.account("boss", "administrator")
    with place.signed_in("boss") as client:
        answer = client.post("/people", json={"name": "eve", "roles": ["senior"]}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert [p.name for p in place.people.everybody()] == ["boss"]


def test_what_is_not_in_the_table_is_not_served(place: Place) -> None:
    place.account("boss", "administrator")
    with place.signed_in("boss") as client:
        for method, path in (("GET", "/openapi.json"), ("GET", "/docs"), ("PUT", "/people"), ("GET", "/../etc/passwd")):
            assert client.request(method, path).status_code in (404, 405)


def test_bodies_that_are_too_large_or_wrong(place: Place) -> None:
    with place.client() as client:
        assert client.post("/session", content=b"x" * (2**20 + 1)).status_code == 413
        wrong = client.post("/session", json={"name": "<script>", "password": 5, "more": 1})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "request_invalid")
        assert "<script>" not in wrong.text


def test_accounts_are_managed_and_the_last_administrator_stays(place: Place) -> None:
    place.account("boss", "administrator")
    with place.signed_in("boss") as client:
        made = client.post("/people", json={"name": "Ana", "display": "Ana <b>", "roles": ["radiologist"]})
        assert made.status_code == 201
        assert made.json()["link"].startswith("/#/enrol/")
        assert client.post("/people", json={"name": "ana", "roles": ["qa"]}).json()["code"] == "name_taken"
        assert client.post("/people", json={"name": "bob", "roles": ["king"]}).json()["code"] == "role_unknown"
        assert client.post("/people", json={"name": "../x", "roles": ["qa"]}).json()["code"] == "name_unfit"
        for sites in (["nowhere"], []):
            wrong = {"name": "bob", "roles": ["qa"], "sites": sites}
            assert client.post("/people", json=wrong).json()["code"] == "site_unknown"
            assert client.patch("/people/ana", json={"sites": sites}).json()["code"] == "site_unknown"
        assert client.patch("/people/ana", json={"sites": ["main"]}).json()["sites"] == ["main"]
        assert client.patch("/people/ana", json={"roles": ["senior"]}).json()["roles"] == ["senior"]
        assert client.patch("/people/boss", json={"disabled": True}).json()["code"] == "last_administrator"
        assert client.post("/people/ana/reset").status_code == 200
        assert client.post("/people/nobody/reset").status_code == 404
        assert [p["name"] for p in client.get("/people").json()] == ["ana", "boss"]
    assert {e.details["setting"] for e in place.audited("setting_change")} >= {"account_made", "account_changed"}


def test_no_secret_is_kept_readable(place: Place) -> None:
    place.account("ana", "radiologist")
    link = place.people.reset("ana", by="test")
    place.people.enrol(link, name="", display="", password=PASSWORD, peer="")
    with place.signed_in("ana") as client:
        secret = client.cookies[COOKIE]
    place.house.database.close()
    for file in place.house.root.glob("store.sqlite*"):
        stored = file.read_bytes()
        assert all(word.encode() not in stored for word in (PASSWORD, secret, link))
