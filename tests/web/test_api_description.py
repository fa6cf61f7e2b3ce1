"""Schemathesis over the description of the API: whoever calls, with what fits its form or breaks it, each answer is as
described, none is a failure of the server, and nobody is served what their role may not do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from flow import hospital
from flow.hospital import eventually
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import APIOperation, Case, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from radiolucent.access.permissions import permissions_of
from radiolucent.records.person import ROLES, Person
from radiolucent.web.api.description import description
from radiolucent.web.api.endpoints import ENDPOINTS
from radiolucent.web.api.gate import COOKIE
from radiolucent.wiring.running import Running

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ENDLESS = ("GET", "/events")
"""Goes on for a minute; what it says is tested with the worklist."""
DESCRIPTION = openapi.from_dict(description())
NEEDS = {key: need for key, need in ENDPOINTS.items() if key != ENDLESS}
EXAMPLES = int(os.environ.get("RADIOLUCENT_EXAMPLES", "2"))
"""Of each endpoint and role; more find more."""
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")  # Schemathesis's own


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An installation with a film that was read, and somebody of each role."""
    folder: Path = tmp_path_factory.mktemp("described")
    made_of = hospital.settings(
        folder / "data",
        reader={"engines": [str(hospital.engines(folder / "engines"))]},
        rules=[{"name": "all"}],
        http={"port": 0},
    )
    with Running(made_of) as made:
        it = made.installation
        assert set(hospital.send(it.dicom.port, hospital.study_of(1)).values()) == {0}
        for role in ROLES:
            it.people.add(Person(name=role, display=role, roles=(role,), sites=("*",)), by="test")
        yield made


@pytest.fixture(scope="module")
def study_key(running: Running) -> str:
    """The study with a finding."""
    return eventually(lambda: _read(running))[0]


def _read(running: Running) -> list[str]:
    client, csrf = signed_in(running, "radiologist")
    url = f"http://127.0.0.1:{running.http.port}/api/worklist"
    found = client.post(url, json={}, headers={"X-CSRF-Token": csrf}).json()
    return [item["study_key"] for item in found["items"] if item["positives"]]


def signed_in(running: Running, role: str) -> tuple[requests.Session, str]:
    """A session of that role, and what it shows on writing."""
    people = running.installation.people
    shown, session = people.enter(people.entry_link(role), peer="")
    client = requests.Session()
    client.cookies.set(COOKIE, shown)
    return client, session.csrf


def cases(operation: APIOperation, study_key: str) -> SearchStrategy[Case]:
    """What fits its form and what does not; half of it about the study that is there."""
    drawn = operation.as_strategy(GenerationMode.POSITIVE) | operation.as_strategy(GenerationMode.NEGATIVE)
    if "{study_key}" not in operation.path:
        return drawn.filter(is_path)

    def there(case: Case) -> Case:
        case.path_parameters["study_key"] = study_key
        return case

    return (drawn | operation.as_strategy(GenerationMode.POSITIVE).map(there)).filter(is_path)


def is_path(case: Case) -> bool:
    """A line break is in no path that is served, and never comes to the API."""
    return "%0A" not in case.formatted_path


def asked(running: Running, role: str, study_key: str, method: str, path: str) -> None:
    """One endpoint in every way that is drawn."""
    client, csrf = signed_in(running, role)
    need = NEEDS[method, path]
    is_refused = need not in ("open", "signed_in") and need not in permissions_of([role])

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=cases(DESCRIPTION[path][method], study_key))
    def answers(case: Case) -> None:
        url = f"http://127.0.0.1:{running.http.port}/api"
        answer = case.call(url, client, headers={"X-CSRF-Token": csrf}, timeout=60, allow_redirects=False)
        case.validate_response(answer, checks=CHECKS)
        assert not is_refused or answer.status_code in (403, 404), (method, path, role, answer.status_code)

    answers()


@pytest.mark.parametrize("role", ROLES)
def test_every_answer_is_as_described_and_none_beyond_the_role(running: Running, study_key: str, role: str) -> None:
    for method, path in NEEDS:
        asked(running, role, study_key, method, path)
