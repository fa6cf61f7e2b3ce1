"""``docs/audit.md`` says what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from radiolucent.audit.problem import ProblemKind
from radiolucent.audit.vocabulary import MEANINGS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")


def test_every_action_is_in_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d{6}) ([^|]+) \| ?([^|]*?) ?\| ([CRUDE]) \|$", PAGE, flags=re.MULTILINE)
    told = {action: (code, name, kind, verb) for action, code, name, kind, verb in rows}
    assert told == {
        action: (
            what.event.value,
            what.event.meaning,
            ", ".join(f"{kind.value} {kind.meaning}" for kind in what.types),
            what.action,
        )
        for action, what in MEANINGS.items()
    }


def test_every_problem_is_explained() -> None:
    section = PAGE.partition("| Problem | Meaning |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE) == list(get_args(ProblemKind))
