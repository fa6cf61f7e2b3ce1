"""The images behind cells of the atlas, small, with their evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from radiolucent.cohort.validation.atlas import Cell
from radiolucent.cohort.validation.failures import Failures
from radiolucent.cohort.validation.gathering import prepare
from radiolucent.cohort.validation.observing import Refused
from radiolucent.cohort.validation.page import anchor, is_found
from radiolucent.cohort.validation.page_probes import failure_anchor
from radiolucent.cohort.validation.shards import Observed
from radiolucent.cohort.validation.shift import HERE
from radiolucent.engines.checks import Engine
from radiolucent.explain.native import native_map
from radiolucent.infer.run import run
from radiolucent.prepare.resample import fit_geometry, resample
from radiolucent.records.image import DecodedFrame, Inference, ModelInput
from radiolucent.report.colour import table as colours
from radiolucent.report.html import data_uri

SECTIONS, SHOWN, SIDE = 24, 6, 220


class Cases:
    """Pictures of cases; an image that stands in several sections is read once."""

    def __init__(self, observed: Observed, engine: Engine) -> None:
        self._observed, self._engine = observed, engine
        self._seen: dict[int, tuple[DecodedFrame, ModelInput, Inference]] = {}

    def shown(self, key: str, at: Sequence[int]) -> list[dict[str, Any]]:
        """The first few of some images, each with the evidence of a finding; of a derived one without."""
        spec = self._engine.spec
        keys = [*(f.key for f in spec.findings), *(d.key for d in spec.derived)]
        k, out = keys.index(key), []
        for i in at[:SHOWN]:
            read = self._read(i)
            if read is None:
                continue
            evidence = read[2].evidence[k] if k < len(spec.findings) else np.zeros((2, 2), dtype=np.float32)
            scale = spec.findings[k].map_scale if k < len(spec.findings) else 1.0
            case = self._observed.cases[i]
            out.append(
                {
                    "picture": Markup(data_uri(picture(read[0], read[1], evidence, scale=scale), quality=80)),  # noqa: S704
                    "row": case.row,
                    "name": case.image.name,
                    "chance": float(self._observed.arrays["chances"][i, k]),
                    "said": _truth(case.labels.get(key, float("nan"))),
                }
            )
        return out

    def _read(self, at: int) -> tuple[DecodedFrame, ModelInput, Inference] | None:
        if at not in self._seen:
            made = prepare(self._observed.cases[at], self._engine.spec)
            if isinstance(made, Refused):
                return None
            self._seen[at] = (made[1], made[3], run(self._engine, [made[3]])[0])
        return self._seen[at]


def sections(
    cases: Cases, cells: Sequence[Cell], failures: Sequence[Failures], names: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """A section for each cell that looks elsewhere (against the reference first), then for each group of errors."""
    found = (c for c in cells if is_found(c) and c.cases)
    for cell in sorted(found, key=lambda c: (c.by != HERE, c.by_chance - c.distance))[:SECTIONS]:
        yield {
            "id": anchor(cell),
            "name": f"{names[cell.key]}, {_side(cell)}",
            "words": f"Distance {cell.distance:.2f}, by chance {cell.by_chance:.2f}; {cell.reached} such images.",
            "cases": cases.shown(cell.key, cell.cases),
        }
    for failure in failures:
        yield {
            "id": failure_anchor(failure),
            "name": f"{names[failure.key]}, {failure.kind}, group {failure.group}",
            "words": f"{failure.images} of {failure.of} such errors, those nearest the middle of the group.",
            "cases": cases.shown(failure.key, failure.cases),
        }


def _side(cell: Cell) -> str:
    return cell.by if cell.by == HERE else f"{cell.by.replace('_', ' ')} {cell.value}"


def _truth(label: float) -> str:
    return {1.0: "truth: present", 0.0: "truth: absent"}.get(label, "truth unknown")


def picture(
    frame: DecodedFrame, given: ModelInput, evidence: NDArray[np.float32], *, scale: float
) -> NDArray[np.uint8]:
    """``[SIDE, SIDE, 3]``: the image in grey with its positive evidence on the engine's absolute scale."""
    geometry = fit_geometry(frame.display.shape, model_shape=(SIDE, SIDE))
    grey = np.repeat(resample(frame.display, geometry)[..., None], 3, axis=2) * 255.0
    heat = resample(np.maximum(native_map(evidence, given.geometry), 0.0), geometry)
    share = np.clip(heat / scale, 0.0, 1.0)
    mixed = grey + (colours()[np.rint(share * 255).astype(int)] - grey) * (0.7 * np.sqrt(share))[..., None]
    return np.asarray(np.rint(np.clip(mixed, 0, 255)), dtype=np.uint8)
