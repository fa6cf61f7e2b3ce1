"""A process that serves and may kill itself at a named point: ``python crash_child.py SETTINGS [POINT COUNT]``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from radiolucent import logs
from radiolucent.pipeline.faults import Faults
from radiolucent.settings import Settings
from radiolucent.wiring.running import Running


class KillAt(Faults):
    """Dies at the n-th time a point is reached: no handler runs, nothing is flushed."""

    def __init__(self, point: str, count: int) -> None:
        self._point, self._left, self._lock = point, count, threading.Lock()

    def at(self, point: str) -> None:
        if point != self._point:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    settings = Settings.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    faults = KillAt(sys.argv[2], int(sys.argv[3])) if len(sys.argv) > 2 else None
    logs.start("warning")
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    with Running(settings, faults=faults) as running:
        assert running.installation.dicom is not None
        hl7 = 0 if running.hl7 is None else running.hl7.port
        sys.stdout.write(f"{running.installation.dicom.port} {hl7}\n")
        sys.stdout.flush()
        ending.wait()


if __name__ == "__main__":  # the reading process imports this module again
    main()
