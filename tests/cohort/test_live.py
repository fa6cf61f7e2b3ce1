"""From kept reports to drift charts, an event in the log and a metric."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import fhir_cases
import pytest
import store_cases
from installation_cases import Clock, House
from typer.testing import CliRunner

from radiolucent.cli.main import app
from radiolucent.cohort.drift import BASELINE_DAYS
from radiolucent.cohort.live import DAY_S, values_of
from radiolucent.pipeline.meters import Levels, Meters
from radiolucent.records.study import StudyFinding, StudyReport
from radiolucent.store import work
from radiolucent.wiring.drift_watch import Drift, DriftWatch

NAME = f"{fhir_cases.ENGINE.id} {fhir_cases.ENGINE.version}"
LEVELS = Levels(studies={}, deliveries={}, oldest_waiting_s=0, disk_free_bytes=0, associations=0, reader_crashes=0)
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def finding(**changes: object) -> StudyFinding:
    base = fhir_cases.report().findings[0]
    given = {"key": "mass", "probability": 0.4, "positive": True, "confidence": "low", "in_expected_region": 0.8}
    return replace(base, **{**given, "assessed": None, **changes})  # type: ignore[arg-type]


def keep(house: House, number: int, at: datetime, findings: Sequence[StudyFinding]) -> None:
    """A kept report of a study."""
    house.clock.now = at
    job = store_cases.in_work(house.database, number)
    said = store_cases.report(job, study=number, findings=tuple(findings), engines=(fhir_cases.ENGINE,), produced_at=at)
    with house.database.transaction() as connection:
        assert work.record(connection, job, said, (), (), now=at.timestamp())


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, clock=Clock(START))


def test_what_one_report_adds() -> None:
    job = work.Job(study_key="k", revision=1, priority="routine")
    said = store_cases.report(
        job, findings=(finding(), finding(key="edema", positive=False)), engines=(fhir_cases.ENGINE,)
    )
    assert {v.chart.partition(": ")[2]: v.value for v in values_of(said, 3 * DAY_S + 5)} == {
        "mass score": pytest.approx(-0.4055, abs=1e-4),
        "edema score": pytest.approx(-0.4055, abs=1e-4),
        "low confidence": 1.0,
        "mass in expected region": 0.8,
        "refused images": 0.0,
    }
    assert {v.day for v in values_of(said, 3 * DAY_S + 5)} == {3}
    assert {v.chart.partition(": ")[0] for v in values_of(said, 0.0)} == {NAME}
    assert list(values_of(replace(said, state="retracted"), 0.0)) == []


def test_a_signed_report_adds_whether_it_was_overridden() -> None:
    job = work.Job(study_key="k", revision=1, priority="routine")
    said: StudyReport = store_cases.report(job, findings=(finding(),), state="verified")
    assert [(v.chart, v.value) for v in values_of(said, 0.0)] == [(f"{NAME}: overridden", 0.0)]


def test_results_that_move_are_told_in_the_log_and_as_a_metric(house: House, caplog: pytest.LogCaptureFixture) -> None:
    number = 0
    for day in range(BASELINE_DAYS + 8):
        moved = 0.3 if day >= BASELINE_DAYS + 1 else 0.0
        for study in range(4):
            number += 1
            at = datetime.fromtimestamp(START.timestamp() + day * DAY_S + study * 60, UTC)
            keep(house, number, at, [finding(probability=0.2 + 0.1 * (study % 3) + 0.01 * (day % 5) + moved)])
    drift = Drift(house.journal)
    charts = {c.name: c for c in drift.look()}
    mass = charts[f"{NAME}: mass score"]
    assert (mass.is_ready, mass.days) == (True, BASELINE_DAYS + 7), "today is not over"
    assert mass.alarms
    assert not charts[f"{NAME}: mass in expected region"].alarms
    assert drift.look() == tuple(charts.values()), "a second look finds nothing new"
    meters = Meters()
    with caplog.at_level(logging.WARNING, logger="radiolucent"):
        house.clock.now = datetime.fromtimestamp((mass.alarms[-1].day + 1) * DAY_S + 60, UTC)
        watch = DriftWatch(house.journal, meters)
        watch.look()
        watch.look()
    told = [r for r in caplog.records if r.msg == "drift"]
    assert [r.__dict__["kind"] for r in told] == ["mass score"], "once, however often one looks"
    text = meters.text(LEVELS).decode()
    assert f'radiolucent_drift{{chart="{NAME}: mass score"}}' in text


def test_the_command_says_where_every_chart_stands(house: House, tmp_path: Path) -> None:
    for day in range(5):
        for study in range(4):
            at = datetime.fromtimestamp(START.timestamp() + day * DAY_S + study * 60, UTC)
            keep(house, 4 * day + study + 1, at, [finding()])
    config = tmp_path / "radiolucent.toml"
    config.write_text(f'data = "{tmp_path}"\ndatabase_url = "sqlite:///{tmp_path / "store.sqlite"}"\n')
    done = CliRunner().invoke(app, ["drift", "--config", str(config)], env={"COLUMNS": "140"})
    assert done.exit_code == 0, done.output
    assert f"{NAME}: mass score" in done.output
    assert "day 5 of 60" in done.output
    as_json = CliRunner().invoke(app, ["drift", "--config", str(config), "--json"])
    assert json.loads(as_json.output) == [], "no chart is ready"
