"""``radiolucent validate``: an engine on your own patients."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from radiolucent import wiring
from radiolucent.settings import Settings, read

if TYPE_CHECKING:
    from radiolucent.cohort.validation.records import Validation

DAY = ["%Y-%m-%d"]


def validate(
    engine: Annotated[str, typer.Option("--engine", help="Engine id, or a package's folder or zip.")],
    source: Annotated[
        Path | None, typer.Argument(help="Folder of images, or CSV of paths; without it, the store of --config.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings file of an installation: its own images.")
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Data folder of an installation.")] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="Truth of a folder's images: labels (CSV), or coded reports (FHIR, HL7 ORU)."),
    ] = None,
    codes: Annotated[
        Path | None, typer.Option("--codes", help="With reports: your own codes of findings (CSV).")
    ] = None,
    boxes: Annotated[Path | None, typer.Option("--boxes", help="Table of boxes (CSV).")] = None,
    reference: Annotated[
        Path | None,
        typer.Option("--reference", help="Folder of an earlier validation to compare maps and scores with."),
    ] = None,
    prevalence: Annotated[
        float | None, typer.Option("--prevalence", help="State predictive values at this prevalence too.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the report; with --config or --data by default where the page lists it."),
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Write the report as PDF too (radiolucent[pdf]).")] = False,
    resamples: Annotated[int, typer.Option("--resamples", help="Bootstrap resamples over patients.")] = 1000,
    permutations: Annotated[int, typer.Option("--permutations", help="Permutations of patients for maps.")] = 999,
    against: Annotated[
        Path | None, typer.Option("--against", help="Package of the version that runs now: what a change would do.")
    ] = None,
    stress: Annotated[
        int, typer.Option("--stress", help="Change so many images a little and read them again; 0: none.")
    ] = 0,
    workers: Annotated[
        int, typer.Option("--workers", help="Processes that read, one core each; 1: this one, on up to four.")
    ] = 1,
    ray: Annotated[
        str | None,
        typer.Option("--ray", help="Read on a Ray cluster: its address, or auto for one on this machine."),
    ] = None,
    pacs: Annotated[
        str | None, typer.Option("--pacs", help="Pull the images from this archive of the settings file.")
    ] = None,
    modality: Annotated[
        list[str] | None, typer.Option("--modality", help="With --pacs; may be repeated. Default: the engine's.")
    ] = None,
    since: Annotated[datetime | None, typer.Option("--since", formats=DAY, help="With --pacs: first day.")] = None,
    until: Annotated[datetime | None, typer.Option("--until", formats=DAY, help="With --pacs: last day.")] = None,
    body_part: Annotated[str, typer.Option("--body-part", help="With --pacs: Body Part Examined.")] = "",
    description: Annotated[
        str, typer.Option("--description", help="With --pacs: expression that the study's description holds.")
    ] = "",
    ages: Annotated[str | None, typer.Option("--ages", help="With --pacs: youngest and oldest, as 18-60.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="With --pacs: at most so many studies.")] = 200,
    rate: Annotated[float, typer.Option("--rate", help="With --pacs: images a second, on average.")] = 5.0,
    keep_images: Annotated[
        bool, typer.Option("--keep-images", help="With --pacs: leave the images in OUT/pulled.")
    ] = False,
    engines: Annotated[list[Path] | None, typer.Option("--engines", help="Folder with engine packages.")] = None,
) -> None:
    """Measure an engine on your own images: figures with intervals, subgroups, and where it looks."""
    from radiolucent.cohort.validation.crew import Crew  # no other command needs it
    from radiolucent.cohort.validation.records import Ask

    ask = Ask(
        source=source,
        truth=truth,
        codes=codes,
        boxes=boxes,
        reference=reference,
        prevalence=prevalence,
        resamples=resamples,
        permutations=permutations,
        stress=stress,
        against=against,
        crew=Crew(workers=workers, ray=ray),
    )
    pull = None
    if pacs is not None:
        from radiolucent.wiring.pacs_cohort import pull_of

        pull = pull_of(
            pacs,
            modalities=modality or (),
            days=(None if since is None else since.date(), None if until is None else until.date()),
            body_part=body_part,
            description=description,
            ages=ages,
            studies=limit,
            images_per_second=rate,
            keeps_images=keep_images,
        )
    settings = read(config, data=data) if config or data else None
    out = out or _place(settings, engine)
    told = Console(stderr=True)
    with told.status("loading") as status:
        found = wiring.validate(
            engine,
            ask,
            out=out,
            folders=engines,
            settings=settings,
            pull=pull,
            with_pdf=pdf,
            progress=lambda what, done, whole: status.update(f"{what}: {done} of {whole}"),
        )
    _print(found)
    typer.echo(f"Report: {out / 'report.html'}; figures: {out / 'validation.json'}")
    raise typer.Exit(1 if found.cohort.refused else 0)


def _place(settings: Settings | None, engine: str) -> Path:
    """One folder for an engine and day, so that what was stopped goes on that day."""
    if settings is None:
        return Path("radiolucent-validation")
    return settings.validation_folder / f"{Path(engine).stem}-{date.today().isoformat()}"


def _print(found: Validation) -> None:
    console = Console()
    table = Table("Finding", "Positive / n", "AUC", "Sens.", "Spec.", "Remark", box=None, header_style="bold")
    for row in found.findings:
        said = (row.auc.text(), row.sensitivity.text(), row.specificity.text())
        table.add_row(row.key, f"{row.positives} / {row.images}", *said, row.saying.partition(":")[0])
    if found.findings:
        console.print(table)
    if found.change is not None:
        console.print(f"[bold]{found.change.old} to {found.change.new}: {found.change.verdict}[/], {found.change.why}.")
    for remark in found.cohort.remarks:
        console.print(f"[yellow]Note[/]: {remark}.", highlight=False, soft_wrap=True)
