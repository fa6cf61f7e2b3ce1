"""``tokens``: what machines call by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from radiolucent.cli.users import CLI, Config, Data
from radiolucent.settings import read

Name = Annotated[str, typer.Argument(help="Name of a token.")]
app = typer.Typer(name="tokens", help="Tokens by which machines call DICOMweb, FHIR and metrics.", no_args_is_help=True)


@app.command("add")
def add(
    name: Name,
    scope: Annotated[list[str], typer.Option("--scope", help="What it may do, as dicomweb.read; may be repeated.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Make a token, and print it this once."""
    typer.echo(_machines(config, data).make(name, scope, by=CLI))


@app.command("list")
def list_tokens(config: Config = None, data: Data = None) -> None:
    """Every token; none of them can be shown again."""
    table = Table("Name", "Scopes", "Made by", "Last used", box=None, header_style="bold")
    for each in _machines(config, data).everybody():
        table.add_row(each.name, ", ".join(each.scopes), each.made_by, _day(each.used_at))
    Console().print(table)


@app.command("revoke")
def revoke(name: Name, config: Config = None, data: Data = None) -> None:
    """End a token at once."""
    _machines(config, data).withdraw(name, by=CLI)


def _day(at: float | None) -> str:
    return "never" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _machines(config: Any, data: Any) -> Any:
    from radiolucent.wiring.operator import machines

    return machines(read(config, data=data))
