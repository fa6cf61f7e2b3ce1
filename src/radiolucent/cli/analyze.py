"""``radiolucent analyze``: progress on a terminal, a table or JSON lines at the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from radiolucent.errors import SettingsError
from radiolucent.pipeline.analyze import Analyzer
from radiolucent.pipeline.options import Options, Outcome, Summary
from radiolucent.records.result import DISCLAIMER

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".avif"})
SHOWN_ROWS, LABEL_WIDTH = 200, 24
COLUMNS = ("Image", "Status", "Most critical finding", "Prob.", "Trust", "More")


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
        if options.engine is None and path.is_file() and path.suffix.lower() in PICTURES:
            raise SettingsError(
                "engine_needed",
                found="a picture, which says nothing of modality or body part, and no --engine",
                expected="--engine with a picture",
                action="Name the engine that was made for it; see `radiolucent engines list`.",
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
    table = Table(*COLUMNS, box=None, header_style="bold")
    for item in outcomes:
        style = {"processed": "", "refused": "yellow", "repeated": "dim"}[item.status]
        table.add_row(*(escape(cell) for cell in _cells(item)), style=style)
    console.print(table)
    total = summary.processed + summary.refused + summary.repeated
    if total > len(outcomes):
        console.print(f"... and {total - len(outcomes)} more")
    for item in outcomes:
        if item.status == "refused" and total <= 20:
            line = f"[yellow]{escape(item.label)}[/]: {escape(item.reason_text or '')}"
            console.print(line, highlight=False, soft_wrap=True)
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


def _cells(item: Outcome) -> tuple[str, ...]:
    nothing = "nothing over threshold" if item.status == "processed" else item.status
    found = item.primary or (item.reason_code or "" if item.status == "refused" else nothing)
    chance = "" if item.probability is None else f"{item.probability:.2f}"
    more = f"+{item.positives - 1}" if item.positives > 1 else ""
    return _short(item.label), item.status, found, chance, item.confidence or "", more


def _short(label: str) -> str:
    """The end of a long label: that is where files of one folder differ."""
    return label if len(label) <= LABEL_WIDTH else "..." + label[-(LABEL_WIDTH - 3) :]
