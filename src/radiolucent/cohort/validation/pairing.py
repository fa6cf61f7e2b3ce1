"""Two versions' observations of the same images, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.measure import Floats, Groups
from radiolucent.cohort.validation.shards import Observed
from radiolucent.cohort.validation.subgroups import Mask, Stratum
from radiolucent.errors import SettingsError
from radiolucent.records.engine import EngineSpec

AUC_MARGIN, RATE_MARGIN = 0.05, 0.10
"""What may be lost by a change: of AUC; of sensitivity and of specificity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One version: what it observed, what it says of itself, and where the shared images stand among its own."""

    observed: Observed
    spec: EngineSpec
    at: NDArray[np.intp]

    def index(self, key: str) -> int:
        """Place of a trained finding."""
        return [f.key for f in self.spec.findings].index(key)

    def threshold(self, key: str) -> float:
        """Its threshold for a trained finding."""
        return self.spec.findings[self.index(key)].threshold

    def scores(self, key: str) -> Floats:
        """``[N]`` calibrated probabilities of the shared images."""
        return np.asarray(self.observed.arrays["chances"][self.at, self.index(key)], dtype=np.float64)

    def called(self, key: str) -> Mask:
        """``[N]`` whether a shared image reaches the threshold."""
        return np.asarray(self.scores(key) >= self.threshold(key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The new version and the old one on the images that both have read."""

    new: Side
    old: Side
    keys: tuple[str, ...]

    @property
    def groups(self) -> Groups:
        """``[N]`` patient."""
        return self.new.observed.groups[self.new.at]

    def truth(self, key: str) -> Floats:
        """``[N]`` 1, 0 or ``nan``."""
        return self.new.observed.labels(key)[self.new.at]

    def strata_of_old(self, strata: Sequence[Stratum]) -> list[Stratum]:
        """The new version's strata over the old one's images; what it alone has read belongs to none."""
        out = []
        for stratum in strata:
            members = np.zeros(len(self.old.observed), dtype=bool)
            members[self.old.at] = stratum.members[self.new.at]
            out.append(Stratum(by=stratum.by, value=stratum.value, members=members))
        return out


def pairing(new: Observed, old: Observed, spec: EngineSpec, before: EngineSpec) -> Pairing:
    """Put two versions side by side.

    Raises
    ------
    SettingsError
        ``other_version`` where the engines share no finding.
    """
    keys = [f.key for f in before.findings]
    shared = tuple(f.key for f in spec.findings if f.key in keys)
    if not shared:
        raise SettingsError(
            "other_version",
            found=f"{before.id} and {spec.id} without one finding in common",
            expected="two versions of one engine",
            action="Give the package of the other version with --against.",
        )
    places = {case.row: i for i, case in enumerate(old.cases)}
    at = np.array([i for i, case in enumerate(new.cases) if case.row in places], dtype=np.intp)
    was = np.array([places[new.cases[i].row] for i in at], dtype=np.intp)
    return Pairing(new=Side(observed=new, spec=spec, at=at), old=Side(observed=old, spec=before, at=was), keys=shared)
