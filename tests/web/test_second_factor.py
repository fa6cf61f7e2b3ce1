"""Second factors over the API: set up, asked for, used once, demanded of roles, taken away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pyotp
import pytest
from access_cases import PASSWORD, Place, place_in
from store_cases import together

from radiolucent.web.api.endpoints import ENDPOINTS
from radiolucent.web.api.gate import COOKIE


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Administrators need a second factor here."""
    with place_in(tmp_path, totp_roles=["administrator"]) as made:
        yield made


def code_of(place: Place, secret: str) -> str:
    return pyotp.TOTP(secret).at(place.house.clock())


def set_up(place: Place, name: str) -> str:
    """The secret of a second factor that is on; its code of now is used up."""
    with place.signed_in(name) as client:
        told = client.post("/me/totp").json()
        taken = pyotp.parse_uri(told["uri"])
        assert (taken.secret, taken.name, taken.issuer) == (told["secret"], name, "Radiolucent")
        assert told["picture"].startswith("data:image/svg+xml")
        assert client.put("/me/totp", json={"code": code_of(place, told["secret"])}).status_code == 204
        assert client.get("/session").json()["user"]["totp"] is True
    return str(told["secret"])


def sign_in(place: Place, name: str, **more: str) -> tuple[int, str]:
    with place.client() as client:
        answer = client.post("/session", json={"name": name, "password": PASSWORD, **more})
        return answer.status_code, answer.json().get("code", "")


def test_a_code_is_asked_for_and_taken_once(place: Place) -> None:
    place.account("ana", "radiologist")
    secret = set_up(place, "ana")
    assert sign_in(place, "ana") == (401, "totp_needed")
    assert sign_in(place, "ana", totp=code_of(place, secret)) == (401, "sign_in_failed")  # it confirmed the factor
    place.house.clock.forward(30)
    code = code_of(place, secret)
    assert sign_in(place, "ana", totp=f" {code[:3]} {code[3:]} ") == (200, "")
    assert sign_in(place, "ana", totp=code) == (401, "sign_in_failed")
    place.house.clock.forward(30)
    assert sign_in(place, "ana", totp=code) == (401, "sign_in_failed")
    assert sign_in(place, "ana", totp=code_of(place, secret)) == (200, "")


def test_of_many_at_once_one_gets_in_by_a_code(place: Place) -> None:
    place.account("ana", "radiologist")
    secret = set_up(place, "ana")
    place.house.clock.forward(60)
    code = code_of(place, secret)
    found = together(4, lambda _: sign_in(place, "ana", totp=code))
    assert sorted(status for status, _ in found) == [200, 401, 401, 401]


def test_a_code_helps_nobody_without_the_password_and_guesses_wait(place: Place) -> None:
    place.account("ana", "radiologist")
    secret = set_up(place, "ana")
    place.house.clock.forward(60)
    with place.client() as client:
        wrong = {"name": "ana", "password": "wrong", "totp": code_of(place, secret)}
        assert client.post("/session", json=wrong).json()["code"] == "sign_in_failed"
    for _guess in range(4):
        assert sign_in(place, "ana", totp="000000") == (401, "sign_in_failed")
    assert sign_in(place, "ana", totp=code_of(place, secret)) == (429, "too_many_attempts")
    assert {e.outcome for e in place.audited("login")} == {"success", "minor_failure"}


@pytest.mark.parametrize("late_s", [-60, 60])
def test_codes_of_another_minute_are_not_taken(place: Place, late_s: float) -> None:
    place.account("ana", "radiologist")
    secret = set_up(place, "ana")
    place.house.clock.forward(120)
    code = pyotp.TOTP(secret).at(place.house.clock.now.timestamp() + late_s)
    assert sign_in(place, "ana", totp=code) == (401, "sign_in_failed")


def test_a_role_that_needs_one_may_do_nothing_before(place: Place) -> None:
    place.account("boss", "administrator", "radiologist")
    with place.signed_in("boss") as client:
        session = client.get("/session").json()
        assert (session["must_enrol_totp"], session["permissions"]) == (True, [])
        for (method, path), need in ENDPOINTS.items():
            if need not in ("open", "signed_in"):
                answer = client.request(method, path.replace("{image_key}", "0"), json={})
                assert (answer.status_code, answer.json()["code"]) == (403, "totp_required"), path
        secret = client.post("/me/totp").json()["secret"]
        assert client.put("/me/totp", json={"code": "000000"}).json()["code"] == "totp_wrong"
        assert client.get("/people").status_code == 403
        assert client.put("/me/totp", json={"code": code_of(place, secret)}).status_code == 204
        assert client.get("/session").json()["must_enrol_totp"] is False
        (boss,) = client.get("/people").json()
        assert boss["totp"] is True
        assert client.post("/me/totp").json()["code"] == "totp_is_on"
        place.house.clock.forward(60)
        assert client.request("DELETE", "/me/totp", json={"code": code_of(place, secret)}).status_code == 204
        assert client.get("/people").json()["code"] == "totp_required"
    assert [e.details["setting"] for e in place.audited("setting_change")][-2:] == [
        "second_factor_on",
        "second_factor_off",
    ]


def test_turning_it_off_takes_a_code_and_guesses_wait(place: Place) -> None:
    place.account("ana", "radiologist")
    set_up(place, "ana")
    place.house.clock.forward(60)

    def guess(client: httpx.Client) -> str:
        return str(client.request("DELETE", "/me/totp", json={"code": "000000"}).json()["code"])

    with place.client() as client:
        shown, signed_in = place.people.enrol(
            place.people.reset("ana", by="test"), name="", display="", password=PASSWORD, peer=""
        )
        client.cookies.set(COOKIE, shown)
        client.headers["X-CSRF-Token"] = signed_in.csrf
        assert signed_in.person.has_totp is False  # a new link turned it off
        secret = client.post("/me/totp").json()["secret"]
        assert client.put("/me/totp", json={"code": code_of(place, secret)}).status_code == 204
        assert [guess(client) for _ in range(6)] == ["totp_wrong"] * 5 + ["too_many_attempts"]
        old = client.post("/me/password", json={"old": PASSWORD, "new": "another one, long"})
        assert old.status_code == 429


def test_a_secret_that_was_not_confirmed_asks_nobody_for_a_code(place: Place) -> None:
    place.account("ana", "radiologist")
    with place.signed_in("ana") as client:
        first = client.post("/me/totp").json()["secret"]
        second = client.post("/me/totp").json()["secret"]
        assert first != second
        assert client.put("/me/totp", json={"code": code_of(place, first)}).json()["code"] == "totp_wrong"
    assert sign_in(place, "ana") == (200, "")
