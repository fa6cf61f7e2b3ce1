"""A folder whose DICOM files are taken in: kept, then removed; refused ones move aside."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from pathlib import Path

from radiolucent.errors import InputRefused, PeerUnavailable, SettingsError
from radiolucent.ingest.content import open_regular
from radiolucent.logs import event
from radiolucent.pipeline.receiving import Intake
from radiolucent.prepare.identity import split_part10
from radiolucent.records.door import Offered
from radiolucent.settings import Watch

log = logging.getLogger(__name__)
SENDER, ASIDE, SETTLED_S = "FOLDER", "refused", 1.0


class FolderWatch:
    """Looks into a folder every few seconds. A file is taken once it has not changed for a second.

    Raises
    ------
    SettingsError
        ``watch_folder``.
    """

    def __init__(self, settings: Watch, intake: Intake) -> None:
        assert settings.folder is not None
        self._folder, self._interval_s, self._intake = settings.folder, settings.interval_s, intake
        try:
            (self._folder / ASIDE).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                "watch_folder",
                found="a watch folder that cannot be made or written",
                expected="a folder that this user may write",
                action="Mend watch.folder in the settings file, or its permissions.",
            ) from error
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="folder-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._ending.set()
        self._thread.join(10)

    def look(self) -> int:
        """Take in what is there; how many files were kept."""
        kept = 0
        for path in sorted(self._folder.rglob("*")):
            if self._ending.is_set() or path.is_relative_to(self._folder / ASIDE) or not self._is_settled(path):
                continue
            kept += self._take(path)
        return kept

    def _run(self) -> None:
        while not self._ending.wait(self._interval_s):
            try:
                self.look()
            except (OSError, PeerUnavailable):
                event(log, "folder_waits", level=logging.WARNING)

    @staticmethod
    def _is_settled(path: Path) -> bool:
        try:
            return path.is_file() and not path.is_symlink() and time.time() - path.stat().st_mtime > SETTLED_S
        except OSError:
            return False

    def _aside(self, path: Path) -> Path:
        """Where a refused file goes: under its own name, or with a number, so that none takes another's place."""
        plain = self._folder / ASIDE / path.name
        numbered = (plain.with_name(f"{path.stem}-{n}{path.suffix}") for n in itertools.count(2))
        return next(place for place in itertools.chain([plain], numbered) if not place.exists())

    def _take(self, path: Path) -> bool:
        try:
            with open_regular(path) as handle:
                dataset, syntax = split_part10(handle.read())
            self._intake.keep(Offered(dataset=dataset, transfer_syntax_uid=syntax, sender=SENDER))
        except InputRefused as error:
            self._intake.refuse(error.code, SENDER, "")
            path.replace(self._aside(path))
            return False
        path.unlink()
        return True
