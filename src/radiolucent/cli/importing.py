"""``radiolucent engines import``: another library's network as an engine package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radiolucent import wiring


def import_engine(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="LIBRARY:NAME, e.g. torchxrayvision:densenet121-res224-all, timm:resnet18, "
            "torchvision:densenet121, monai:DenseNet121.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write the package's own folder into.")],
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Local weights: a state dict, never a pickled model.")
    ] = None,
    findings: Annotated[
        Path | None, typer.Option("--findings", help="What the classes mean (TOML); see docs/import.md.")
    ] = None,
) -> None:
    """Import a network with a pooled linear head as an engine package; nothing is trained or measured."""
    done = wiring.import_engine(source, out=out, checkpoint=checkpoint, findings=findings)
    spec = done.engine.spec
    typer.echo(
        f"{spec.id} {spec.version} written to {done.folder}: {len(spec.findings)} findings, logits within "
        f"{done.logit_error:.1e} of the library's own, completeness error {done.engine.completeness_error:.1e} logits"
    )
    typer.echo(
        "No figure was measured: every finding is untested. "
        f"Measure it: radiolucent engines evaluate {done.folder} --truth truth.csv --write"
    )
