"""One study as the reading view shows it: report, pictures, maps, engines; nothing is computed in the browser."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiolucent.explain.shown import FLOOR, outlined
from radiolucent.judge.confidence import is_plain
from radiolucent.pipeline.pictures import ViewImage, ViewSeries
from radiolucent.records.engine import EngineSpec, FindingSpec
from radiolucent.records.result import EngineRef
from radiolucent.records.study import StudyFinding, StudyReport
from radiolucent.review.meters import wilson

Json = dict[str, Any]
NOT_FOR = (
    "Not a medical device and not for diagnosis on its own. Not for images, ages or views outside its population, and "
    "it does not look for anything but the findings listed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An image's evidence of one finding: the file and what the result says of it."""

    path: Path
    explanation: Mapping[str, Any]
    map_status: str
    display_class: str

    @property
    def is_shown(self) -> bool:
        """Whether its map may be shown."""
        return self.map_status != "not_validated" and self.display_class != "notify-only"

    @property
    def scale(self) -> float:
        """Evidence at the top of the absolute scale, logit per cell."""
        return float(self.explanation["scale"])

    @property
    def share(self) -> float:
        """Strength of the map on this image over the scale, 0 to 1."""
        return min(1.0, max(0.0, float(self.explanation["peak_evidence"]) / self.scale))


class Evidence:
    """The results of a study's images: by image (UID and frame), engine and finding key. Read once per folder."""

    def __init__(self, folder: Path) -> None:
        self.documents: dict[tuple[str, int], Mapping[str, Any]] = {}
        self.places: dict[tuple[str, int], Path] = {}
        found = [*folder.glob("*/result.json"), *folder.glob("*/frame-*/result.json")]
        for path in sorted(found):
            document = json.loads(path.read_text(encoding="utf-8"))
            image = document["image"]
            frame = image["frame"] or 1
            if image["frames"] not in (None, 1) and not path.parent.name.startswith("frame-"):
                continue
            key = (image["sop_instance_uid"] or path.parent.name, frame)
            self.documents[key], self.places[key] = document, path.parent

    def of(self, image: ViewImage) -> dict[tuple[str, str], Shown]:
        """By engine and key: the evidence on one image."""
        key = (image.image.sop_instance_uid, image.image.frame_number)
        document = self.documents.get(key)
        if document is None or document["engine"] is None:
            return {}
        return {
            (document["engine"]["id"], f["key"]): Shown(
                path=self.places[key] / f["explanation"]["map"],
                explanation=f["explanation"],
                map_status=f["map_status"],
                display_class=f["display_class"],
            )
            for f in document["findings"]
            if f["explanation"] is not None and f["explanation"]["map"] is not None
        }

    def words_of(self, engine: str, key: str) -> tuple[str, str]:
        """Map status and display class of a finding."""
        for document in self.documents.values():
            if document["engine"] is not None and document["engine"]["id"] == engine:
                for f in document["findings"]:
                    if f["key"] == key:
                        return f["map_status"], f["display_class"]
        return "unmeasured", "notify-only"


def pictures(series: Sequence[ViewSeries]) -> list[ViewImage]:
    """All images in order; an image's place here is its key."""
    return [image for each in series for image in each.images]


def series_json(series: Sequence[ViewSeries], study_uid: str, evidence: Evidence | None) -> list[Json]:
    """Series with their images."""
    made, key = [], 0
    for number, each in enumerate(series):
        images = []
        for image in each.images:
            images.append(_image(image, key, study_uid, evidence))
            key += 1
        made.append(
            {"series_key": number, "modality": each.modality, "description": each.description, "images": images}
        )
    return made


def _image(image: ViewImage, key: int, study_uid: str, evidence: Evidence | None) -> Json:
    facts, ref = image.facts, image.image
    shares: dict[str, float] = {}
    for (_, finding), shown in ({} if evidence is None else evidence.of(image)).items():
        if shown.is_shown:
            shares[finding] = max(shares.get(finding, 0.0), round(shown.share, 4))
    return {
        "image_key": key,
        "frames_url": f"/dicom-web/studies/{study_uid}/series/{ref.series_instance_uid}"
        f"/instances/{ref.sop_instance_uid}/frames/{ref.frame_number}",
        "frame": ref.frame_number,
        "rows": facts.rows,
        "columns": facts.columns,
        **{name: getattr(image, name) for name in ("bits_allocated", "bits_stored", "is_signed", "photometric")},
        "slope": image.slope,
        "intercept": image.intercept,
        "window": None if image.window is None else {"center": image.window[0], "width": image.window[1]},
        "voi_function": image.voi_function,
        "pixel_spacing_mm": facts.pixel_spacing_mm,
        "spacing_kind": image.spacing_kind,
        "laterality": facts.laterality,
        "view": facts.view,
        "position_mm": image.position_mm,
        "orientation": image.orientation,
        "sides": image.sides,
        "evidence": shares,
    }


