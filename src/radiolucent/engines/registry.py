"""Which engines are here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

from radiolucent.engines.checks import Engine, load
from radiolucent.engines.manifest import parse
from radiolucent.engines.package import MANIFEST, PackageFiles
from radiolucent.errors import EngineError, SettingsError
from radiolucent.records.engine import EngineSpec


def shipped_folder() -> Path:
    """Where the shipped engines lie: inside an installed wheel, or at the top of a checkout."""
    inside = Path(str(resources.files("radiolucent"))) / "shipped_engines"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[3] / "engines"


class Registry:
    """Engine packages found in some folders; manifests are read at once, graphs when first needed."""

    def __init__(self, folders: Iterable[Path], *, threads: int | None = None) -> None:
        self._threads = threads
        self._loaded: dict[str, Engine] = {}
        self._found: dict[str, tuple[PackageFiles, EngineSpec]] = {}
        for folder in folders:
            for path in self._packages(folder):
                files = PackageFiles(path)
                spec = parse(files.read(MANIFEST))
                if spec.id in self._found:
                    raise EngineError(
                        "engine_twice",
                        found=f"two packages with the id {spec.id}",
                        expected="each engine id once",
                        action="Remove one of them.",
                    )
                self._found[spec.id] = (files, spec)

    @staticmethod
    def _packages(folder: Path) -> Iterator[Path]:
        if not folder.is_dir():
            return
        for path in sorted(folder.iterdir()):
            if (path / MANIFEST).is_file() or path.suffix == ".zip":
                yield path

    @property
    def specs(self) -> tuple[EngineSpec, ...]:
        """Manifests of all engines, by id."""
        return tuple(spec for _, (_, spec) in sorted(self._found.items()))

    def files(self, engine_id: str) -> PackageFiles:
        """The package of an engine; `SettingsError` ``unknown_engine`` if there is none of that id."""
        if engine_id not in self._found:
            raise SettingsError(
                "unknown_engine",
                found=f"engine {engine_id!r}",
                expected=("one of " + ", ".join(sorted(self._found))) if self._found else "an installed engine",
                action="See `radiolucent engines list`.",
            )
        return self._found[engine_id][0]

    def get(self, engine_id: str) -> Engine:
        """The checked engine, loaded on first use. Call it from one thread."""
        if engine_id not in self._loaded:
            self._loaded[engine_id] = load(self.files(engine_id), threads=self._threads)
        return self._loaded[engine_id]
