"""The page of the evidence pack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined

import radiolucent
from radiolucent.cohort.evidence.claims import Claim, Risk, Row, Threat, read_sources
from radiolucent.cohort.evidence.documents import CONFORMANCE
from radiolucent.cohort.validation.page import style
from radiolucent.records.result import DISCLAIMER

NOT_HERE = "not measured here"
STATES = {"there": "there", "partly": "partly there", "gap": "a gap"}
R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Everything that a pack answers."""

    claims: tuple[Claim, ...]
    threats: tuple[Threat, ...]
    risks: tuple[Risk, ...]


def render(
    asked: Asked, live: Mapping[str, Sequence[str]], engines: Sequence[Mapping[str, str]], made_at: datetime
) -> str:
    """One page without script or request: a summary, then every row with its proof and live figures."""
    environment = Environment(
        loader=PackageLoader("radiolucent.cohort.evidence", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    groups = grouped((c.group, c) for c in asked.claims)
    summary = [(name, f"g{number}", counts(rows)) for number, (name, rows) in enumerate(groups.items())]
    summary += [("Threats, by STRIDE", "threats", counts(asked.threats)), ("Risks", "risks", counts(asked.risks))]
    return environment.get_template("evidence.html.j2").render(
        groups=groups, summary=summary, sources=read_sources(), threats=grouped((t.boundary, t) for t in asked.threats),
        risks=asked.risks, live=live, engines=engines, states=STATES, software=radiolucent.__version__,
        made_at=made_at.strftime("%Y-%m-%d %H:%M"), not_here=[NOT_HERE], statements=CONFORMANCE,
        disclaimer=DISCLAIMER, **style(),
    )  # fmt: skip


def grouped(named: Iterable[tuple[str, R]]) -> dict[str, list[R]]:
    """Rows by the name beside them, in the order in which names come."""
    found: dict[str, list[R]] = {}
    for name, row in named:
        found.setdefault(name, []).append(row)
    return found


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """How many rows are in each state."""
    said: list[str] = [row.state for row in rows]
    return {state: said.count(state) for state in STATES}
