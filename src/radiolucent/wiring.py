"""The composition root: puts the rooms together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydicom.data import get_testdata_file

from radiolucent.engines.checks import Engine, load
from radiolucent.engines.package import PackageFiles
from radiolucent.engines.registry import Registry, shipped_folder
from radiolucent.phantoms import KINDS, as_kind, write_phantoms
from radiolucent.pipeline.analyze import Analyzer

REAL_HEAD_CT = "J2K_pixelrep_mismatch.dcm"


def registry(folders: Sequence[Path] | None = None) -> Registry:
    """The engines of some folders, or the shipped ones."""
    return Registry(folders or [shipped_folder()])


def analyzer(folders: Sequence[Path] | None = None) -> Analyzer:
    """What reads images, with a real clock."""
    return Analyzer(registry(folders), clock=lambda: datetime.now().astimezone())


def check(path: Path) -> Engine:
    """Load one package with all its checks."""
    return load(PackageFiles(path))


def phantoms(folder: Path, kinds: Sequence[str] | None, *, seed: int) -> list[Path]:
    """Write QA phantoms of some kinds, or of all.

    Raises
    ------
    SettingsError
        ``phantom_kind``.
    """
    chosen = [as_kind(name) for name in kinds or KINDS]
    return write_phantoms(folder, chosen, seed=seed)


def demo_studies(folder: Path) -> list[Path]:
    """What a demo reads: phantoms made into ``folder``, and the real head CT slice that ships inside pydicom."""
    write_phantoms(folder)
    real = get_testdata_file(REAL_HEAD_CT, download=False)
    return [folder, *([Path(str(real))] if real else [])]
