"""``radiolucent evidence``: what is asked of such a system, and what of it is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radiolucent.settings import read


def evidence(
    out: Annotated[Path, typer.Option("--out", help="Folder of the pack.")] = Path("radiolucent-evidence"),
    config: Annotated[Path | None, typer.Option("--config", help="Settings file of the installation.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Data folder of the installation.")] = None,
    validation: Annotated[
        list[Path] | None, typer.Option("--validation", help="Folder of a validation; may be repeated.")
    ] = None,
    engines: Annotated[list[Path] | None, typer.Option("--engines", help="Folder with engine packages.")] = None,
) -> None:
    """Write the evidence pack: claims with proofs, live figures, cards, bill of materials, audit verification."""
    from radiolucent.wiring.evidence import evidence as make

    settings = read(config, data=data) if config or data else None
    counts = make(out, settings=settings, folders=engines, validations=validation or ())
    said = f"{counts['there']} there, {counts['partly']} partly there, {counts['gap']} gaps"
    typer.echo(f"Evidence: {out / 'index.html'}; {said}")
