"""Drift and reports of validations over the API: who is given what, and within which fences."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_engine
import validation_cases
from access_cases import Place, place_in

from radiolucent.access.permissions import ALLOWED, ROLES
from radiolucent.cohort.drift import BASELINE_DAYS, Tally, Value
from radiolucent.cohort.validation.records import Ask
from radiolucent.cohort.validation.validate import validate
from radiolucent.cohort.validation.writing import write
from radiolucent.engines.package import PackageFiles
from radiolucent.records.person import EVERYTHING
from radiolucent.web.api.caller import Caller
from radiolucent.web.api.quality import Drift
from radiolucent.wiring.quality_desk import QualityDesk
from radiolucent.wiring.validations import Shelf


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A validation whose maps lie elsewhere in one group, so that its report leads to cases."""
    folder = tmp_path_factory.mktemp("made")
    out = folder / "out"
    out.mkdir()
    ask = Ask(source=validation_cases.write(folder / "c", moved=True), resamples=10, permutations=99)
    write(validate(PackageFiles(tiny_engine.write(folder / "engines")), ask, out=out), out)
    return out


@pytest.fixture
def place(tmp_path: Path, made: Path) -> Iterator[Place]:
    shelf = tmp_path / "validations"
    shelf.mkdir()
    (shelf / "tiny-2026-01-01").symlink_to(made)
    (shelf / "broken").mkdir()
    (shelf / "broken" / "validation.json").write_text('{"schema": "another"}')
    (tmp_path / "report.html").write_text("not of the shelf")
    with place_in(tmp_path) as found:
        found.account("quinn", "qa")
        found.account("rita", "radiologist")
        yield found


def test_head_figures_are_those_of_the_report(place: Place, made: Path) -> None:
    said = json.loads((made / "validation.json").read_text())
    with place.signed_in("quinn") as client:
        (item,) = client.get("/validations").json()["items"]
    assert (item["name"], item["engine"], item["images"]) == ("tiny-2026-01-01", "tiny", said["cohort"]["read"])
    assert [f["auc"][0] for f in item["findings"] if f["auc"]] == [
        f["auc"]["value"] for f in said["findings"] if not f["saying"]
    ]
    assert item["elsewhere"] >= 1
    assert item["change"] is None


def test_a_report_runs_nothing_and_is_for_whoever_sees_every_patient(place: Place) -> None:
    path = "/validations/tiny-2026-01-01"
    with place.signed_in("quinn") as client:
        answer = client.get(f"{path}/report.html")
        policy = answer.headers.get_list("content-security-policy")
        assert len(policy) == 1
        assert policy[0].startswith("sandbox allow-same-origin; default-src 'none'")
        assert "frame-ancestors 'self'" in policy[0]
        assert 'href="cases.html#' in answer.text
        assert "data:image" in client.get(f"{path}/cases.html").text
        place.people.change("quinn", by="test", sites=["main"])
        for elsewhere in ("/drift", "/validations", f"{path}/report.html", f"{path}/report.pdf", f"{path}/cases.html"):
            refused = client.get(elsewhere)
            assert (refused.status_code, refused.json()["code"]) == (403, "other_site"), elsewhere
    with place.signed_in("rita") as client:
        assert client.get(f"{path}/report.html").status_code == 403
    opened = [e.details["resource"] for e in place.audited("access") if e.actor == "quinn"]
    assert opened == ["validation", "validation_cases"]
    assert all("study.read" in ALLOWED[role] for role in ROLES if "oversight.read" in ALLOWED[role]), "links lead there"


@pytest.mark.parametrize("name", ["absent", "broken", "..", "%2e%2e", "%2e%2e%2f", "%00", "tiny-2026-01-01%2f.."])
def test_nothing_else_is_given(place: Place, name: str) -> None:
    with place.signed_in("quinn") as client:
        for file in ("report.html", "report.pdf", "cases.html"):
            answer = client.get(f"/validations/{name}/{file}")
            assert answer.status_code == 404, (name, file)


def test_charts_say_what_moved_first(place: Place) -> None:
    tally = Tally()
    for day in range(BASELINE_DAYS + 20):
        for number in range(6):
            tally.add([Value(chart="e 1.0: still score", day=day, value=float(number % 2))])
            moved = float(number % 2) + (day >= BASELINE_DAYS)
            tally.add([Value(chart="e 1.0: moved score", day=day, value=moved)])
    tally.add([Value(chart="e 1.0: new", day=day, value=1.0) for day in range(5) for _ in range(3)])
    charts = tally.charts(until=BASELINE_DAYS + 20)
    desk = QualityDesk(place.house.journal, Shelf(Path(os.devnull)), lambda: charts)
    caller = Caller(name="quinn", display="Q", sight=EVERYTHING, permissions=frozenset())
    found = Drift.model_validate(desk.drift(caller, 10))
    assert found.charts is not None
    assert [(each.what, bool(each.alarms), len(each.points)) for each in found.charts] == [
        ("moved score", True, 10),
        ("still score", False, 10),
        ("new", False, 0),
    ]
    first = found.charts[0]
    assert (first.baseline, first.baseline_from, first.points[-1].day) == (0.5, "1970-01-01", "1970-03-21")
    assert (found.charts[-1].baseline, found.charts[-1].days) == (None, 5)
    with place.signed_in("quinn") as client:
        assert client.get("/drift").json()["charts"] is None, "before the first look is over"
