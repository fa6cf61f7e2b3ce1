"""``radiolucent engines``: what is here, what it is, whether it is sound."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from radiolucent import wiring
from radiolucent.cli.importing import import_engine
from radiolucent.cohort.evaluation import Evaluation, Request

app = typer.Typer(help="List, show, check and evaluate engine packages.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Folder = Annotated[list[Path] | None, typer.Option("--engines", help="Folder with engine packages.")]
app.command("import")(import_engine)


@app.command("list")
def list_engines(as_json: AsJson = False, engines: Folder = None) -> None:
    """List the installed engines."""
    specs = wiring.registry(engines).specs
    if as_json:
        typer.echo(json.dumps([asdict(s) for s in specs], indent=2))
        return
    table = Table("Engine", "Version", "Reads", "Body parts", "Findings", box=None, header_style="bold")
    for spec in specs:
        parts = spec.population.body_parts
        body = ", ".join(parts[:4]) + (f" and {len(parts) - 4} more" if len(parts) > 4 else "")
        reads = " ".join((*spec.population.modalities, *spec.population.views))
        table.add_row(spec.id, spec.version, reads, body.lower(), ", ".join(f.key for f in spec.findings))
    Console().print(table)


@app.command("show")
def show_engine(
    engine_id: Annotated[str, typer.Argument(metavar="ID")], as_json: AsJson = False, engines: Folder = None
) -> None:
    """Show an engine's card: what it was made for, how well it reads, where it looks, its limits."""
    registry = wiring.registry(engines)
    card = registry.files(engine_id).read("CARD.md").decode("utf-8", errors="replace")
    if as_json:
        typer.echo(json.dumps(asdict(next(s for s in registry.specs if s.id == engine_id)), indent=2))
        return
    console = Console()
    if console.is_terminal:
        console.print(Markdown(card))
    else:
        typer.echo(card)


@app.command("check")
def check_engine(path: Annotated[Path, typer.Argument(help="Folder or zip of an engine package.")]) -> None:
    """Check a package: manifest, hash, shapes, and that evidence adds up to the score on a probe image."""
    engine = wiring.check(path)
    typer.echo(
        f"{engine.spec.id} {engine.spec.version} is sound: {len(engine.spec.findings)} findings, "
        f"SHA-256 {engine.spec.sha256[:12]}..., completeness error {engine.completeness_error:.1e} logits"
    )


@app.command("evaluate")
def evaluate_engine(
    engine: Annotated[str, typer.Argument(metavar="ENGINE_OR_PATH", help="Engine id, or a package's folder or zip.")],
    truth: Annotated[Path, typer.Option("--truth", help="Truth table (CSV); see docs/evaluate.md.")],
    boxes: Annotated[Path | None, typer.Option("--boxes", help="Table of boxes (CSV).")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the figures into engine.toml and CARD.md.")] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder for evaluation.json.")] = Path("radiolucent-evaluation"),
    resamples: Annotated[int, typer.Option("--resamples", help="Bootstrap resamples over groups.")] = 1000,
    faithfulness: Annotated[
        int, typer.Option("--faithfulness", help="True positives for deletion, insertion and random weights; 0: none.")
    ] = 40,
    prevalence: Annotated[
        float | None, typer.Option("--prevalence", help="State PPV at this prevalence; default: that of the test part.")
    ] = None,
    engines: Folder = None,
) -> None:
    """Measure an engine on images whose truth is known: choose on part val, measure on part test."""
    request = Request(truth=truth, boxes=boxes, resamples=resamples, faithfulness=faithfulness, prevalence=prevalence)
    told = Console(stderr=True)
    with told.status("loading") as status:
        found = wiring.evaluate(
            engine,
            request,
            out=out,
            write=write,
            folders=engines,
            progress=lambda what, done, whole: status.update(f"{what}: {done} of {whole}"),
        )
    _print(found)
    typer.echo(f"Figures: {out / 'evaluation.json'}" + ("; written into engine.toml and CARD.md" if write else ""))


def _print(found: Evaluation) -> None:
    table = Table("Finding", "Positive / n", "AUC", "Sens.", "Spec.", "Hit rate", "Map", "Evidence", box=None)
    for row in found.findings:
        point = row.scores.points[0]
        table.add_row(
            row.key,
            f"{row.scores.positives} / {row.scores.images}",
            row.scores.auc.text(),
            point.sensitivity.text(),
            point.specificity.text(),
            row.places.hit_rate.text() if row.places.places else "not measured",
            row.places.map_status,
            row.scores.evidence_level,
        )
    Console().print(table)
