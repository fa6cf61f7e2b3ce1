"""What is asked elsewhere when the first image of a study is here: a thread of its own, for which no study waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from radiolucent.errors import RadiolucentError
from radiolucent.logs import event
from radiolucent.pipeline.journal import Journal
from radiolucent.store import priors

log = logging.getLogger(__name__)
LOOK_S, YOUNG_S = 0.2, 600.0


class Begun:
    """Looks for studies that have begun, and does what is to be done once for each, by its key."""

    def __init__(self, journal: Journal, todo: Sequence[Callable[[str], None]]) -> None:
        self._journal, self._todo = journal, todo
        self._done: dict[str, float] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="begun", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; an answer that is under way is given up."""
        self._ending.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._ending.wait(LOOK_S):
            try:
                self._look()
            except RadiolucentError as error:
                event(log, "asking_waits", level=logging.WARNING, code=error.code)
                self._ending.wait(1.0)
            except Exception:  # noqa: BLE001  whatever one look found, the next is made
                event(log, "asking_failed", level=logging.ERROR, error=True)
                self._ending.wait(1.0)

    def _look(self) -> None:
        now = self._journal.clock().timestamp()
        self._done = {key: at for key, at in self._done.items() if now - at < 2 * YOUNG_S}
        with self._journal.reading() as connection:
            begun = priors.just_come(connection, since=now - YOUNG_S)
        for key in begun:
            if key in self._done or self._ending.is_set():
                continue
            self._done[key] = now
            for do in self._todo:
                do(key)
