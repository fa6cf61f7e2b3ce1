"""Kill a running installation again and again, at named points and at random instants, and see that nothing is lost.

``python tests/flow/crash_runner.py --kills 200 --database sqlite`` (or ``postgresql``) prints a summary and ends with 1
where anything was lost or doubled. A modality keeps sending what was not answered with success; a PACS and an HL7
listener live on throughout.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "src")]

import postgres_server  # noqa: E402
from flow import hospital  # noqa: E402
from pydicom import dcmread  # noqa: E402
from pydicom.dataset import Dataset  # noqa: E402
from sqlalchemy import select  # noqa: E402

from radiolucent.audit.canonical import parse  # noqa: E402
from radiolucent.audit.checkpoint import read as read_checkpoints  # noqa: E402
from radiolucent.audit.key import open_key, read_public_keys  # noqa: E402
from radiolucent.pipeline.faults import POINTS  # noqa: E402
from radiolucent.pipeline.journal import Journal  # noqa: E402
from radiolucent.prepare.identity import split_part10  # noqa: E402
from radiolucent.records.study import StudyReport  # noqa: E402
from radiolucent.settings import Settings  # noqa: E402
from radiolucent.store import outbox, work  # noqa: E402
from radiolucent.store.database import Database  # noqa: E402
from radiolucent.store.schema import deliveries, instances, studies  # noqa: E402
from radiolucent.wiring.serving import clock  # noqa: E402

FILMS = 2
LATE_EVERY = 3
TOLD_EVERY = 20
FINISH_S, LIFE_S, LONGEST_S = 180.0, 25.0, 7.0
"""Without any progress in the last life; to reach a named point; and the longest life that ends at a random instant."""


@dataclass
class Tally:
    """What happened, and what is wrong."""

    kills: Counter[str] = field(default_factory=Counter)
    survived: int = 0
    accepted: dict[str, Dataset] = field(default_factory=dict)
    revisions: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Modality:
    """Sends what was not yet answered with success, again and again, to whatever port is open now.

    Every third study has a film that comes late. With each call goes a film that was taken before: it must be taken
    again, and change nothing.
    """

    def __init__(self, tally: Tally, draw: random.Random) -> None:
        self._waiting: list[Dataset] = []
        self._late: list[Dataset] = []
        self._studies = 0
        self._draw, self._tally, self._lock = draw, tally, threading.Lock()
        self.port = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def examine(self) -> None:
        """One more study, and what is late of those before."""
        first, *others = hospital.study_of(FILMS)
        with self._lock:
            self._waiting += [*self._late, first, *others]
            self._late = []
            self._studies += 1
            if self._studies % LATE_EVERY == 0:
                series = {"SeriesInstanceUID": first.SeriesInstanceUID, "InstanceNumber": FILMS + 1}
                self._late = [hospital.film(study=first.StudyInstanceUID, **series)]

    @property
    def is_done(self) -> bool:
        """Whether everything was taken."""
        with self._lock:
            return not self._waiting

    def stop(self) -> None:
        self._ending.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._ending.wait(0.1):
            with self._lock:
                offered = list(self._waiting)
            if not offered or not self.port:
                continue
            known = list(self._tally.accepted.values())[-20:]
            again = self._draw.sample(known, min(1, len(known)))
            answers = hospital.send(self.port, [*offered, *again])
            self._tally.wrong += [f"answered with {a:04X}" for a in answers.values() if a not in (0, None)]
            with self._lock:
                for each in offered:
                    if answers[str(each.SOPInstanceUID)] == 0:
                        self._tally.accepted[str(each.SOPInstanceUID)] = each
                        self._waiting.remove(each)


class Child:
    """One life of the installation; the modality hears of its port once it is open."""

    def __init__(self, settings: Path, modality: Modality, extra: Sequence[str] = ()) -> None:
        path = os.pathsep.join([str(HERE.parent), str(HERE.parents[1] / "src")])
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "crash_child.py"), str(settings), *extra],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            text=True,
        )
        self._modality, self.hl7 = modality, 0
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        told = self.process.stdout.readline().split() or ["0", "0"]
        self._modality.port, self.hl7 = int(told[0]), int(told[1])

    def wait(self, seconds: float) -> bool:
        """Whether it died within this time."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self, number: int = signal.SIGKILL) -> int:
        self.process.send_signal(number)
        self.process.wait(120)
        self._thread.join(10)
        self._modality.port = 0
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.returncode


