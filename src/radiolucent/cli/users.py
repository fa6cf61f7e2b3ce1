"""``users``: who may sign in to the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from radiolucent.access.permissions import as_markdown
from radiolucent.records.person import Person
from radiolucent.settings import read

CLI = "command line"
Config = Annotated[Path | None, typer.Option("--config", help="Settings file; see docs/settings.md.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder; wins over the settings file.")]
Name = Annotated[str, typer.Argument(help="Name of an account.")]
Sites = Annotated[
    list[str] | None, typer.Option("--site", help="Whose studies may be seen, * is every site; may be repeated.")
]
app = typer.Typer(name="users", help="Who may sign in to the page.", no_args_is_help=True)


@app.command("add")
def add(
    name: Name,
    role: Annotated[list[str], typer.Option("--role", help="See `radiolucent users permissions`; may be repeated.")],
    site: Sites = None,
    display: Annotated[str, typer.Option("--display", help="Name to show.")] = "",
    config: Config = None,
    data: Data = None,
) -> None:
    """Make an account, and print the link by which its owner sets a password."""
    person = Person(name=name, display=display, roles=tuple(role), sites=tuple(site or ["*"]))
    _tell(_people(config, data).add(person, by=CLI))


@app.command("change")
def change(
    name: Name,
    role: Annotated[list[str] | None, typer.Option("--role", help="What the account may be from now on.")] = None,
    site: Sites = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Change roles or sites of an account; what is not named stays."""
    _people(config, data).change(name, by=CLI, roles=role, sites=site)


@app.command("list")
def list_users(config: Config = None, data: Data = None) -> None:
    """Every account."""
    table = Table("Name", "Shown as", "Roles", "Sites", "State", box=None, header_style="bold")
    for each in _people(config, data).everybody():
        marks = (("disabled", each.is_disabled), ("second factor", each.has_totp))
        state = ", ".join(word for word, holds in marks if holds)
        table.add_row(each.name, each.display, ", ".join(each.roles), ", ".join(each.sites), state)
    Console().print(table)


@app.command("disable")
def disable(name: Name, config: Config = None, data: Data = None) -> None:
    """Sign somebody out and let them in no more."""
    _people(config, data).change(name, by=CLI, is_disabled=True)


@app.command("enable")
def enable(name: Name, config: Config = None, data: Data = None) -> None:
    """Let somebody in again."""
    _people(config, data).change(name, by=CLI, is_disabled=False)


@app.command("reset")
def reset(name: Name, config: Config = None, data: Data = None) -> None:
    """End an account's sessions, and print a link to set a new password."""
    _tell(_people(config, data).reset(name, by=CLI))


@app.command("permissions")
def permissions() -> None:
    """Print who may do what."""
    typer.echo(as_markdown(), nl=False)


def _tell(shown: str) -> None:
    typer.echo(f"Open once, within a day, on the address of the server:\n  /#/enrol/{shown}")


def _people(config: Path | None, data: Path | None) -> Any:
    from radiolucent.wiring.operator import accounts

    return accounts(read(config, data=data))
