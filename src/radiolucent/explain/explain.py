"""One finding's explanation from one forward pass."""

from __future__ import annotations

import numpy as np

from radiolucent.explain.native import native_map
from radiolucent.explain.region import box, peak, region_at_peak
from radiolucent.explain.zones import Zones, zone
from radiolucent.records.engine import FindingSpec
from radiolucent.records.geometry import Geometry
from radiolucent.records.image import ImageFacts, Inference
from radiolucent.records.result import Explanation


def completeness_error(inference: Inference, index: int, bias: float) -> float:
    """``abs(sum(evidence) + bias - logit)`` of finding ``index``, in logits (design, section 2)."""
    total = float(np.sum(inference.evidence[index], dtype=np.float64)) + bias
    return abs(total - float(inference.logits[index]))


def explain(
    inference: Inference, index: int, *, spec: FindingSpec, geometry: Geometry, facts: ImageFacts, zones: Zones
) -> Explanation:
    """Explain finding ``index`` of an inference on the pixels of its source.

    Method: Grad-CAM (Selvaraju et al. 2017) in the closed form that a pooled linear read-out allows.
    """
    native = native_map(inference.evidence[index], geometry)
    at = peak(native)
    region = region_at_peak(native, at=at, fraction=spec.region_fraction)
    return Explanation(
        map=native,
        scale=spec.map_scale,
        peak_row_col=at,
        region=region,
        region_box=box(region),
        zone=zone(at, shape=geometry.source_shape, zones=zones, patient_left_at=facts.patient_left_at),
        in_expected_region=None,
        completeness_error=completeness_error(inference, index, spec.bias),
    )
