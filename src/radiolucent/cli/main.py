"""``radiolucent``: the commands (design, section 6)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

import radiolucent
from radiolucent import wiring
from radiolucent.cli import engines as engines_commands
from radiolucent.cli import serving, tokens, truth, users
from radiolucent.cli.analyze import run_analysis
from radiolucent.cli.compare import run_comparison
from radiolucent.cli.demo import run_demo
from radiolucent.cli.drift import drift
from radiolucent.cli.evidence import evidence
from radiolucent.cli.validating import validate
from radiolucent.errors import EngineError, PeerRefused, PeerUnavailable, RadiolucentError, SettingsError
from radiolucent.pipeline.options import Options

USAGE_ERROR = 2
app = typer.Typer(
    name="radiolucent",
    help="Diagnostic-imaging AI that a clinician can see through. Research software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(engines_commands.app, name="engines")
app.command()(serving.serve)
app.command()(serving.status)
app.command()(validate)
app.command()(drift)
app.command()(evidence)
for group in (users.app, tokens.app, truth.app):
    app.add_typer(group)
for group in (serving.rules_app, serving.studies_app, serving.deliveries_app, serving.audit_app):
    app.add_typer(group)
EnginesFolder = Annotated[
    list[Path] | None,
    typer.Option("--engines", help="Folder with engine packages, besides or instead of the shipped ones."),
]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Diagnostic-imaging AI that a clinician can see through. Research software, not a medical device."""
    if version:
        typer.echo(radiolucent.__version__)
        raise typer.Exit


@app.command()
def analyze(
    paths: Annotated[list[Path], typer.Argument(help="DICOM files, folders, zips, or PNG/JPEG with --engine.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path("radiolucent-results"),
    engine: Annotated[
        str | None, typer.Option("--engine", help="Engine id; default: chosen by DICOM attributes.")
    ] = None,
    no_dicom: Annotated[bool, typer.Option("--no-dicom", help="Write no DICOM objects.")] = False,
    maps: Annotated[
        Literal["positive", "all", "none"], typer.Option("--maps", help="Whose evidence maps are written.")
    ] = "positive",
    guards: Annotated[
        Literal["refuse", "flag"], typer.Option("--guards", help="Outside the engine's population: refuse, or flag.")
    ] = "refuse",
    age: Annotated[float | None, typer.Option("--age", min=0, max=130, help="Age in years.")] = None,
    sex: Annotated[Literal["F", "M"] | None, typer.Option("--sex", help="Sex.")] = None,
    colours: Annotated[str, typer.Option("--colours", help="Colour map of overlays: ember, cividis or hot.")] = "ember",
    fractional_seg: Annotated[bool, typer.Option("--fractional-seg", help="Also write a FRACTIONAL SEG.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per image instead of a table.")] = False,
    engines: EnginesFolder = None,
) -> None:
    """Read images, explain every finding, write results that a PACS can show."""
    options = Options(
        out=out,
        engine=engine,
        with_dicom=not no_dicom,
        maps=maps,
        guards=guards,
        age_years=age,
        sex=sex,
        colour_map=colours,
        fractional_seg=fractional_seg,
    )
    raise typer.Exit(run_analysis(wiring.analyzer(engines), paths, options, as_json=as_json))


@app.command()
def compare(
    prior: Annotated[Path, typer.Argument(help="Result folder of the earlier image.")],
    current: Annotated[Path, typer.Argument(help="Result folder of the later image.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    engines: EnginesFolder = None,
) -> None:
    """Compare two results of one patient and engine; you answer for it that the patient is the same."""
    raise typer.Exit(run_comparison(prior, current, wiring.registry(engines).specs, as_json=as_json))


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="Folder for the phantoms.")],
    kind: Annotated[list[str] | None, typer.Option("--kind", help="chest, head or bone; may be repeated.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")] = 0,
) -> None:
    """Write synthetic QA studies, clearly marked, with a known asymmetric marker."""
    for path in wiring.phantoms(out, kind, seed=seed):
        typer.echo(path)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the demo.")] = Path("radiolucent-demo"),
    serve: Annotated[
        bool | None,
        typer.Option("--serve/--no-serve", help="Serve the page afterwards; by default on a terminal alone."),
    ] = None,
) -> None:
    """Read phantoms and one real head CT slice with the shipped engines; then serve the page with them."""
    studies = wiring.demo_studies(out / "studies")
    options = Options(out=out, guards="flag", maps="all")
    run_analysis(wiring.analyzer(None), studies, options, as_json=False)
    if serve or (serve is None and sys.stdout.isatty()):
        run_demo(out / "data")
    else:
        typer.echo(f"The radiologist's page with these studies: radiolucent demo --serve --out {out}")


def main() -> None:
    """Entry point: errors that somebody can act on become one clear line and exit code 2."""
    try:
        app()
    except (SettingsError, EngineError, PeerUnavailable, PeerRefused) as error:
        _say(error)
        sys.exit(USAGE_ERROR)
    except KeyboardInterrupt:
        Console(stderr=True).print("Stopped. Images already written are whole.")
        sys.exit(130)


def _say(error: RadiolucentError) -> None:
    Console(stderr=True).print(f"[bold red]{error.code}[/]: {escape(error.text)}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
