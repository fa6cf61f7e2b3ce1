"""What is asked of such a system, which threats and risks it has, what is there, and the proof of it.

Every proof is a path in the repository: a document with its heading, a test, or a module. A test fails when one is
missing.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

State = Literal["there", "partly", "gap"]
FigureName = Literal[
    "engines",
    "population",
    "training",
    "splits",
    "maps",
    "validations",
    "oversight",
    "versions",
    "drift",
    "audit",
    "components",
]
Stride = Literal[
    "Spoofing", "Tampering", "Repudiation", "Information disclosure", "Denial of service", "Elevation of privilege"
]
REGULATION = "claims"
CHECKLISTS = ("claim_2024", "decide_ai", "future_ai")
"""Tables of claims beside this module."""


class Row(BaseModel):
    """What every row says: how far it is held, and the proof."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: State
    proof: tuple[str, ...] = ()


class Claim(Row):
    """One requirement; ``figures`` are names of live figures (`pack`). An empty ``text`` is a gap that stays empty."""

    group: str
    requirement: str
    asks: str
    text: str = ""
    figures: tuple[FigureName, ...] = ()


class Threat(Row):
    """One threat at a trust boundary, by STRIDE; ``left`` is what remains."""

    boundary: str
    kind: Stride
    threat: str
    control: str
    left: str


class Risk(Row):
    """One risk in the manner of ISO 14971, without severity and probability, which nobody here can estimate."""

    hazard: str
    sequence: str
    harm: str
    control: str
    left: str


def read_claims() -> tuple[Claim, ...]:
    """All claims, in their order: dimensions and regulation, then the checklists."""
    found = [Claim.model_validate(row) for row in _table(REGULATION)["claims"]]
    for name in CHECKLISTS:
        table = _table(name)
        found += [Claim.model_validate({"group": table["group"], **row}) for row in table["claims"]]
    return tuple(found)


def read_sources() -> dict[str, str]:
    """Where a checklist was published, by group."""
    return {table["group"]: table["source"] for table in map(_table, CHECKLISTS)}


def read_threats() -> tuple[Threat, ...]:
    """The threat model, by boundary."""
    return tuple(Threat.model_validate(row) for row in _table("threats")["threats"])


def read_risks() -> tuple[Risk, ...]:
    """The table of risks."""
    return tuple(Risk.model_validate(row) for row in _table("risks")["risks"])


def _table(name: str) -> dict[str, Any]:
    text = resources.files("radiolucent.cohort.evidence").joinpath(f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)
