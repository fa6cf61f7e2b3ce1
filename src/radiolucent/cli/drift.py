"""``radiolucent drift``: what has moved in the results of an installation."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from radiolucent.cohort.drift import BASELINE_DAYS, FALSE_ALARM_DAYS, Chart
from radiolucent.settings import read

ALARM = 3


def drift(
    config: Annotated[Path | None, typer.Option("--config", help="Settings file; see docs/settings.md.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Data folder; wins over the settings file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table: every day of every chart.")] = False,
) -> None:
    """Control charts of live results, since each engine version began. Exit code 3: the last day is an alarm."""
    from radiolucent.wiring.operator import Desk

    charts = Desk(read(config, data=data)).drift()
    if as_json:
        typer.echo(json.dumps([asdict(c) for c in charts if c.is_ready]))
    else:
        _print(charts)
    raise typer.Exit(ALARM if any(c.points and c.points[-1].is_alarm for c in charts) else 0)


def _print(charts: tuple[Chart, ...]) -> None:
    table = Table("Chart", "Baseline", "Last day", "Studies", "Mean", "Of the limit", "Alarms", box=None)
    for chart in charts:
        if not chart.is_ready:
            table.add_row(chart.name, f"day {chart.days} of {BASELINE_DAYS}", *[""] * 5, style="dim")
        elif chart.points:
            last, alarms = chart.points[-1], chart.alarms
            table.add_row(
                chart.name,
                f"{chart.baseline:.3f}",
                _date(last.day),
                str(last.studies),
                f"{last.mean:.3f}",
                f"{abs(last.ewma) / last.limit:.0%}",
                f"{len(alarms)}, last {_date(alarms[-1].day)}" if alarms else "none",
                style="bold red" if last.is_alarm else "",
            )
    console = Console()
    console.print(table)
    console.print(f"At most one false alarm in {FALSE_ALARM_DAYS:.0f} days over all charts together.", style="dim")


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * 86400, UTC).date().isoformat()
