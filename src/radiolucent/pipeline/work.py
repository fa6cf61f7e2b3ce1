"""Values that travel between the stages of one run; none of them leaves the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from radiolucent.errors import InputRefused
from radiolucent.records.engine import EngineSpec
from radiolucent.records.image import ImageFacts, ModelInput, SourceFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file whose header was read and whose engine is known. ``header`` is ``None`` for a picture."""

    file: SourceFile
    header: Dataset | None
    facts: ImageFacts
    spec: EngineSpec
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file or frame that is not read, and why."""

    label: str
    stem: str
    sha256: str | None
    error: InputRefused
    facts: ImageFacts | None = None
    spec: EngineSpec | None = None
    header: Dataset | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame of an opened file, with the name of its folder."""

    opened: Opened
    facts: ImageFacts
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A frame ready for inference. ``display8 [rows, columns]`` is the display image in 0..255, to be shown later."""

    frame: Frame
    input: ModelInput
    display8: NDArray[np.uint8]
    notes: tuple[str, ...]
    milliseconds: float
