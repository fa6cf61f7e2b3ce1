"""``serve``, ``status``, ``rules``, ``studies``, ``deliveries``, ``audit``: the commands of a running installation."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from radiolucent import logs, wiring
from radiolucent.cli.audit import run_export, run_verify
from radiolucent.errors import InputRefused
from radiolucent.settings import Settings, read

Config = Annotated[Path | None, typer.Option("--config", help="Settings file; see docs/settings.md.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder; wins over the settings file.")]
Key = Annotated[str, typer.Argument(help="Key of a study, as `radiolucent status` shows it.")]

rules_app = typer.Typer(name="rules", help="Routing rules.", no_args_is_help=True)
studies_app = typer.Typer(name="studies", help="Studies of a running installation.", no_args_is_help=True)
deliveries_app = typer.Typer(name="deliveries", help="What is sent to destinations.", no_args_is_help=True)
audit_app = typer.Typer(name="audit", help="The tamper-evident audit log.", no_args_is_help=True)


def serve(
    config: Config = None,
    data: Data = None,
    worker: Annotated[
        str | None, typer.Option("--worker", help="Name of this process, where several share a store.")
    ] = None,
) -> None:
    """Receive, read, deliver: DICOM, DICOMweb, HL7 and FHIR in one process, until SIGTERM."""
    from radiolucent.wiring.running import serve as run

    settings = read(config, data=data)
    if worker is not None:
        settings = Settings.model_validate({**settings.model_dump(), "worker_id": worker})
    logs.start(settings.log_level)
    run(settings)


def status(
    config: Config = None,
    data: Data = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every second until Ctrl-C.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many studies.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
) -> None:
    """Studies and deliveries by state, and the studies last heard of. Names no patient."""
    desk = _desk(config, data)
    if as_json:
        typer.echo(json.dumps(desk.status(limit=limit), sort_keys=True))
        return
    if not watch:
        Console().print(_table(desk.status(limit=limit)))
        return
    with Live(_table(desk.status(limit=limit)), auto_refresh=False) as live:
        while True:
            time.sleep(1.0)
            live.update(_table(desk.status(limit=limit)), refresh=True)


@rules_app.command("test")
def rules_test(
    path: Annotated[Path, typer.Argument(help="A DICOM file.")],
    config: Config = None,
    calling_ae: Annotated[str, typer.Option("--calling-ae", help="Title that sends it.")] = "",
) -> None:
    """Which rule a study with this image falls under, and why not those before it."""
    from radiolucent.wiring.operator import try_rules

    console = Console()
    try:
        facts, tried = try_rules(read(config).rules, path, calling_ae)
    except InputRefused as error:
        console.print(f"[yellow]The door would refuse it[/] ({error.code}): {error.text}", highlight=False)
        raise typer.Exit(1) from None
    seen = {"modality": facts.modalities, "body_part": facts.body_parts, "calling_ae": facts.calling_aes}
    console.print("; ".join(f"{name}: {', '.join(sorted(v)) or 'none'}" for name, v in seen.items()), highlight=False)
    for step in tried:
        verdict = "[green]holds[/]" if step.against is None else f"does not hold: {step.against}"
        console.print(f"{step.rule.name}: {verdict}", highlight=False)
    found = tried[-1].rule if tried and tried[-1].against is None else None
    if found is None:
        console.print("No rule holds: nothing runs, nothing leaves.")
        raise typer.Exit(1)
    where = ", ".join(found.destinations) or "nowhere"
    console.print(f"Read by {found.engine or 'the engine made for each image'}; sent to {where}.", highlight=False)


@studies_app.command("rerun")
def studies_rerun(study: Key, config: Config = None, data: Data = None) -> None:
    """Read a finished, unrouted or quarantined study again."""
    _desk(config, data).rerun(study)


@studies_app.command("complete")
def studies_complete(study: Key, config: Config = None, data: Data = None) -> None:
    """Do not wait for further images of a study."""
    _desk(config, data).complete(study)


@studies_app.command("move")
def studies_move(
    study: Key,
    site: Annotated[str, typer.Argument(help="Name of the site.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Give a study to another site, whose people see it from then on."""
    _desk(config, data).move(study, site)


