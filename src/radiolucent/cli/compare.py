"""``radiolucent compare``: two results of one patient as a table or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from radiolucent.pipeline.compare import compare_folders
from radiolucent.records.comparison import Comparison, FindingChange
from radiolucent.records.engine import EngineSpec
from radiolucent.records.result import DISCLAIMER
from radiolucent.report.comparison_json import comparison_json
from radiolucent.report.result_json import dumps

COLUMNS = ("Finding", "Change", "Before", "Now", "Score", "Area", "Evidence")
STYLES = {"new": "bold", "increased": "bold", "absent": "dim", "not_comparable": "yellow"}


def run_comparison(prior: Path, current: Path, specs: Sequence[EngineSpec], *, as_json: bool) -> int:
    """Compare and show; the exit code: 0 compared, 1 the two cannot be compared."""
    comparison = compare_folders(prior, current, specs=specs)
    if as_json:
        typer.echo(dumps(comparison_json(comparison)), nl=False)
    else:
        _print(comparison)
    return 0 if comparison.comparable else 1


def _print(comparison: Comparison) -> None:
    console = Console()
    if not comparison.comparable:
        console.print("[yellow]Not comparable[/]: " + escape("; ".join(comparison.reasons)) + ".", soft_wrap=True)
    else:
        table = Table(*COLUMNS, box=None, header_style="bold")
        for change in comparison.changes:
            table.add_row(*(escape(cell) for cell in _cells(change)), style=STYLES.get(change.change, ""))
        console.print(table)
        for change in comparison.changes:
            if change.change != "absent":
                said = "; ".join((*change.reasons, *change.cautions))
                console.print(f"[bold]{escape(change.display)}[/]: {escape(said)}.", highlight=False, soft_wrap=True)
        console.print(escape("; ".join(comparison.reasons)).capitalize() + ".", soft_wrap=True)
    for caution in comparison.cautions:
        console.print(f"[yellow]Note[/]: {escape(caution)}.", highlight=False, soft_wrap=True)
    console.print(f"[dim]{DISCLAIMER}[/]")


def _cells(change: FindingChange) -> tuple[str, ...]:
    figures = change.figures
    return (
        change.display,
        change.change.replace("_", " "),
        f"{change.prior_probability:.2f}",
        f"{change.current_probability:.2f}",
        f"{figures.logit_change:+.2f}",
        _factor(figures.prior_area, figures.current_area),
        _factor(figures.prior_evidence, figures.current_evidence),
    )


def _factor(first: float | None, second: float | None) -> str:
    return f"x {second / first:.2f}" if first and second is not None else ""
