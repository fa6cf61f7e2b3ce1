"""Stacks and multi-frame images: what is gathered over a run, and written at its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from radiolucent.judge.series import judge_series, slice_score
from radiolucent.pipeline.finishing import Finished
from radiolucent.records.engine import EngineSpec
from radiolucent.records.result import ImageResult, SeriesResult, SliceScore
from radiolucent.report.result_json import Json

STACKS = frozenset({"CT", "MR"})


@dataclass(slots=True, kw_only=True)
class _Series:
    spec: EngineSpec | None = None
    slices: list[SliceScore] = field(default_factory=list)
    refused: int = 0


class SeriesBook:
    """Scores of the slices of each series: some hundred bytes per slice, no pixels."""

    def __init__(self, specs: tuple[EngineSpec, ...]) -> None:
        self._specs = {spec.id: spec for spec in specs}
        self._series: dict[str, _Series] = {}

    def add(self, result: ImageResult) -> None:
        """Note one slice or frame."""
        image = result.image
        if image.series_instance_uid is None or (image.modality not in STACKS and image.number_of_frames == 1):
            return
        series = self._series.setdefault(image.series_instance_uid, _Series())
        if result.status == "refused" or result.engine is None:
            series.refused += 1
            return
        series.spec = self._specs[result.engine.id]
        series.slices.append(slice_score(result))

    def results(self) -> list[SeriesResult]:
        """One result per series of which at least one slice was read."""
        return [
            judge_series(uid, series.spec, series.slices, refused=series.refused)
            for uid, series in self._series.items()
            if series.spec is not None
        ]


class FrameBook:
    """The most important frame of each multi-frame image, whose result also stands for the image."""

    def __init__(self) -> None:
        self._best: dict[str, tuple[tuple[bool, int, float], dict[str, Json]]] = {}

    def add(self, finished: Finished) -> None:
        """Note one frame."""
        if finished.result.image.number_of_frames == 1 or "/" not in finished.folder:
            return
        image_folder, frame_folder = finished.folder.split("/")
        weight = _weight(finished.result)
        before = self._best.get(image_folder)
        if before is None or weight > before[0]:
            self._best[image_folder] = (weight, _rebased(finished.document, frame_folder))

    def documents(self) -> dict[str, dict[str, Json]]:
        """By image folder: the result file of its most important frame, with paths from the image's folder."""
        return {folder: document for folder, (_, document) in self._best.items()}


def _weight(result: ImageResult) -> tuple[bool, int, float]:
    positives = result.positives
    critical = sum(f.critical for f in positives)
    return (result.status == "processed", critical, positives[0].probability if positives else 0.0)


def _rebased(document: dict[str, Json], folder: str) -> dict[str, Json]:
    def moved(path: Json) -> Json:
        return f"{folder}/{path}" if isinstance(path, str) else None

    copy = dict(document)
    objects, findings = document["objects"], document["findings"]
    assert isinstance(objects, list)
    assert isinstance(findings, list)
    copy["objects"] = [moved(path) for path in objects]
    rebased: list[Json] = []
    for finding in findings:
        assert isinstance(finding, dict)
        explanation = finding["explanation"]
        if isinstance(explanation, dict):
            explanation = {**explanation, "map": moved(explanation["map"]), "overlay": moved(explanation["overlay"])}
        rebased.append({**finding, "explanation": explanation})
    copy["findings"] = rebased
    return copy
