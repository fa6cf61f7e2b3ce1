"""Worklist, study view, maps, first opinion and lease over a running installation, as a page asks for them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from flow import hospital
from flow.hospital import eventually

from radiolucent.records.person import Sight
from radiolucent.records.study import Patient
from radiolucent.review.read_first import ReadFirst
from radiolucent.store import hospital as records
from radiolucent.store import work
from radiolucent.web.api import problems, studies, worklist
from radiolucent.web.api.caller import SCOPE, Caller
from radiolucent.wiring.reading_desk import ReadingDesk
from radiolucent.wiring.running import Running

SCRIPT = "<script>alert(1)</script>"
EVERYTHING = frozenset({"decision.sign", "decision.override", "lease.break"})
ANN = Caller(name="ann", display="Dr Ann", sight=Sight(sites=frozenset({"*"})), permissions=EVERYTHING)
BOB = Caller(
    name="bob", display="Dr Bob", sight=Sight(sites=frozenset({"main"})), permissions=frozenset({"lease.break"})
)


class Gate:
    """Says who calls, by a header that only tests send."""

    callers = {each.name: each for each in (ANN, BOB)} | {
        "tim": Caller(name="tim", display="Tim", sight=Sight(sites=frozenset({"main"})), permissions=frozenset()),
        "eve": Caller(name="eve", display="Dr Eve", sight=Sight(sites=frozenset({"north"})), permissions=EVERYTHING),
    }

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            name = dict(scope["headers"]).get(b"x-who", b"ann").decode()
            scope[SCOPE] = self.callers[name]
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("reading")
    settings = hospital.settings(
        folder / "data", reader={"engines": [str(hospital.engines(folder / "engines"))]}, rules=[{"name": "all"}]
    )
    with Running(settings) as made:
        port = made.installation.dicom.port
        films = [
            *hospital.study_of(1, PatientName="Script^" + SCRIPT, AccessionNumber="A1"),
            *hospital.study_of(1, bright=False, AccessionNumber="A2"),
        ]
        assert set(hospital.send(port, films).values()) == {0}
        eventually(lambda: _done(made) == 2)
        yield made


def _done(running: Running) -> int:
    with running.installation.journal.reading() as connection:
        return work.counts(connection).get("done", 0)


@contextmanager
def client_of(running: Running, read_first=()) -> Iterator[httpx.Client]:
    it = running.installation
    app = FastAPI()
    desk = ReadingDesk(it.journal, it.blobs, specs=it.specs, read_first=read_first)
    problems.install(app)
    for each in (worklist.router(desk), studies.router(desk)):
        app.include_router(each)
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.listen(256)
    server = uvicorn.Server(uvicorn.Config(Gate(app), log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    limits = httpx.Limits(max_connections=200)
    with httpx.Client(base_url=f"http://127.0.0.1:{door.getsockname()[1]}", timeout=60, limits=limits) as client:
        yield client
    server.should_exit = True
    thread.join(10)
    door.close()


@pytest.fixture
def client(running) -> Iterator[httpx.Client]:
    with client_of(running) as made:
        yield made


def positive(client: httpx.Client) -> dict:
    found = client.post("/worklist", json={}).json()
    return next(item for item in found["items"] if item["positives"])


def test_an_image_names_the_sides_that_its_header_states(client):
    view = client.get(f"/studies/{positive(client)['study_key']}").json()
    assert view["series"][0]["images"][0]["sides"] == ["R", "L", "H", "F"]


def test_the_worklist_puts_what_is_positive_first_and_counts(client):
    found = client.post("/worklist", json={}).json()
    assert [bool(item["positives"]) for item in found["items"]] == [True, False]
    assert found["counts"] == {"to_review": 2}
    assert found["waiting"] == 2
    assert found["items"][0]["primary"]["probability"] > 0.5
    assert [item["decided"] for item in found["items"]] == [None, None]


def test_markup_in_a_name_stays_the_text_it_is(client):
    assert SCRIPT in positive(client)["patient"]["name"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"text": "a2"}, 1),
        ({"states": ["decided"]}, 0),
        ({"findings": ["no_such"]}, 0),
        ({"since": "2100-01-01T00:00:00Z"}, 0),
        ({"limit": 1}, 1),
    ],
)
def test_the_worklist_is_narrowed(client, query, count):
    assert len(client.post("/worklist", json=query).json()["items"]) == count


def test_a_query_that_breaks_its_form_is_told_without_its_values(client):
    answer = client.post("/worklist", json={"text": SCRIPT * 50})
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    assert SCRIPT not in answer.text


def test_a_study_shows_pixels_findings_and_a_map_on_source_pixels(client, running):
    key = positive(client)["study_key"]
    view = client.get(f"/studies/{key}").json()
    (image,) = view["series"][0]["images"]
    assert (image["rows"], image["columns"], image["photometric"]) == (64, 64, "MONOCHROME2")
    first = view["findings"][0]
    assert first["is_primary"]
    assert first["positive"]
    shown = first["maps"][0]
    answer = client.get(shown["url"].removeprefix("/api"))
    assert answer.headers["content-type"] == "application/octet-stream"
    rows, columns = int(answer.headers["X-Rows"]), int(answer.headers["X-Columns"])
    assert (rows, columns) == (shown["rows"], shown["columns"]) == (64, 64)
    grid = np.frombuffer(answer.content, np.uint8).reshape(rows, columns)
    row, column = np.unravel_index(int(grid.argmax()), grid.shape)
    assert grid[tuple(shown["peak"])] == grid[row, column] > 0
    assert all(0 <= r <= 64 and 0 <= c <= 64 for line in shown["contours"] for r, c in line)
    assert image["evidence"][first["key"]] > 0


def test_a_study_of_another_site_is_not_shown_and_an_unknown_one_is_not_there(client):
    key = positive(client)["study_key"]
    other = client.get(f"/studies/{key}", headers={"X-Who": "eve"})
    assert (other.status_code, other.json()["code"]) == (403, "other_site")
    assert client.post("/worklist", json={}, headers={"X-Who": "eve"}).json()["items"] == []
    assert client.get("/studies/none").status_code == 404


@pytest.mark.parametrize("path", ["0/maps/none/none", "99/maps/tiny/bright", "0/maps/..%2f..%2f/x"])
def test_a_map_that_is_not_listed_is_not_there(client, path):
    key = positive(client)["study_key"]
    assert client.get(f"/studies/{key}/images/{path}").status_code == 404


def test_a_lease_is_seen_held_and_broken_with_a_reason(client):
    key = positive(client)["study_key"]
    path = f"/studies/{key}/lease"
    assert client.post(path, json={}).json()["is_mine"]
    refused = client.post(path, json={}, headers={"X-Who": "bob"})
    assert (refused.status_code, refused.json()["code"], refused.json()["holder"]) == (409, "lease_held", "Dr Ann")
    assert positive(client)["state"] == "in_review"
    tim = client.post(path, json={"break_reason": "Ann went home"}, headers={"X-Who": "tim"})
    assert (tim.status_code, tim.json()["code"]) == (409, "lease_held"), "not everybody may take over"
    taken = client.post(path, json={"break_reason": "Ann went home"}, headers={"X-Who": "bob"})
    assert (taken.status_code, taken.json()["holder"]) == (200, "Dr Bob")
    assert client.delete(path, headers={"X-Who": "bob"}).status_code == 204
    assert positive(client)["lease"] is None


def test_a_result_stays_hidden_until_the_reader_has_said_something(running):
    with client_of(running, read_first=(ReadFirst(),)) as client:
        _reads_first(client)


def _reads_first(client) -> None:
    items = client.post("/worklist", json={}).json()["items"]
    assert all(i["ai_hidden"] and i["primary"] is None and not i["critical"] and not i["positives"] for i in items)
    key = next(i["study_key"] for i in items if i["accession_number"] == "A1")
    hidden = client.get(f"/studies/{key}").json()
    assert (hidden["ai_hidden"], hidden["findings"], hidden["impression"], hidden["changes"]) == (True, [], "", [])
    assert hidden["series"][0]["images"][0]["evidence"] == {}
    engine, finding = hidden["engines"][0]["id"], next(iter(hidden["engines"][0]["metrics"]))
    assert client.get(f"/studies/{key}/images/0/maps/{engine}/{finding}").status_code == 403
    assert client.post(f"/studies/{key}/opinion", json={}).status_code == 422
    shown = client.post(f"/studies/{key}/opinion", json={"nothing": True}).json()
    assert not shown["ai_hidden"]
    assert shown["findings"]
    assert client.get(f"/studies/{key}", headers={"X-Who": "bob"}).json()["ai_hidden"]


def test_two_hundred_readers_at_once_get_the_same_worklist(client):
    answers: list[tuple[int, int]] = []

    def ask() -> None:
        answer = client.post("/worklist", json={})
        answers.append((answer.status_code, len(answer.json()["items"])))

    threads = [threading.Thread(target=ask) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [(200, 2)] * 200


def test_what_changes_gives_another_version(client, running):
    key = positive(client)["study_key"]
    before = client.post("/worklist", json={}).json()["version"]
    client.post(f"/studies/{key}/lease", json={})
    assert client.post("/worklist", json={}).json()["version"] != before
    client.delete(f"/studies/{key}/lease")


def test_the_worklist_names_the_patient_as_known_today(client, running):
    before = client.post("/worklist", json={"text": "A2"}).json()["items"][0]
    said = before["patient"]
    retired = Patient(patient_id=said["id"], issuer="", name=said["name"], birth_date="", sex="")
    survivor = Patient(patient_id="NEW-1", issuer="", name="Right^Name", birth_date="19600102", sex="F")
    with running.installation.journal.entry() as entry:
        records.merge_patients(entry.connection, surviving=survivor, retired=retired, now=entry.at)
    for text in ("NEW-1", said["id"], "right name"):
        items = client.post("/worklist", json={"text": text}).json()["items"]
        found = next(item for item in items if item["study_key"] == before["study_key"])
        assert (found["patient"]["name"], found["patient"]["id"]) == ("Right^Name", "NEW-1")
    view = client.get(f"/studies/{before['study_key']}").json()
    assert view["patient"]["id"] == "NEW-1", "as the study's own page does"
