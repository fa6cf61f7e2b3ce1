"""Sign-in by a real OpenID provider (npm `oidc-provider`), from the page's link through its pages and back."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from flow import hospital

from radiolucent.audit.canonical import parse
from radiolucent.records.person import Person
from radiolucent.wiring.running import Running

pytestmark = pytest.mark.peers
SOURCES = Path(__file__).parent / "oidc"
SECRET = "a secret of the tests: long, and with % in it"
PEOPLE: dict[str, dict[str, Any]] = {
    "u-1": {"preferred_username": "Ana@hospital.example", "name": "Dr Ana", "groups": ["rad", "x"], "sites": ["north"]},
    "u-2": {"preferred_username": "bob", "name": "Bob", "groups": ["kitchen"], "sites": ["north"]},
    "u-3": {"preferred_username": "boss", "name": "Another Boss", "groups": ["rad", "admins"], "sites": ["*"]},
    "u-4": {"preferred_username": "carla", "name": "Carla", "groups": ["rad"], "sites": ["nowhere"]},
}


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


@dataclass
class Place:
    running: Running
    url: str
    provider: str

    def through(self, client: httpx.Client, login: str) -> httpx.Response:
        """What the provider's redirection back is answered with; ``login`` signs in and consents there."""
        back = self.to_the_callback(client, login)
        return client.get(back)

    def to_the_callback(self, client: httpx.Client, login: str) -> str:
        answer = client.get(f"{self.url}/api/session/oidc")
        for _step in range(12):
            if answer.is_redirect:
                place = str(answer.url.join(answer.headers["location"]))
                if place.startswith(self.url):
                    return place
                answer = client.get(place)
                continue
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            target = re.search(r'action="([^"]+)"', answer.text)
            assert prompt, answer.text
            assert target, answer.text
            answer = client.post(
                str(answer.url.join(target[1])), data={"prompt": prompt[1], "login": login, "password": "any"}
            )
        raise AssertionError("the provider never sent the browser back")

    def audited(self) -> list[Any]:
        told = (parse(entry.text) for entry in self.running.installation.journal.log.entries())
        return [each for each in told if each.action == "login"]


