"""The images behind cells of the atlas, small, with their evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from radiolucent.cohort.validation.atlas import Cell
from radiolucent.cohort.validation.gathering import prepare
from radiolucent.cohort.validation.observing import Refused
from radiolucent.cohort.validation.page import anchor, is_found
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


def sections(
    observed: Observed, engine: Engine, cells: Sequence[Cell], names: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """A section for each cell that looks elsewhere: those against the reference, then the farthest cells."""
    spec = engine.spec
    keys = [f.key for f in spec.findings]
    found = (c for c in cells if is_found(c) and c.cases)
    wanted = sorted(found, key=lambda c: (c.by != HERE, c.by_chance - c.distance))[:SECTIONS]
    seen: dict[int, tuple[DecodedFrame, ModelInput, Inference]] = {}
    for cell in wanted:
        k, shown = keys.index(cell.key), []
        for at in cell.cases[:SHOWN]:
            if at not in seen:
                made = prepare(observed.cases[at], spec)
                if isinstance(made, Refused):
                    continue
                seen[at] = (made[1], made[3], run(engine, [made[3]])[0])
            frame, given, inference = seen[at]
            case = observed.cases[at]
            pixels = picture(frame, given, inference.evidence[k], scale=spec.findings[k].map_scale)
            shown.append(
                {
                    "picture": Markup(data_uri(pixels, quality=80)),  # noqa: S704  base64
                    "row": case.row,
                    "name": case.image.name,
                    "chance": float(observed.arrays["chances"][at, k]),
                    "said": _truth(case.labels.get(cell.key, float("nan"))),
                }
            )
        yield {
            "id": anchor(cell),
            "name": f"{names[cell.key]}, {_side(cell)}",
            "words": f"Distance {cell.distance:.2f}, by chance {cell.by_chance:.2f}; {cell.reached} such images.",
            "cases": shown,
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
