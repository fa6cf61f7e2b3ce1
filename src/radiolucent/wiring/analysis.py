"""What reads files at once, without a server: analysis, evaluation, import, phantoms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.data import get_testdata_file

from radiolucent.cohort.evaluate import Progress
from radiolucent.cohort.evaluate import evaluate as measure_engine
from radiolucent.cohort.evaluation import Evaluation, Request
from radiolucent.cohort.package import check_writable, dumps, write_package
from radiolucent.deliver.folder import open_folder, write_bytes
from radiolucent.engines.checks import Engine, load
from radiolucent.engines.manifest import parse
from radiolucent.engines.package import MANIFEST, PackageFiles
from radiolucent.engines.registry import Registry, shipped_folder
from radiolucent.errors import SettingsError
from radiolucent.phantoms import KINDS, as_kind, write_phantoms
from radiolucent.pipeline.analyze import Analyzer
from radiolucent.records.engine import EngineSpec
from radiolucent.settings import Settings

if TYPE_CHECKING:
    from radiolucent.cohort.validation.records import Ask, Validation
    from radiolucent.cohort.validation.roster import Roster
    from radiolucent.importing.build import Imported
    from radiolucent.wiring.pacs_cohort import Pull

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


def _package(engine: str, folders: Sequence[Path] | None) -> PackageFiles:
    """A package by its path, or by the id of an engine in ``folders``."""
    path = Path(engine)
    return PackageFiles(path) if path.exists() else registry(folders).files(engine)


def spec_of(engine: str, folders: Sequence[Path] | None = None) -> EngineSpec:
    """What the manifest of a package says, by its path or by the id of an engine in ``folders``.

    Raises
    ------
    SettingsError
        ``unknown_engine``.
    EngineError
        A package or manifest that is wrong.
    """
    return parse(_package(engine, folders).read(MANIFEST))


def evaluate(
    engine: str,
    request: Request,
    *,
    out: Path,
    write: bool = False,
    folders: Sequence[Path] | None = None,
    progress: Progress = lambda _what, _done, _all: None,
) -> Evaluation:
    """Measure an engine on a truth table: ``evaluation.json`` in ``out``, and with ``write`` the package itself.

    Parameters
    ----------
    engine
        Path of a package, or the id of an engine in ``folders``.

    Raises
    ------
    SettingsError
        Whatever `cohort.evaluate.evaluate` raises, ``unknown_engine``, ``output_folder``, ``engine_not_writable``.
    """
    files = _package(engine, folders)
    if write:
        check_writable(files)
    target = open_folder(out)
    found = measure_engine(files, request, progress=progress)
    write_bytes(target / "evaluation.json", dumps(found).encode("utf-8"))
    if write:
        write_package(files, found)
    return found


def validate(
    engine: str,
    ask: Ask,
    *,
    out: Path,
    folders: Sequence[Path] | None = None,
    settings: Settings | None = None,
    pull: Pull | None = None,
    with_pdf: bool = False,
    progress: Progress = lambda _what, _done, _all: None,
) -> Validation:
    """Measure an engine on a cohort: ``report.html`` (and PDF), ``validation.json`` and the observations in ``out``.

    Parameters
    ----------
    settings
        Of the installation whose store holds the images, where ``ask`` names no folder and no table; its engines are
        known where ``folders`` are not given.
    pull
        The cohort of one of its archives instead; images are deleted when the report is written, unless it says else.

    Raises
    ------
    SettingsError
        Whatever `cohort.validation.validate.validate` raises, ``no_such_path``, ``unknown_engine``, ``output_folder``.
    PeerUnavailable, PeerRefused
        Of an archive; run again, it goes on where it was.
    """
    from radiolucent.cohort.validation.printing import check_printing
    from radiolucent.cohort.validation.validate import validate as validate_engine  # no other command needs it
    from radiolucent.cohort.validation.writing import write as write_validation

    if with_pdf:
        check_printing()
    if folders is None and settings is not None:
        folders = settings.reader.engines
    files = _package(engine, folders)
    if pull is None and ask.source is not None and not ask.source.exists():
        raise SettingsError(
            "no_such_path", found=f"nothing at {ask.source}", expected="a folder or a CSV of paths", action="Check it."
        )
    target = open_folder(out)
    roster_of: Callable[[EngineSpec], Roster] | None = None
    if pull is not None:
        from radiolucent.wiring.pacs_cohort import discard, from_pacs

        ask, roster_of = from_pacs(pull, ask, files, settings, target, progress)
    elif ask.source is None:
        roster_of = _from_store(settings, files)
    found = validate_engine(files, ask, out=target, roster_of=roster_of, progress=progress)
    write_validation(found, out, with_pdf=with_pdf)
    if pull is not None and not pull.keeps_images:
        discard(target)
    return found.validation


def _from_store(settings: Settings | None, files: PackageFiles) -> Callable[[EngineSpec], Roster]:
    if settings is None:
        raise SettingsError(
            "validate_option",
            found="no images",
            expected="a folder, a CSV of paths, or --config or --data of an installation",
            action="See `radiolucent validate --help`.",
        )
    from radiolucent.cohort.validation.roster import split_of
    from radiolucent.wiring.store_cohort import store_roster  # the store is slow to import

    return lambda spec: store_roster(settings, spec, split=split_of(files))


def import_engine(source: str, *, out: Path, checkpoint: Path | None, findings: Path | None) -> Imported:
    """Make a package out of another library's network; the only way to the room that needs torch.

    Raises
    ------
    SettingsError
        ``import_extra`` without the packages of the extra ``import``; whatever `importing.build` raises.
    """
    from radiolucent.importing.needs import ALWAYS, require

    require(*ALWAYS)
    from radiolucent.importing.build import import_engine as build

    return build(source, out=out, checkpoint=checkpoint, findings=findings)


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