@contextmanager
def provider(folder: Path, port: int, redirect_uri: str) -> Iterator[None]:
    command = ["node", "provider.mjs", str(port), redirect_uri, json.dumps(PEOPLE)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while b"listening" not in (folder / "log").read_bytes():
            is_up = process.poll() is None and time.monotonic() < deadline
            assert is_up, (folder / "log").read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("oidc")
    if shutil.which("npm") is None:
        pytest.fail("not installed: npm; see tests/peers/install.sh")
    shutil.copytree(SOURCES, folder / "provider", ignore=shutil.ignore_patterns("node_modules"))
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"], cwd=folder / "provider", capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "secret").write_text(SECRET + "\n", encoding="utf-8")
    ours, theirs = free_port(), free_port()
    url, issuer = f"http://127.0.0.1:{ours}", f"http://127.0.0.1:{theirs}"
    settings = hospital.settings(
        folder / "data",
        reader={"enabled": False},
        http={"port": ours, "totp_roles": ["radiologist"]},
        sites=[{"name": "north", "callers": ["NORTH_CR"]}],
        oidc={
            "issuer": issuer,
            "client_id": "radiolucent",
            "secret": folder / "secret",
            "address": url,
            "scopes": ["openid", "profile", "groups"],
            "sites_claim": "sites",
            "roles": [{"value": "rad", "role": "radiologist"}, {"value": "admins", "role": "administrator"}],
        },
    )
    with provider(folder / "provider", theirs, f"{url}/api/session/oidc/callback"), Running(settings) as running:
        yield Place(running, url, issuer)


def test_whoever_has_a_role_is_signed_in_as_local_people_are(place: Place) -> None:
    with httpx.Client() as client:
        assert client.get(f"{place.url}/api/door").json()["oidc"] == {"title": "Sign in with the hospital's account"}
        asked = client.get(f"{place.url}/api/session/oidc")
        question = httpx.URL(asked.headers["location"]).params
        assert question["code_challenge_method"] == "S256"
        assert {"state", "nonce", "code_challenge"} <= set(question)
        cookie = asked.headers["set-cookie"].lower()
        assert all(word in cookie for word in ("httponly", "samesite=lax", "path=/api/session/oidc", "max-age=600"))
        answer = place.through(client, "u-1")
        assert (answer.status_code, answer.headers["location"]) == (302, "/")
        cookies = " ".join(answer.headers.get_list("set-cookie")).lower()
        assert "samesite=strict" in cookies
        assert 'radiolucent_oidc=""' in cookies
        session = client.get(f"{place.url}/api/session").json()
        assert session["user"] == {
            "name": "ana@hospital.example",
            "display": "Dr Ana",
            "roles": ["radiologist"],
            "sites": ["north"],
            "totp": False,
        }
        assert session["must_enrol_totp"] is False  # a second factor is the provider's business
        assert client.get(f"{place.url}/api/people").status_code == 403
        forged = client.post(f"{place.url}/api/worklist", json={}, headers={"X-CSRF-Token": "guessed"})
        assert forged.json()["code"] == "csrf_token_wrong"
        good = client.post(f"{place.url}/api/worklist", json={}, headers={"X-CSRF-Token": session["csrf"]})
        assert good.status_code == 200
    told = place.audited()[-1]
    assert (told.actor, told.outcome, told.details["method"]) == ("ana@hospital.example", "success", "oidc")


def test_nobody_is_anonymous_where_a_provider_vouches(place: Place) -> None:
    assert httpx.get(f"{place.url}/dicom-web/studies").status_code == 401


@pytest.mark.parametrize(("login", "code"), [("u-2", "oidc_no_role"), ("u-4", "oidc_no_site")])
def test_whoever_has_no_role_or_site_does_not_come_in(place: Place, login: str, code: str) -> None:
    with httpx.Client() as client:
        answer = place.through(client, login)
        assert answer.headers["location"] == f"/#/refused/{code}"
        assert client.get(f"{place.url}/api/session").status_code == 401
    told = place.audited()[-1]
    assert (told.actor, told.outcome, told.details["code"]) == (login, "minor_failure", code)
    assert not [p for p in place.running.installation.people.everybody() if p.name in ("bob", "carla")]


def test_an_account_here_is_not_taken_over_by_its_name(place: Place) -> None:
    people = place.running.installation.people
    link = people.add(Person(name="boss", display="The Boss", roles=("qa",)), by="test")
    people.enrol(link, name="", display="", password="nine purple lamps", peer="")
    with httpx.Client() as client:
        assert place.through(client, "u-3").headers["location"] == "/#/refused/oidc_account"
    (boss,) = [p for p in people.everybody() if p.name == "boss"]
    assert (boss.display, boss.roles) == ("The Boss", ("qa",))


@pytest.mark.parametrize("change", ["state", "iss", "no cookie", "another's cookie"])
def test_an_answer_to_another_sign_in_is_refused(place: Place, change: str) -> None:
    with httpx.Client() as client, httpx.Client() as other:
        back = httpx.URL(place.to_the_callback(client, "u-1"))
        if change == "state":
            back = back.copy_set_param("state", "x" + back.params["state"][1:])
        if change == "iss":
            back = back.copy_set_param("iss", "https://evil.example")
        if change == "another's cookie":
            other.get(f"{place.url}/api/session/oidc")
        victim = client if change in ("state", "iss") else other
        answer = victim.get(back)
        assert answer.headers["location"] == "/#/refused/oidc_state"
        assert "radiolucent_session" not in answer.headers.get("set-cookie", "")
        assert victim.get(f"{place.url}/api/session").status_code == 401


def test_a_code_works_once_and_only_with_its_verifier(place: Place) -> None:
    with httpx.Client() as client:
        back = place.to_the_callback(client, "u-1")
        kept = client.cookies["radiolucent_oidc"]
        assert client.get(back).headers["location"] == "/"
        client.cookies.set("radiolucent_oidc", kept, domain="127.0.0.1", path="/api/session/oidc")
        assert client.get(back).headers["location"] == "/#/refused/oidc_refused"
    with httpx.Client() as client:
        back = place.to_the_callback(client, "u-1")
        begun = json.loads(bytes.fromhex(client.cookies["radiolucent_oidc"]))
        begun["verifier"] = "v" * 43
        changed = json.dumps(begun).encode().hex()
        answer = httpx.get(back, headers={"Cookie": f"radiolucent_oidc={changed}"})
        assert answer.headers["location"] == "/#/refused/oidc_refused"


def test_whoever_is_disabled_here_stays_out_and_roles_follow_the_provider(place: Place) -> None:
    people = place.running.installation.people
    people.change("ana@hospital.example", by="test", roles=["qa"], is_disabled=True)
    with httpx.Client() as client:
        assert place.through(client, "u-1").headers["location"] == "/#/refused/oidc_account"
        people.change("ana@hospital.example", by="test", is_disabled=False)
        assert place.through(client, "u-1").headers["location"] == "/"
        assert client.get(f"{place.url}/api/session").json()["user"]["roles"] == ["radiologist"]


def test_whoever_changes_their_mind_there_comes_back_without_a_session(place: Place) -> None:
    with httpx.Client() as client:
        asked = client.get(f"{place.url}/api/session/oidc")
        state = httpx.URL(asked.headers["location"]).params["state"]
        back = f"{place.url}/api/session/oidc/callback"
        answer = client.get(back, params={"error": "access_denied", "state": state, "iss": place.provider})
        assert answer.headers["location"] == "/#/refused/oidc_refused"
