"""Reading an engine package: a folder or a zip with ``engine.toml``, ``model.onnx`` and ``CARD.md``."""

from __future__ import annotations

import zipfile
from pathlib import Path

from radiolucent.errors import EngineError

MAX_MEMBER_BYTES = 2 * 1024**3
MANIFEST, CARD = "engine.toml", "CARD.md"


class PackageFiles:
    """The files of one package, wherever they lie.

    Raises
    ------
    EngineError
        ``engine_not_found`` when the path is no package, ``engine_incomplete`` when a file is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_zip = path.is_file() and zipfile.is_zipfile(path)
        if not self._is_zip and not (path.is_dir() and (path / MANIFEST).is_file()):
            raise EngineError(
                "engine_not_found",
                found=f"no engine package at {path}",
                expected=f"a folder or a .zip that holds {MANIFEST}, model.onnx and {CARD}",
                action="Give the folder of the package itself, e.g. engines/chest-film.",
            )

    def read(self, name: str) -> bytes:
        """The bytes of a file directly in the package."""
        if Path(name).name != name:
            raise self._missing(name, "a name with a path in it")
        try:
            return self._read_zip(name) if self._is_zip else (self.path / name).read_bytes()
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise self._missing(name, type(error).__name__) from error

    def _read_zip(self, name: str) -> bytes:
        with zipfile.ZipFile(self.path) as archive:
            members = [m for m in archive.infolist() if m.filename in {name, f"{self.path.stem}/{name}"}]
            if not members or members[0].file_size > MAX_MEMBER_BYTES:
                raise KeyError(name)
            return archive.read(members[0])

    def _missing(self, name: str, why: str) -> EngineError:
        return EngineError(
            "engine_incomplete",
            found=f"{name} of the package {self.path.name} cannot be read ({why})",
            expected=f"{MANIFEST}, model.onnx and {CARD}",
            action="Install the package again.",
        )
