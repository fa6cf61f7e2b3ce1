"""What is asked elsewhere when the first image of a study is here: a thread of its own, for which no study waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from radiolucent.errors import PeerUnavailable, RadiolucentError
from radiolucent.logs import event
from radiolucent.pipeline.journal import Journal
from radiolucent.store import priors

log = logging.getLogger(__name__)
LOOK_S, YOUNG_S, AGAIN_S = 0.2, 600.0, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Again:
    do: Callable[[str], None]
    key: str
    at: float
    waited_s: float


class Begun:
    """Looks for studies that have begun, and does what is to be done once for each, by its key.

    Who cannot be reached (`PeerUnavailable`) is asked again, after five seconds, then ten, and so on for ten minutes.
    """

    def __init__(self, journal: Journal, todo: Sequence[Callable[[str], None]]) -> None:
        self._journal, self._todo = journal, todo
        self._done: dict[str, float] = {}
        self._again: list[_Again] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="begun", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; an answer that is under way is given up."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        while not self._ending.wait(LOOK_S):
            try:
                self.look()
            except RadiolucentError as error:
                event(log, "asking_waits", level=logging.WARNING, code=error.code)
                self._ending.wait(1.0)
            except Exception:  # noqa: BLE001  whatever one look found, the next is made
                event(log, "asking_failed", level=logging.ERROR, error=True)
                self._ending.wait(1.0)

    def look(self) -> None:
        """Do what is to be done now. Raises what the store and the todo raise, but for whom nobody can reach."""
        now = self._journal.clock().timestamp()
        self._done = {key: at for key, at in self._done.items() if now - at < 2 * YOUNG_S}
        with self._journal.reading() as connection:
            begun = priors.just_come(connection, since=now - YOUNG_S)
        for key in begun:
            if key in self._done or self._ending.is_set():
                continue
            self._done[key] = now
            for do in self._todo:
                self._try(_Again(do=do, key=key, at=now, waited_s=0.0))
        due = [each for each in self._again if each.at <= now]
        self._again = [each for each in self._again if each.at > now]
        for each in due:
            self._try(each)

    def _try(self, it: _Again) -> None:
        wait_s = max(AGAIN_S, 2 * it.waited_s)
        try:
            it.do(it.key)
        except PeerUnavailable:
            if wait_s <= YOUNG_S / 2:
                now = self._journal.clock().timestamp()
                self._again.append(_Again(do=it.do, key=it.key, at=now + wait_s, waited_s=wait_s))
