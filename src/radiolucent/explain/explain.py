"""One finding's explanation from one forward pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiolucent.explain.anatomy import expected_region, frame, region_shares, share_inside
from radiolucent.explain.marker import marker_under
from radiolucent.explain.native import native_map
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
    index: int,
    *,
    engine: EngineSpec,
    geometry: Geometry,
    facts: ImageFacts,
    display8: NDArray[np.uint8] | None = None,
) -> Explanation:
    """Explain finding ``index`` of an inference on the pixels of its source.

    Method: Grad-CAM (Selvaraju et al. 2017) in the closed form that a pooled linear read-out allows. Agreement with
    anatomy is counted on the model's grid, from the regions of the same pass.

    Parameters
    ----------
    display8
        ``[rows, columns]`` uint8 of the source, to look for markers and metal under the peak.
    """
    spec = engine.findings[index]
    evidence = inference.evidence[index]
    native = native_map(evidence, geometry)
    at = peak(native)
    region = region_at_peak(native, at=at, fraction=spec.region_fraction)
    inside = expected_region(inference, engine, spec.expected_regions)
    return Explanation(
        map=native,
        scale=spec.map_scale,
        peak_row_col=at,
        region=region,
        region_box=box(region),
        zone=zone(
            at,
            shape=geometry.source_shape,
            zones=engine.zones,
            patient_left_at=facts.patient_left_at,
            body_part=facts.body_part,
            frame=frame(inference, geometry),
        ),
        in_expected_region=None if inside is None else share_inside(evidence, inside),
        region_shares=region_shares(evidence, inference, engine),
        marker_under_peak=display8 is not None and marker_under(at, display8),
        completeness_error=completeness_error(inference, index, spec.bias),
    )
