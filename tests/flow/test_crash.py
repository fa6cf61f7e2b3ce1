"""Killed at every named point, once: nothing accepted is lost, nothing is doubled, the audit chain verifies.

The long form, 200 kills on SQLite and on PostgreSQL, is ``python tests/flow/crash_runner.py``.
"""

from __future__ import annotations

from pathlib import Path

import postgres_server
import pytest
from flow import crash_runner

from radiolucent.pipeline.faults import POINTS


def test_a_life_that_ends_at_any_point(tmp_path: Path) -> None:
    chosen = ("stored", "kept", "recording", "recorded", "sent")
    tally = crash_runner.run(tmp_path, chosen, None)
    assert tally.wrong == []
    assert tally.survived == 0, "each point was reached"
    assert set(tally.kills) == set(chosen)


@pytest.mark.peers
@pytest.mark.timeout(600)
def test_every_point_and_random_instants_on_postgresql(tmp_path: Path) -> None:
    if not postgres_server.is_installed():
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    with postgres_server.running() as server:
        tally = crash_runner.run(tmp_path, [*POINTS, None, None], server.new_database())
    assert tally.wrong == []
    assert tally.survived == 0, "each point was reached"