def run(folder: Path, plan: Sequence[str | None], url: str | None, *, seed: int = 0) -> Tally:
    """One life for every entry of the plan (a point, or ``None`` for a random instant), then one that may finish."""
    draw, tally, started = random.Random(seed), Tally(), time.monotonic()
    with hospital.pacs() as archive, hospital.listener() as ehr:
        rows = {
            "database_url": url,
            "http": {"enabled": False},
            "mllp": {"enabled": False},
            "audit": {"checkpoint_minutes": 0.02},
            "reader": {"engines": [str(hospital.engines(folder / "engines"))], "max_attempts": 20},
            "rules": [{"name": "everything", "destinations": ["pacs", "ehr"]}],
            "destinations": [
                {"name": "pacs", "kind": "dimse", "host": "127.0.0.1", "port": archive.port, "ae_title": "PACS"},
                {"name": "ehr", "kind": "mllp", "host": "127.0.0.1", "port": ehr.port},
            ],
        }
        settings = hospital.settings(folder / "data", **rows)
        written = folder / "settings.json"
        written.write_text(settings.model_dump_json(), encoding="utf-8")
        modality = Modality(tally, random.Random(seed))
        for number, point in enumerate(plan):
            if number % TOLD_EVERY == 0:
                sys.stderr.write(f"{number} of {len(plan)} kills, {len(tally.accepted)} instances accepted\n")
            modality.examine()
            child = Child(written, modality, () if point is None else (point, str(draw.randint(1, 2))))
            died = child.wait(draw.uniform(0.0, LONGEST_S) if point is None else LIFE_S)
            tally.kills[point or "random"] += 1
            tally.survived += not died and point is not None
            child.kill()
        modality.examine()
        last = Child(written, modality)
        _finish(settings, modality, tally)
        modality.stop()
        if last.kill(signal.SIGTERM) != 0:
            tally.wrong.append(f"the last life ended with {last.process.returncode}")
        _check(settings, tally, archive, ehr)
    tally.seconds = time.monotonic() - started
    return tally


def _finish(settings: Settings, modality: Modality, tally: Tally) -> None:
    database = Database(settings.database)
    stood: object = None
    deadline = time.monotonic() + FINISH_S
    while time.monotonic() < deadline:
        with database.reading() as connection:
            states, sends = work.counts(connection), outbox.counts(connection)
        waiting = sum(n for (_, state), n in sends.items() if state == "waiting")
        if modality.is_done and set(states) <= {"done"} and not waiting:
            break
        if (stands := (states, sends, modality.is_done)) != stood:
            stood, deadline = stands, time.monotonic() + FINISH_S
        time.sleep(0.2)
    else:
        tally.wrong.append(f"never came to an end: {states}, {waiting} deliveries wait, all sent: {modality.is_done}")
    database.close()


def _check(settings: Settings, tally: Tally, archive: hospital.Pacs, ehr: hospital.Listener) -> None:
    database = Database(settings.database)
    with database.reading() as connection:
        kept = {row.sop_instance_uid: row for row in connection.execute(select(instances))}
        known = list(connection.execute(select(studies)))
        sends = list(connection.execute(select(deliveries)))
        reports = {row.study_key: work.report(connection, row.study_key) for row in known}
    tally.revisions = sum(row.revision for row in known)
    films = Counter(str(each.StudyInstanceUID) for each in tally.accepted.values())
    tally.wrong += _kept(settings, tally, kept)
    if {row.study_instance_uid for row in known} != films.keys():
        tally.wrong.append(f"{len(known)} studies of {len(films)}")
    for row in known:
        tally.wrong += _read(row, reports[row.study_key], archive, films[row.study_instance_uid])
    tally.wrong += _same(settings, kept, archive)
    tally.wrong += _sent(sends, archive, ehr)
    tally.wrong += _audited(settings, Journal(database, clock=clock))
    database.close()


def _kept(settings: Settings, tally: Tally, kept: dict[str, Any]) -> Iterator[str]:
    for uid, sent in tally.accepted.items():
        row = kept.get(uid)
        if row is None or not (settings.data / row.path).is_file():
            yield f"accepted and not kept: {uid}"
        elif dcmread(settings.data / row.path).PixelData != sent.PixelData:
            yield f"kept with other pixels: {uid}"
    if half := [uid for uid, row in kept.items() if row.path.startswith("incoming/")]:
        yield f"{len(half)} kept as half-written files"
    if extra := {uid for uid, row in kept.items() if row.role == "source"} - tally.accepted.keys():
        yield f"{len(extra)} kept that the modality never heard of"


