"""Back up a running installation that keeps its rows in SQLite: ``python3 backup.py DATA BACKUP``.

Rows first, files after: a file is written before the row that names it and is never changed, so whatever the rows name
is there when the files are copied. Both databases and the checkpoint file are taken at one moment, while nothing can
be written; whoever wants to write waits for that moment, and nothing fails. Nothing but Python is needed.

BACKUP may hold an earlier backup, which then takes only what is new. It holds patient data and the key that signs the
audit log.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

STORE, WORKFLOWS = "radiolucent.sqlite", "workflows.sqlite"
FILES = ("instances", "results")
AUDIT = "audit"
LONGEST_WAIT_S = 30.0


def back_up(data: Path, backup: Path) -> None:
    """Copy what must not be lost; a backup that is interrupted leaves the rows of the one before."""
    fresh = backup / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    backup.chmod(0o700)
    _rows(data, fresh)
    for folder in FILES:
        _files(data / folder, backup / folder)
    os.sync()
    for name in (STORE, WORKFLOWS):
        (fresh / name).replace(backup / name)
    _files(fresh / AUDIT, backup / AUDIT)
    os.sync()
    shutil.rmtree(fresh)


def _rows(data: Path, fresh: Path) -> None:
    """Databases and checkpoints of one moment: both write locks are held, and readers need none."""
    with closing(sqlite3.connect(data / STORE, timeout=LONGEST_WAIT_S, isolation_level=None)) as held:
        held.execute("ATTACH DATABASE ? AS workflows", (str(data / WORKFLOWS),))
        held.execute("BEGIN IMMEDIATE")
        for name in (STORE, WORKFLOWS):
            with closing(sqlite3.connect(data / name, timeout=LONGEST_WAIT_S)) as reading:
                reading.execute("VACUUM INTO ?", (str(fresh / name),))
        shutil.copytree(data / AUDIT, fresh / AUDIT)
        held.execute("ROLLBACK")


def _files(source: Path, target: Path) -> None:
    """Copy files that are not there yet, or not as they are now; nothing is deleted."""
    target.mkdir(exist_ok=True)
    for folder, _, names in os.walk(source):
        for name in names:
            path = Path(folder) / name
            copy = target / path.relative_to(source)
            with suppress(FileNotFoundError):  # cleared away meanwhile, or half a result: no row needs it
                if not (copy.exists() and _looks(copy) == _looks(path)):
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, copy)


def _looks(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def main(arguments: list[str]) -> None:
    """From the command line."""
    if len(arguments) != 2 or not (Path(arguments[0]) / STORE).is_file():
        sys.exit(f"usage: backup.py DATA BACKUP, where DATA holds {STORE}")
    back_up(Path(arguments[0]), Path(arguments[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
