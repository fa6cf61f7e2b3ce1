"""``truth``: what turned out to be true of studies that were read here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from radiolucent.cli.users import CLI, Config, Data
from radiolucent.settings import read

app = typer.Typer(name="truth", help="What turned out to be true of studies that were read here.", no_args_is_help=True)
NAMED = 8


@app.command("add")
def add(
    table: Annotated[Path, typer.Argument(help="Labels (CSV), or coded reports, as for `validate --truth`.")],
    basis: Annotated[str, typer.Option("--basis", help="What it rests on, as pathology or follow-up CT.")],
    codes: Annotated[
        Path | None, typer.Option("--codes", help="With reports: your own codes of findings (CSV).")
    ] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Keep labels for studies of this installation. Exit code 1: rows that name no study here, or several."""
    from radiolucent.wiring.truth import add_truth  # no other command needs it

    added = add_truth(read(config, data=data), table, basis=basis, by=CLI, codes=codes)
    typer.echo(f"{added.labels} labels of {added.studies} studies.")
    told = Console(stderr=True)
    for note in added.notes:
        told.print(f"[yellow]Note[/]: {note}.", highlight=False, soft_wrap=True)
    if added.unmatched:
        rows = ", ".join(map(str, added.unmatched[:NAMED])) + (" and more" if len(added.unmatched) > NAMED else "")
        said = f"{len(added.unmatched)} rows name no study here, or several: row {rows}."
        told.print(f"[yellow]Note[/]: {said}", highlight=False, soft_wrap=True)
        raise typer.Exit(1)