def _read(row: Any, report: StudyReport | None, archive: hospital.Pacs, films: int) -> Iterator[str]:
    if row.state != "done" or report is None or len(report.images) != films:
        yield f"study {row.study_key}: {row.state}, report {report is not None}"
        return
    wanted = {each.instance.sop_instance_uid for each in report.objects}
    got = archive.of(row.study_instance_uid)
    if not wanted or got != wanted:
        yield f"study {row.study_key}: {len(got)} objects in the PACS, not {len(wanted)}"


def _same(settings: Settings, kept: dict[str, Any], archive: hospital.Pacs) -> Iterator[str]:
    """Whether the PACS has what we say we sent."""
    for uid, contents in archive.contents.items():
        data = b"" if uid not in kept else (settings.data / kept[uid].path).read_bytes()
        if not data or contents != {hashlib.sha256(split_part10(data)[0]).hexdigest()}:
            yield f"{uid}: {len(contents)} contents in the PACS, not the one that is kept here"


def _sent(sends: Sequence[Any], archive: hospital.Pacs, ehr: hospital.Listener) -> Iterator[str]:
    states = Counter((row.destination, row.state) for row in sends)
    if {state for _, state in states} - {"sent", "superseded"}:
        yield f"deliveries: {dict(states)}"
    messages = ehr.by_control()
    if unequal := [control for control, contents in messages.items() if len(contents) > 1]:
        yield f"{len(unequal)} HL7 control ids with several contents"
    told = sum(1 for row in sends if row.destination == "ehr" and row.state == "sent")
    meant = sum(1 for row in sends if row.destination == "ehr")
    if not told <= len(messages) <= meant:
        yield f"{len(messages)} HL7 messages; {told} deliveries are said to be sent, of {meant}"


def _audited(settings: Settings, journal: Journal) -> Iterator[str]:
    key = settings.data / "audit" / "public.pem"
    key.write_text(open_key(settings.data / "audit" / "key.pem").public_pem, encoding="ascii")
    found = journal.log.verify(read_checkpoints(settings.data / "audit" / "checkpoints.jsonl", read_public_keys(key)))
    if not found.verified:
        yield f"the audit chain does not verify: {found.problems}"
    if not found.checkpoints:
        yield "no checkpoint was written"
    told = [parse(entry.text) for entry in journal.log.entries()]
    results = Counter((e.study_instance_uid, e.details["revision"]) for e in told if e.action == "result")
    if doubled := [each for each, count in results.items() if count > 1]:
        yield f"{len(doubled)} results are on record more than once"
    news = Counter(e.details["sop_instance_uid"] for e in told if e.details.get("outcome_of") == "new")
    if doubled_news := [uid for uid, count in news.items() if count > 1]:
        yield f"{len(doubled_news)} instances were new more than once"


def plan_of(kills: int, *, seed: int) -> list[str | None]:
    """Half of the kills at the named points in turn, half at random instants, in random order."""
    named: list[str | None] = [POINTS[n % len(POINTS)] for n in range(kills // 2)]
    plan = named + [None] * (kills - len(named))
    random.Random(seed).shuffle(plan)
    return plan


def main() -> int:
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--kills", type=int, default=200)
    told.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    told.add_argument("--seed", type=int, default=1)
    options = told.parse_args()
    with tempfile.TemporaryDirectory(prefix="radiolucent-crash-") as folder:
        if options.database == "sqlite":
            tally = run(Path(folder), plan_of(options.kills, seed=options.seed), None, seed=options.seed)
        else:
            with postgres_server.running() as server:
                url = server.new_database()
                tally = run(Path(folder), plan_of(options.kills, seed=options.seed), url, seed=options.seed)
    summary = {
        "database": options.database,
        "kills": sum(tally.kills.values()),
        "by_point": dict(sorted(tally.kills.items())),
        "points_not_reached_in_time": tally.survived,
        "studies": len({str(each.StudyInstanceUID) for each in tally.accepted.values()}),
        "revisions": tally.revisions,
        "instances": len(tally.accepted),
        "seconds": round(tally.seconds),
        "seconds_per_kill": round(tally.seconds / max(1, sum(tally.kills.values())), 1),
        "wrong": tally.wrong,
    }
    sys.stdout.write(json.dumps(summary, indent=2) + "\n")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
