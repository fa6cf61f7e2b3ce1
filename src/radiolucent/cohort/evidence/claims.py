"""Claims: what is asked, what is there, and the proof of it."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict

State = Literal["there", "partly", "gap"]
FigureName = Literal["engines", "maps", "validations", "oversight", "drift", "audit", "components"]


class Claim(BaseModel):
    """One requirement.

    ``proof`` are paths in the repository: a document with its heading, a test, or a module. ``figures`` are names of
    live figures (`pack`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str
    requirement: str
    asks: str
    state: State
    text: str
    proof: tuple[str, ...]
    figures: tuple[FigureName, ...]


def read_claims() -> tuple[Claim, ...]:
    """All claims, in their order."""
    text = resources.files("radiolucent.cohort.evidence").joinpath("claims.toml").read_text("utf-8")
    return tuple(Claim.model_validate(row) for row in tomllib.loads(text)["claims"])
