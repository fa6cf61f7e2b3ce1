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
    backbone: str = "efficientnet_lite0"
    output_stride: int = 16
    frozen_blocks: int = 2
    dropout: float = 0.2


class Schedule(_Strict):
    epochs: int
    batch: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup_steps: int = 50
    evidence_weight: float = 0.5
    flip: bool = False
    rotate_deg: float = 10.0
    drop_channel: float = 0.0
    seed: int = 20
    limit: int | None = None


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


class Population(_Strict):
    modalities: list[str]
    body_parts: list[str]
    views: list[str] = Field(default_factory=list)
    min_age_years: float | None = None
    max_age_years: float | None = None
    intended_use: str


class Config(_Strict):
    id: str
    title: str
    version: str
    domain: Literal["chest", "brain_mri", "head_ct", "bone"]
    zones: Literal["chest", "head", "image"]
    population: Population
    input: Input
    model: Model = Model()
    pretrain: Schedule | None = None
    train: Schedule
    findings: list[Finding]
    data_notes: list[str]
    limits: list[str]


def load(path: Path) -> Config:
    """Read and check a training configuration."""
    raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return Config.model_validate(raw)
