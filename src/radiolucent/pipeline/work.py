"""Values that travel between the stages of one run; none of them leaves the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from radiolucent.prepare.header import Instance
from radiolucent.records.engine import EngineSpec
from radiolucent.records.image import ImageFacts, Inference, ModelInput, SourceFile
from radiolucent.records.result import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file whose header was read and whose engine is known. ``instance`` is ``None`` for a picture."""

    file: SourceFile
    instance: Instance | None
    facts: ImageFacts
    spec: EngineSpec
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file or frame that is not read, and why."""

    label: str
    stem: str
    sha256: str | None
    reason: Reason
    facts: ImageFacts | None = None
    spec: EngineSpec | None = None
    header: Dataset | None = None
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """The very same instance, offered again."""

    label: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame of an opened file, 1-based, with the name of its folder."""

    opened: Opened
    frame_number: int
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A frame ready for inference. ``display8 [rows, columns]`` is the display image in 0..255, to be shown later."""

    frame: Frame
    facts: ImageFacts
    input: ModelInput
    display8: NDArray[np.uint8]
    notes: tuple[str, ...]
    prepare_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferred:
    """A frame after its forward pass; ``infer_ms`` is its share of the batch."""

    prepared: Prepared
    inference: Inference
    infer_ms: float
