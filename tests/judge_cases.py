"""A plain engine, inference and explanation for tests of judging."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from radiolucent.explain.region import box
from radiolucent.records.engine import ChannelSpec, Code, EngineSpec, FindingSpec, InputSpec, Population
from radiolucent.records.image import ImageFacts, Inference
from radiolucent.records.result import Explanation


def finding(key: str, rank: int, **changes: object) -> FindingSpec:
    spec = FindingSpec(
        key=key,
        display=key.title(),
        code=Code(scheme="99T", value=key, meaning=key),
        rank=rank,
        critical=rank == 1,
        is_localisable=True,
        expected_regions=(),
        display_class="locate",
        bias=0.0,
        calibration=(1.0, 0.0),
        threshold=0.5,
        map_scale=1.0,
        region_fraction=0.5,
        evidence_level="adequate",
        test_positives=40,
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def engine(*findings: FindingSpec) -> EngineSpec:
    return EngineSpec(
        id="e",
        title="E",
        version="1",
        sha256="0",
        license="x",
        method="m",
        population=Population(
            modalities=("CR",), body_parts=("CHEST",), views=("PA", "AP"), min_age_years=18, intended_use="Adults."
        ),
        input=InputSpec(rows=8, columns=8, channels=(ChannelSpec(source="voi"),), mean=0.0, std=1.0),
        findings=findings,
        zones="chest",
        device_uid="2.25.1",
    )


FACTS = ImageFacts(stem="x", source_sha256="0", rows=8, columns=8, view="PA", age_years=40, modality="CR")


def inference(*logits: float) -> Inference:
    return Inference(
        logits=np.array(logits, dtype=np.float32),
        evidence=np.zeros((len(logits), 2, 2), dtype=np.float32),
        embedding=np.zeros(3, dtype=np.float32),
    )


def explanation(map_: np.ndarray, region: np.ndarray) -> Explanation:
    return Explanation(
        map=map_.astype(np.float32),
        scale=1.0,
        peak_row_col=(0, 0),
        region=region,
        region_box=box(region),
        zone="left lower zone",
        in_expected_region=None,
        completeness_error=0.0,
    )