def finding_json(
    finding: StudyFinding,
    images: Sequence[ViewImage],
    evidence: Evidence,
    spec: FindingSpec | None,
    *,
    study_key: str,
    rank: int,
    is_primary: bool,
) -> Json:
    """A finding with its maps, the image with most of it first."""
    status, display = evidence.words_of(finding.engine.id, finding.key)
    place = {(ref.sop_instance_uid, ref.frame_number): n for n, ref in enumerate(finding.images)}
    maps = []
    for key, image in enumerate(images):
        shown = evidence.of(image).get((finding.engine.id, finding.key))
        if finding.positive and shown is not None and shown.is_shown and shown.path.is_file():
            at = place.get((image.image.sop_instance_uid, image.image.frame_number), len(place))
            maps.append((at, key, _map(shown, key, finding, spec, study_key)))
    return {
        "engine": finding.engine.id,
        "key": finding.key,
        "display": finding.display,
        "code": {name: getattr(finding.code, name) for name in ("scheme", "value", "meaning")},
        "rank": rank,
        **{n: getattr(finding, n) for n in ("critical", "alert", "positive", "probability", "threshold", "confidence")},
        "reasons": [{"kind": "for" if is_plain(reason) else "caution", "text": reason} for reason in finding.reasons],
        "flags": [{"code": flag, "text": flag.replace("_", " ")} for flag in finding.flags],
        "zone": finding.zone,
        "in_expected_region": finding.in_expected_region,
        "map_status": status,
        "display_class": display,
        "maps": [made for _, _, made in sorted(maps, key=lambda each: each[:2])],
        "is_primary": is_primary,
    }


def _map(shown: Shown, key: int, finding: StudyFinding, spec: FindingSpec | None, study_key: str) -> Json:
    explanation = shown.explanation
    fraction = 0.5 if spec is None else spec.region_fraction
    found = outlined(shown.path, level=max(1e-9, fraction * float(explanation["peak_evidence"])))
    return {
        "image_key": key,
        "url": f"/api/studies/{study_key}/images/{key}/maps/{finding.engine.id}/{finding.key}",
        "rows": found.rows,
        "columns": found.columns,
        "is_painted": float(explanation["peak_evidence"]) >= FLOOR * shown.scale,
        "scale": {"threshold": FLOOR * shown.scale, "strong": shown.scale, "unit": "logit per cell"},
        "peak": explanation["peak_row_col"],
        "box": explanation["region_box"],
        "contours": found.contours,
        "completeness_error": explanation["completeness_error"],
    }


def engine_json(engine: EngineRef, spec: EngineSpec | None) -> Json:
    """What an engine is and was not made for, and how it did on test where it is still installed."""
    made: Json = {
        **{name: getattr(engine, name) for name in ("id", "title", "version", "sha256")},
        "intended_use": "" if spec is None else spec.population.intended_use,
        "not_for": NOT_FOR,
        "population": "" if spec is None else _population(spec),
        "metrics": {},
    }
    for finding in () if spec is None else spec.findings:
        known, n = finding.sensitivity, finding.test_positives
        made["metrics"][finding.key] = {
            "sensitivity": None if known is None or not n else wilson(round(known * n), n),
            "specificity": None,  # the package does not say on how many negatives it was measured
            "auc": None,
            "n_positive": n,
        }
    return made


def _population(spec: EngineSpec) -> str:
    who = spec.population
    parts = [", ".join(who.modalities), ", ".join(who.body_parts), ", ".join(who.views)]
    if who.min_age_years is not None or who.max_age_years is not None:
        oldest = "" if who.max_age_years is None else f"{who.max_age_years:g}"
        parts.append(f"{who.min_age_years or 0:g} to {oldest} years" if oldest else f"from {who.min_age_years:g} years")
    return "; ".join(part for part in parts if part)


def changes_json(report: StudyReport) -> list[Json]:
    """How findings compare with the prior."""
    return [
        {
            "key": f.key,
            "display": f.display,
            "change": f.change.change,
            "prior_probability": f.change.prior_probability,
            "current_probability": f.probability,
            "reasons": f.change.reasons,
            "cautions": f.change.cautions,
        }
        for f in report.findings
        if f.change is not None
    ]
