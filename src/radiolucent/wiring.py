"""The composition root: puts the rooms together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from radiolucent.engines.checks import Engine, load
from radiolucent.engines.package import PackageFiles
from radiolucent.engines.registry import Registry, shipped_folder
from radiolucent.pipeline.analyze import Analyzer


def registry(folders: Sequence[Path] | None = None) -> Registry:
    """The engines of some folders, or the shipped ones."""
    return Registry(folders or [shipped_folder()])


def analyzer(folders: Sequence[Path] | None = None) -> Analyzer:
    """What reads images, with a real clock."""
    return Analyzer(registry(folders), clock=lambda: datetime.now().astimezone())


def check(path: Path) -> Engine:
    """Load one package with all its checks."""
    return load(PackageFiles(path))