@studies_app.command("for-training")
def studies_for_training(
    engine: Annotated[str, typer.Option("--engine", help="Engine id, or a package's folder or zip.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the tables and pictures.")],
    config: Config = None,
    data: Data = None,
    engines: Annotated[list[Path] | None, typer.Option("--engines", help="Folder with engine packages.")] = None,
) -> None:
    """Write signed decisions as labels and boxes to learn from, where consent is recorded. On the audit log."""
    written = _desk(config, data).export_for_training(wiring.spec_of(engine, engines), out)
    typer.echo(f"{written.images} images and {written.boxes} boxes in {out}.")
    for why, count in written.left_out.items():
        typer.echo(f"Left out: {count} {why}.")


@studies_app.command("retract")
def studies_retract(
    study: Key,
    reason: Annotated[Literal["quality", "patient_safety"], typer.Option("--reason", help="Why.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Take a wrong result back everywhere it was sent."""
    told = _desk(config, data).retract(study, reason)
    typer.echo(f"Retracted. To be told: {', '.join(told) or 'nobody, it was sent nowhere'}.")


@deliveries_app.command("retry")
def deliveries_retry(
    destination: Annotated[str | None, typer.Option("--destination", help="Only this one.")] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Try refused and dead deliveries again."""
    typer.echo(f"{_desk(config, data).retry(destination)} deliveries will be tried again.")


@audit_app.command("verify")
def audit_verify(
    config: Config = None,
    data: Data = None,
    entries: Annotated[
        Path | None, typer.Option("--entries", help="An exported log (jsonl) instead of the store.")
    ] = None,
    checkpoints: Annotated[Path | None, typer.Option("--checkpoints", help="Signed checkpoint file.")] = None,
    public_key: Annotated[Path | None, typer.Option("--public-key", help="PEM file with the public key.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """Check every entry and every signed checkpoint; says where anything was changed."""
    from radiolucent.wiring.operator import own_public_key, stored_lines

    if entries is not None:
        raise typer.Exit(
            run_verify(stored_lines(entries), checkpoints=checkpoints, public_key=public_key, as_json=as_json)
        )
    desk = _desk(config, data)
    signed = checkpoints or (desk.checkpoints if desk.checkpoints.exists() else None)
    with own_public_key(desk, public_key) as key:
        raise typer.Exit(
            run_verify(
                desk.audit_entries(), checkpoints=signed, public_key=None if signed is None else key, as_json=as_json
            )
        )


@audit_app.command("export")
def audit_export(
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    form: Annotated[Literal["jsonl", "atna", "fhir"], typer.Option("--format", help="Form.")] = "jsonl",
    config: Config = None,
    data: Data = None,
) -> None:
    """Write the log as JSON lines, DICOM audit messages (PS3.15 A.5) or FHIR AuditEvents."""
    desk = _desk(config, data)
    desk.read_log()
    raise typer.Exit(run_export(desk.audit_entries(), format=form, out=out, reporter=desk.reporter))


@audit_app.command("public-key")
def audit_public_key(config: Config = None, data: Data = None) -> None:
    """Print the public key that verifies the checkpoints; keep a copy elsewhere."""
    typer.echo(_desk(config, data).public_key, nl=False)


def _desk(config: Path | None, data: Path | None) -> Any:
    from radiolucent.wiring.operator import Desk

    return Desk(read(config, data=data))


def _table(found: dict[str, Any]) -> Table:
    page = Table.grid(padding=(0, 0))
    states = ", ".join(f"{count} {state}" for state, count in sorted(found["studies"].items())) or "none yet"
    page.add_row(f"[bold]Studies[/]: {states}. Oldest that waits: {found['oldest_waiting_s']:.0f} s.")
    for row in found["deliveries"]:
        page.add_row(f"[bold]{row['destination']}[/]: {row['count']} {row['state']}")
    workers = ", ".join(found["workers"]) or "[red]none alive[/]"
    page.add_row(f"Workers: {workers}. Free: {found['disk_free_mb']} MB.")
    table = Table("Study", "State", "Result", "Priority", "Rule", "Rev.", "Last image", box=None, header_style="bold")
    for row in found["recent"]:
        at = datetime.fromtimestamp(row["last_received_at"], UTC).astimezone().strftime("%m-%d %H:%M:%S")
        style = {"quarantined": "red", "unrouted": "yellow"}.get(row["state"], "")
        result = row["code"] or row["status"] or ""
        cells = (row["study_key"], row["state"], result, row["priority"], row["rule"] or "", str(row["revision"]), at)
        table.add_row(*cells, style=style)
    page.add_row(table)
    return page
