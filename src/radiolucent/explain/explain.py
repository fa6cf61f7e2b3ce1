"""One finding's explanation from one forward pass."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from radiolucent.explain.anatomy import Drawn, share_inside
from radiolucent.explain.marker import marker_under
from radiolucent.explain.native import ToSource
from radiolucent.explain.region import box, peak, region_at_peak
from radiolucent.explain.zones import zone
from radiolucent.records.engine import EngineSpec
from radiolucent.records.geometry import Geometry
from radiolucent.records.image import ImageFacts, Inference
from radiolucent.records.result import Explanation


def completeness_error(inference: Inference, index: int, bias: float) -> float:
    """``abs(sum(evidence) + bias - logit)`` of finding ``index``, in logits (design, section 2)."""
    total = float(np.sum(inference.evidence[index], dtype=np.float64)) + bias
    return abs(total - float(inference.logits[index]))


def explain(
    inference: Inference,
    indices: Iterable[int],
    *,
    engine: EngineSpec,
    geometry: Geometry,
    facts: ImageFacts,
    display8: NDArray[np.uint8] | None = None,
    drawn: Drawn | None = None,
) -> dict[int, Explanation]:
    """Explain findings of an inference on the pixels of its source, by index.

    Method: Grad-CAM (Selvaraju et al. 2017) in the closed form that a pooled linear read-out allows. Agreement with
    anatomy is counted on the model's grid, from the regions of the same pass.

    Parameters
    ----------
    indices
        Which of the engine's findings.
    display8
        ``[rows, columns]`` uint8 of the source, to look for markers and metal under the peak.
    drawn
        The inference's regions, where they were looked at already.
    """
    wanted = sorted(set(indices))
    if not wanted:
        return {}
    regions, to_source = drawn or Drawn(inference, engine), ToSource(inference.evidence.shape[1:], geometry)
    name_zone = partial(
        zone,
        shape=geometry.source_shape,
        zones=engine.zones,
        patient_left_at=facts.patient_left_at,
        body_part=facts.body_part,
        frame=regions.frame(geometry),
    )
    made = {}
    for index in wanted:
        spec, evidence = engine.findings[index], inference.evidence[index]
        native = to_source(evidence)
        at = peak(native)
        region = region_at_peak(native, at=at, fraction=spec.region_fraction)
        expected = regions.expected_cover(spec.expected_regions)
        made[index] = Explanation(
            map=native,
            scale=spec.map_scale,
            peak_row_col=at,
            region=region,
            region_box=box(region),
            zone=name_zone(at),
            in_expected_region=None if expected is None else share_inside(evidence, expected),
            region_shares=regions.shares(evidence),
            marker_under_peak=display8 is not None and marker_under(at, display8),
            completeness_error=completeness_error(inference, index, spec.bias),
        )
    return made
