"""One TOML file per engine: what it is, what it learns from, how it is trained."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Channel(_Strict):
    """Where one input channel comes from at run time; in training it is a picture in [0, 1]."""

    source: Literal["voi", "hu_window"]
    centre: float | None = None
    width: float | None = None
    stretch: tuple[float, float] | None = None


class Input(_Strict):
    size: int
    channels: list[Channel]
    mean: float = 0.45
    std: float = 0.225


class Model(_Strict):
    """``gather``: read out where a softmax over the cells looks, not everywhere alike (`training.model.Gather`)."""

    backbone: str = "efficientnet_lite0"
    width: int = 128
    features: int = 384
    shallow: int = 32
    frozen_blocks: int = 2
    dropout: float = 0.2
    gather: bool = False


class Anatomy(_Strict):
    """Regions that the network draws, and the words findings use for them.

    ``groups`` maps a word of `Finding.expected_regions` to regions; a word that is itself a region needs no entry.
    ``margin`` widens an expected region by this many cells of the region grid (4 model pixels each).
    """

    regions: list[str]
    groups: dict[str, list[str]] = Field(default_factory=dict)
    margin: int = 2

    def members(self, words: list[str]) -> list[int]:
        """Indices of the regions that some expected words stand for."""
        names = {name for word in words for name in self.groups.get(word, [word])}
        return [i for i, region in enumerate(self.regions) if region in names]


class Schedule(_Strict):
    """How one phase is trained.

    ``new_rate``: how many times faster the top-down path and the read-out learn, which start from nothing. ``keep``:
    the epoch with the best mean AUC on validation, or the last one, where places are still being learnt when that
    stands still. ``squeeze``: logarithm of the largest change of a side, the other side changing the other way.
    ``corners``: share of the pictures whose corners are painted over.
    """

    epochs: int
    batch: int = 32
    learning_rate: float = 1e-3
    new_rate: float = 1.0
    weight_decay: float = 1e-2
    warmup_steps: int = 50
    evidence_weight: float = 0.5
    shape_weight: float = 0.5
    clear_weight: float = 0.2
    anatomy_weight: float = 1.0
    expected_weight: float = 0.1
    gather_weight: float = 0.5
    keep: Literal["best", "last"] = "best"
    flip: bool = False
    rotate_deg: float = 10.0
    drop_channel: float = 0.0
    seed: int = 20
    limit: int | None = None
    size: int | None = None
    synthetic: float = 0.0
    mix: int = 0
    squeeze: float = 0.0
    corners: float = 0.0


class Finding(_Strict):
    """A finding as the manifest will hold it."""

    key: str
    display: str
    label: str
    code: tuple[str, str, str]
    rank: int
    critical: bool = False
    kind: Literal["localisable", "diffuse"] = "localisable"
    expected_regions: list[str] = Field(default_factory=list)
    display_class: Literal["locate", "notify-only"] = "locate"


class Derived(_Strict):
    """A finding by rule (`radiolucent.judge.derived`). ``label``: the column it is calibrated and measured against."""

    key: str
    display: str
    code: tuple[str, str, str]
    rank: int
    critical: bool = True
    rule: Literal["cardiothoracic_ratio", "mediastinal_width", "tension", "acute_edema", "traumatic"]
    base: str | None = None
    label: str | None = None


class Guard(_Strict):
    """A guard on content and the words of its refusal or flag."""

    name: Literal["lateral", "inverted", "turned", "other", "child", "hardware"]
    action: Literal["refuse", "flag"]
    found: str
    expected: str


class Target(_Strict):
    """What the engine is meant to reach; ``figure`` as in `radiolucent.cohort.targets`."""

    text: str
    figure: str
    at_least: float | None = None
    at_most: float | None = None


class Population(_Strict):
    modalities: list[str]
    body_parts: list[str]
    views: list[str] = Field(default_factory=list)
    min_age_years: float | None = None
    max_age_years: float | None = None
    intended_use: str


class Config(_Strict):
    """One engine.

    ``left_out``: groups that neither choose nor measure anything, because a network that ships in the mean has seen
    them in another part of the split. ``add``: how a variant learns from an added cohort (`training.added`).
    """

    id: str
    title: str
    version: str
    domain: Literal["chest", "brain_mri", "head_ct", "bone"]
    zones: Literal["chest", "head", "image"]
    population: Population
    input: Input
    model: Model = Model()
    anatomy: Anatomy
    pretrain: Schedule | None = None
    train: Schedule
    regions: Schedule | None = None
    add: Schedule | None = None
    findings: list[Finding]
    derived: list[Derived] = Field(default_factory=list)
    guards: list[Guard] = Field(default_factory=list)
    exclusive: list[str] = Field(default_factory=list)
    left_out: list[str] = Field(default_factory=list)
    targets: list[Target] = Field(default_factory=list)
    data_notes: list[str]
    limits: list[str]


def load(path: Path) -> Config:
    """Read and check a training configuration; with ``extends`` it says only what differs from the file named there."""
    raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    if (base := raw.pop("extends", None)) is not None:
        raw = tomllib.loads((path.parent / base).read_text(encoding="utf-8")) | raw
    return Config.model_validate(raw)
