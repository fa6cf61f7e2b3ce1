"""Killed at several named points: nothing accepted is lost, nothing is doubled, the audit chain verifies.

The long form, 200 kills on SQLite and on PostgreSQL, is ``python tests/flow/crash_runner.py``.
"""

from __future__ import annotations

from pathlib import Path

from flow import crash_runner


def test_a_life_that_ends_at_any_point(tmp_path: Path) -> None:
    chosen = ("stored", "kept", "recording", "recorded", "sent")
    tally = crash_runner.run(tmp_path, chosen, None)
    assert tally.wrong == []
    assert tally.survived == 0, "each point was reached"
    assert set(tally.kills) == set(chosen)
