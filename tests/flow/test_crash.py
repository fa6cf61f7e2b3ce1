"""Killed at several named points: nothing accepted is lost, nothing is doubled, the audit chain verifies.

The long form, 200 kills on SQLite and on PostgreSQL, is ``python tests/flow/crash_runner.py``.
"""

from __future__ import annotations

import random
import signal
import threading
from pathlib import Path

import hl7_cases
from flow import crash_runner, hospital
from flow.hospital import eventually
from sqlalchemy import select

from radiolucent.audit.canonical import parse
from radiolucent.pipeline.journal import Journal
from radiolucent.store.database import Database
from radiolucent.store.schema import orders
from radiolucent.wiring.serving import clock

ORDERS, LIVES = 100, 3


def test_a_life_that_ends_at_any_point(tmp_path: Path) -> None:
    chosen = ("stored", "kept", "recording", "recorded", "sent")
    tally = crash_runner.run(tmp_path, chosen, None)
    assert tally.wrong == []
    assert tally.survived == 0, "each point was reached"
    assert set(tally.kills) == set(chosen)


def test_orders_that_come_while_it_is_killed_are_kept_once(tmp_path: Path) -> None:
    """An order that was answered with AA is kept; one that was not is sent again, and changes nothing if it was."""
    settings = hospital.settings(
        tmp_path / "data", http={"enabled": False}, reader={"enabled": False}, completion={"quiet_s": 3600.0}
    )
    written = tmp_path / "settings.json"
    written.write_text(settings.model_dump_json(), encoding="utf-8")
    draw, waiting = random.Random(4), list(range(ORDERS))
    nobody = crash_runner.Modality(crash_runner.Tally(), draw)
    for life in range(LIVES):
        child = crash_runner.Child(written, nobody)
        eventually(lambda child=child: child.hl7)
        last = life == LIVES - 1
        killer = threading.Timer(draw.uniform(0.01, 0.3), child.process.kill)
        if not last:
            killer.start()
        while waiting and child.process.poll() is None:
            if hospital.tell(child.hl7, order(waiting[0])) == "AA":
                waiting.pop(0)
        killer.cancel()
        child.kill(signal.SIGTERM if last else signal.SIGKILL)
    nobody.stop()
    assert waiting == [], "the last life took the rest"
    database = Database(settings.database)
    with database.reading() as connection:
        kept = [row.accession_number for row in connection.execute(select(orders))]
    log = Journal(database, clock=clock).log
    told = [parse(entry.text) for entry in log.entries()]
    on_record = [each.details["accession_number"] for each in told if each.action == "order"]
    assert sorted(kept) == sorted(on_record) == sorted(f"ACC{number}" for number in range(ORDERS))
    assert log.verify().verified
    database.close()


def order(number: int) -> bytes:
    obr = hl7_cases.OBR.replace("ACC1", f"ACC{number}")
    return hl7_cases.orm(header=hl7_cases.msh("ORM^O01^ORM_O01", control=f"C{number}"), obr=obr, zds="")
