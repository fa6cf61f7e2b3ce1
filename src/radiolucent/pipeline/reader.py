"""The process that reads images, and the handle on it: killed when it takes too long or too much, started again."""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from radiolucent.errors import InvariantBroken
from radiolucent.pipeline.read_job import ReadDone, ReadJob
from radiolucent.pipeline.reader_process import serve

START_TIMEOUT_S = 120.0


class ReaderCrashed(Exception):
    """The process died over a job: killed for time or memory, or by its own fault."""


class Reader:
    """One reading process. Use from one thread at a time; others wait.

    Parameters
    ----------
    memory_bytes
        Address space of the process; beyond it an allocation fails there, not here.
    yields
        Whether it leaves the processor to others that want it, so that urgent work is not held up by routine work.
    """

    def __init__(self, engines: tuple[Path, ...], *, timeout_s: float, memory_bytes: int, yields: bool = False) -> None:
        self._engines, self._timeout_s, self._memory = engines, timeout_s, memory_bytes
        self._yields = yields
        self._lock = threading.Lock()
        self._process: multiprocessing.process.BaseProcess | None = None
        self._line: Connection | None = None
        self.crashes = 0

    def start(self) -> None:
        """Start the process and wait until its engines are loaded (or have failed to).

        Raises
        ------
        ReaderCrashed
            It died before it could say so, or did not say so for two minutes.
        """
        with self._lock:
            self._ready()

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int | None:
        """Of the process, where one runs."""
        return None if self._process is None else self._process.pid

    def read(self, job: ReadJob) -> ReadDone:
        """Read a job's images.

        Raises
        ------
        ReaderCrashed
            The process died; the next job gets a new one.
        """
        with self._lock:
            line = self._ready()
            try:
                line.send(job)
                if not line.poll(self._timeout_s):
                    raise TimeoutError
                done = line.recv()
            except (EOFError, OSError, TimeoutError) as error:
                self._kill()
                self.crashes += 1
                raise ReaderCrashed from error
        if not isinstance(done, ReadDone):
            raise InvariantBroken(
                "reader_answer", found="an answer of another kind", expected="ReadDone", action="Report this defect."
            )
        return done

    def stop(self) -> None:
        """End the process."""
        with self._lock:
            self._kill()

    def _ready(self) -> Connection:
        if self._process is not None and self._process.is_alive() and self._line is not None:
            return self._line
        self._kill()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=serve,
            args=(theirs, self._engines, self._memory, self._yields),
            name="radiolucent-reader",
            daemon=True,
        )
        process.start()
        theirs.close()
        self._process, self._line = process, ours
        try:
            is_ready = ours.poll(START_TIMEOUT_S) and ours.recv() == "ready"
        except (EOFError, OSError):
            is_ready = False
        if not is_ready:
            self._kill()
            self.crashes += 1
            raise ReaderCrashed
        return ours

    def _kill(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.join(10)
        self._line = self._process = None
