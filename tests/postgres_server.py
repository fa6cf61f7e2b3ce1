"""A throw-away PostgreSQL server: a folder and a socket of its own, gone when the tests are over."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

DEBIAN = Path("/usr/lib/postgresql")
START_S = 60.0


def program(name: str) -> str | None:
    """Where a program of PostgreSQL is: on the path, or where Debian keeps it."""
    found = shutil.which(name)
    if found is not None:
        return found
    versions = sorted(DEBIAN.glob(f"*/bin/{name}"), key=lambda p: float(p.parent.parent.name))
    return str(versions[-1]) if versions else None


def is_installed() -> bool:
    return program("postgres") is not None and program("initdb") is not None


class Server:
    """A running server; every test may have a database of its own."""

    def __init__(self, folder: Path, user: str | None) -> None:
        self.folder, self._user = folder, user
        self._process: subprocess.Popen[bytes] | None = None
        self._run([program("initdb") or "initdb", "-D", str(folder / "data"), "-U", "tests", "-A", "trust", "-N"])

    def start(self) -> None:
        command = [
            *(program("postgres") or "postgres", "-D", str(self.folder / "data"), "-k", str(self.folder)),
            *("-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60"),
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, user=self._user, cwd=self.folder)
        deadline = time.monotonic() + START_S
        while True:
            try:
                self._connect().close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text(errors="replace")) from None
                time.sleep(0.05)

    def stop(self) -> None:
        """At once, as a crash would; the next start recovers."""
        if self._process is not None:
            self._process.send_signal(3)  # SIGQUIT: immediate shutdown
            self._process.wait(30)
            self._process = None

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """It takes connections and says nothing."""
        assert self._process is not None
        found = psutil.Process(self._process.pid)
        every = [found, *found.children(recursive=True)]
        try:
            for process in every:
                process.suspend()
            yield
        finally:
            for process in every:
                process.resume()

    def new_database(self) -> str:
        """SQLAlchemy address of an empty database."""
        name = f"t{uuid.uuid4().hex}"
        with self._connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql://tests@/{name}?host={self.folder}"

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(host=str(self.folder), user="tests", dbname="postgres", autocommit=True)

    def _run(self, command: Sequence[str]) -> None:
        done = subprocess.run(command, capture_output=True, user=self._user, cwd=self.folder, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.decode(errors="replace"))


@contextmanager
def running() -> Iterator[Server]:
    """A server in a short path (a socket's may have 107 characters), as somebody whom PostgreSQL lets run it."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    user = _unprivileged() if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    server = None
    try:
        server = Server(folder, user)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
