"""What an imported network is said to be: its findings, its input and its population; torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal

from radiolucent.records.engine import Code, Population

Kind = Literal["localisable", "diffuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFinding:
    """One class of the network as a finding.

    ``threshold`` is a probability in (0, 1); ``None`` where the source states none.
    """

    key: str
    display: str
    code: Code
    rank: int
    critical: bool
    kind: Kind
    expected_regions: tuple[str, ...] = ()
    threshold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedInput:
    """What the network takes: ``[N, channels, size, size]``, channel c being ``(x - means[c]) / stds[c]``.

    x is in [0, 1] and the same in every channel: the picture is grey. ``channel`` is the manifest's description of
    where x comes from.
    """

    size: int
    means: tuple[float, ...]
    stds: tuple[float, ...]
    channel: Mapping[str, object] = field(default_factory=lambda: {"source": "voi"})

    @property
    def mean(self) -> float:
        """The one mean that the manifest states; the graph goes on from there to each channel's own."""
        return fmean(self.means)

    @property
    def std(self) -> float:
        """The one standard deviation that the manifest states."""
        return fmean(self.stds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything a manifest needs beside the weights.

    ``classes`` has one entry for each output of the network, in order; ``None`` is a class to leave out.
    """

    id: str
    title: str
    version: str
    license: str
    zones: Literal["chest", "head", "image"]
    population: Population
    input: PlannedInput
    classes: tuple[PlannedFinding | None, ...]
    notes: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def kept(self) -> tuple[int, ...]:
        """Places of the classes that become findings."""
        return tuple(place for place, finding in enumerate(self.classes) if finding is not None)

    @property
    def findings(self) -> tuple[PlannedFinding, ...]:
        """The classes that become findings."""
        return tuple(finding for finding in self.classes if finding is not None)
