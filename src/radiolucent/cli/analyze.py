"""``radiolucent analyze``: progress on a terminal, a table or JSON lines at the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from radiolucent.errors import SettingsError
from radiolucent.pipeline.analyze import Analyzer
from radiolucent.pipeline.options import Options, Outcome, Summary
from radiolucent.records.result import DISCLAIMER

SHOWN_ROWS = 200


class Maps(StrEnum):
    """Whose evidence is written."""

    positive = "positive"
    all = "all"
    none = "none"

    value: Literal["positive", "all", "none"]


class Guards(StrEnum):
    """What happens outside the engine's population."""

    refuse = "refuse"
    flag = "flag"

    value: Literal["refuse", "flag"]


class Sex(StrEnum):
    """As DICOM codes it."""

    F = "F"
    M = "M"

    value: Literal["F", "M"]


def run_analysis(analyzer: Analyzer, paths: Sequence[Path], options: Options, *, as_json: bool) -> int:
    """Read everything and show it; the exit code of the contract: 0 all read, 1 some refused."""
    for path in paths:
        if not path.exists():
            raise SettingsError(
                "no_such_path",
                found=f"no file or folder at {path}",
                expected="a DICOM file, folder, zip, PNG or JPEG",
                action="Check the path.",
            )
    shown: list[Outcome] = []
    summary = Summary()
    with _progress(quiet=as_json) as progress:
        task = progress.add_task("reading", total=None)
        for outcome in analyzer.run(paths, options, summary):
            progress.update(task, advance=1, description=f"{summary.processed} read, {summary.refused} refused")
            if as_json:
                typer.echo(json.dumps(asdict(outcome), sort_keys=True))
            elif len(shown) < SHOWN_ROWS:
                shown.append(outcome)
    if not as_json:
        _print(shown, summary, options.out)
    return 1 if summary.refused else 0


def _progress(*, quiet: bool) -> Progress:
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )


def _print(outcomes: Sequence[Outcome], summary: Summary, out: Path) -> None:
    console = Console()
    table = Table("Image", "Status", "Engine", "Most critical", "Probability", "Confidence", "Also positive", box=None)
    for item in outcomes:
        style = {"processed": "", "refused": "yellow", "repeated": "dim"}[item.status]
        found = item.primary or ("nothing over threshold" if item.status == "processed" else item.reason_code or "")
        chance = "" if item.probability is None else f"{item.probability:.2f}"
        more = str(item.positives - 1) if item.positives > 1 else ""
        table.add_row(
            item.label, item.status, item.engine or "", found, chance, item.confidence or "", more, style=style
        )
    console.print(table)
    total = summary.processed + summary.refused + summary.repeated
    if total > len(outcomes):
        console.print(f"... and {total - len(outcomes)} more")
    for item in outcomes:
        if item.status == "refused" and total <= 20:
            console.print(f"[yellow]{item.label}[/]: {item.reason_text}", highlight=False, soft_wrap=True)
    parts = [f"{summary.processed} read", f"{summary.refused} refused"]
    if summary.reasons:
        counts = sorted(summary.reasons.items(), key=lambda r: -r[1])
        parts[-1] += " (" + ", ".join(f"{code} {count}" for code, count in counts) + ")"
    if summary.repeated:
        parts.append(f"{summary.repeated} repeated")
    if summary.skipped:
        parts.append(f"{summary.skipped} other files passed over")
    if summary.series:
        parts.append(f"{summary.series} series")
    console.print("[bold]" + "; ".join(parts) + f"[/]. Look at {out / 'index.html'}", soft_wrap=True)
    console.print(f"[dim]{DISCLAIMER}[/]")
