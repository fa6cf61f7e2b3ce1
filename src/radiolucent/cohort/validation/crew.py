"""Who reads the shards of a cohort: this process alone, processes beside it, or the workers of a Ray cluster.

A worker reads whole shards on one core and gives their content back; only the asking process writes. The graph gives
the same numbers on one core as on many, and every shard is cut into the same batches, so who read it leaves no trace.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from radiolucent.cohort.needs import need
from radiolucent.cohort.truth import Case
from radiolucent.engines.checks import Engine, load
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import EngineError, SettingsError
from radiolucent.records.engine import EngineSpec

LOCAL = "auto"
RETRIES = 2
CONNECT_TIMEOUT_S = 5.0
Shards = Mapping[int, Sequence[Case]]
Read = Callable[[Sequence[Case], Engine], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Who reads.

    Parameters
    ----------
    workers
        Processes on this machine, one core each; 1: this process alone, with as many batches side by
        side as `gathering.own_lanes` says.
    ray
        Address of a Ray cluster, or ``auto``: the one that runs on this machine, or else one started for this run.
    """

    workers: int = 1
    ray: str | None = None


ALONE = Crew()


class Worker:
    """Reads shards on one core, with an engine that it loads at the first."""

    def __init__(self, package: Path, spec: EngineSpec, read: Read) -> None:
        self._package, self._spec, self._read = package, spec, read
        self._engine: Engine | None = None

    def read(self, number: int, cases: Sequence[Case]) -> tuple[int, bytes]:
        """The number of a shard and the content of its file."""
        if self._engine is None:
            self._engine = self._load()
        return number, self._read(cases, self._engine)

    def _load(self) -> Engine:
        engine = load(PackageFiles(self._package), threads=1)
        if engine.spec == self._spec:
            return engine
        raise EngineError(
            "validate_worker",
            found="another engine package under the same path on a worker",
            expected=f"{self._spec.id} {self._spec.version} with graph {self._spec.sha256[:12]}",
            action="Install the same package at the same path on every machine of the cluster.",
        )


def by_workers(
    shards: Shards, files: PackageFiles, spec: EngineSpec, crew: Crew, read: Read
) -> Iterator[tuple[int, bytes]]:
    """Numbers and contents of shards, as they are done.

    Raises
    ------
    SettingsError
        ``validate_worker`` where a worker died and starting it anew did not help (what is done stays done),
        ``validate_extra`` without Ray, ``validate_option`` where no cluster answers.
    EngineError
        ``validate_worker`` where a worker finds another package.
    """
    paths = {number: [_everywhere(case) for case in cases] for number, cases in shards.items()}
    made = (files.path.resolve(), spec, read)
    return _by_processes(paths, made, crew.workers) if crew.ray is None else _by_ray(paths, made, crew.ray)


def _everywhere(case: Case) -> Case:
    """Paths that hold in whatever folder a worker runs."""
    return replace(case, image=case.image.resolve(), second=None if case.second is None else case.second.resolve())


_here: list[Worker] = []
"""The one worker of a process of a pool."""


def _open(*made: Any) -> None:
    _here[:] = [Worker(*made)]


def _read(number: int, cases: Sequence[Case]) -> tuple[int, bytes]:
    return _here[0].read(number, cases)


def _by_processes(shards: Shards, made: tuple[Path, EngineSpec, Read], workers: int) -> Iterator[tuple[int, bytes]]:
    pool = ProcessPoolExecutor(min(workers, len(shards)), get_context("spawn"), _open, made)
    try:
        yield from pool.map(_read, shards.keys(), shards.values())
    except BrokenProcessPool:
        raise _died() from None
    finally:
        pool.shutdown(cancel_futures=True)


def _by_ray(shards: Shards, made: tuple[Path, EngineSpec, Read], address: str) -> Iterator[tuple[int, bytes]]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = need("ray", extra="ray")
    errors = need("ray.exceptions", extra="ray")
    _join(ray, address)
    try:
        cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
        worker = ray.remote(num_cpus=1, max_restarts=RETRIES, max_task_retries=RETRIES)(Worker)
        workers = [worker.remote(*made) for _ in range(min(cores, len(shards)))]
        pool = need("ray.util.actor_pool", extra="ray").ActorPool(workers)
        yield from pool.map_unordered(lambda one, shard: one.read.remote(*shard), shards.items())
    except errors.RayTaskError as error:
        raise error.cause from None
    except errors.ActorDiedError as error:
        raise _died() from error
    finally:
        ray.shutdown()


def _join(ray: Any, address: str) -> None:
    """Join a cluster, or start one here; where nothing listens that is said at once, not after Ray's minutes."""
    try:
        if address != LOCAL:
            host, _, port = address.removeprefix("ray://").rpartition(":")
            socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()
        where = None if address == LOCAL else address
        ray.init(address=where, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as error:
        raise SettingsError(
            "validate_option",
            found=f"no Ray cluster at {address} ({type(error).__name__})",
            expected="auto, or HOST:PORT of a cluster that runs",
            action="Start one with `ray start --head`, or give --ray auto.",
        ) from error


def _died() -> SettingsError:
    return SettingsError(
        "validate_worker",
        found="a worker that died",
        expected="workers that live until their shards are read",
        action="Run it again: it goes on where it was. A worker needs about 0.5 GB of memory.",
    )
