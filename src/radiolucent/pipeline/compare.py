"""From two result folders to a comparison: read what `radiolucent analyze` wrote, draw the regions again, compare."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiolucent.errors import SettingsError
from radiolucent.explain.region import peak, region_at_peak
from radiolucent.judge.frames import anatomy_frame, picture_frame
from radiolucent.judge.prior import compare
from radiolucent.records.comparison import Comparison, FindingReading, Frame, Reading
from radiolucent.records.engine import EngineSpec
from radiolucent.records.image import ImageFacts
from radiolucent.records.result import EngineRef

RESULT, SCHEMA = "result.json", "radiolucent.result/1"
HALF = 0.5
"""A region's share of its peak where the engine that could say better is not installed."""


def compare_folders(prior: Path, current: Path, *, specs: Sequence[EngineSpec] = ()) -> Comparison:
    """Compare two result folders of one patient; the caller answers for it that the patient is the same.

    Parameters
    ----------
    prior, current
        Folders of one image each, as `radiolucent analyze` writes them.
    specs
        Installed engines. Regions are drawn with the region fraction of the one that made the result.

    Raises
    ------
    SettingsError
        ``not_a_result`` for a folder without a readable result, ``result_array`` for a map or regions that the
        result names but that are missing or do not fit it.
    """
    folders = (prior, current)
    documents = [_document(folder) for folder in folders]
    keys = frozenset(key for folder, d in zip(folders, documents, strict=True) for key in _positive(folder, d))
    before, now = (_whole(f, d, specs, keys) for f, d in zip(folders, documents, strict=True))
    return compare(before, now)


def _positive(folder: Path, document: Mapping[str, Any]) -> list[str]:
    """Keys of positive findings. Only findings that are positive at one of the dates have their maps read."""
    try:
        return [str(f["key"]) for f in document["findings"] if f["positive"]]
    except (KeyError, TypeError) as error:
        raise _no_result(folder, f"a {RESULT} whose findings cannot be read") from error


def _whole(folder: Path, document: Mapping[str, Any], specs: Sequence[EngineSpec], keys: frozenset[str]) -> Reading:
    try:
        return _reading(folder, document, specs, keys)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_result(folder, f"a {RESULT} that lacks or misstates a field ({type(error).__name__})") from error


def _no_result(folder: Path, found: str) -> SettingsError:
    return SettingsError(
        "not_a_result",
        found=f"{found} in {folder}",
        expected=f"the folder of one image with {RESULT} ({SCHEMA})",
        action="Give a folder that `radiolucent analyze` wrote for one image.",
    )


def _document(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except OSError as error:
        raise _no_result(folder, f"no {RESULT} that can be read") from error
    except ValueError as error:
        raise _no_result(folder, f"a {RESULT} that is not JSON") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise _no_result(folder, f"a {RESULT} of another format")
    return document


def _reading(folder: Path, document: Mapping[str, Any], specs: Sequence[EngineSpec], keys: frozenset[str]) -> Reading:
    facts, engine = _facts(document["image"]), _engine(document["engine"])
    if document["status"] != "processed":
        return Reading(engine=engine, facts=facts, frame=None, refusal=str(document["reason"]["code"]))
    shape = (facts.rows, facts.columns)
    spec = next((s for s in specs if engine is not None and (s.id, s.sha256) == (engine.id, engine.sha256)), None)
    notes: tuple[str, ...] = ()
    if spec is None:
        notes = (f"the engine is not installed here: regions are drawn at {HALF:g} of their peak",)
    return Reading(
        engine=engine,
        facts=facts,
        frame=_frame(folder, document.get("anatomy"), shape),
        findings=tuple(_finding(folder, f, shape, spec, with_map=f["key"] in keys) for f in document["findings"]),
        notes=notes,
    )


def _facts(image: Mapping[str, Any]) -> ImageFacts:
    rows, columns = int(image["rows"]), int(image["columns"])
    return ImageFacts(
        stem="",
        source_sha256=str(image["source_sha256"]),
        rows=rows,
        columns=columns,
        sop_instance_uid=image["sop_instance_uid"],
        frame_number=int(image["frame"]),
        modality=image["modality"],
        body_part=image["body_part"],
        view=image["view"],
        laterality=image["laterality"],
        patient_left_at=image["patient_left_at"],
    )


def _engine(engine: Mapping[str, Any] | None) -> EngineRef | None:
    if engine is None:
        return None
    return EngineRef(
        **{name: str(engine[name]) for name in ("id", "title", "version", "sha256", "device_uid", "method")}
    )


def _fraction(spec: EngineSpec | None, key: str) -> float:
    """The region fraction of a finding, or of the trained finding whose map a derived one carries."""
    if spec is None:
        return HALF
    base = {d.key: d.base for d in spec.derived}
    return next((f.region_fraction for f in spec.findings if f.key == base.get(key, key)), HALF)


def _finding(
    folder: Path, finding: Mapping[str, Any], shape: tuple[int, int], spec: EngineSpec | None, *, with_map: bool
) -> FindingReading:
    why = finding["explanation"]
    name = None if why is None or not with_map else why["map"]
    native, region = None, None
    if name is not None:
        native = _array(folder, name, ndim=2)
        if native.shape != shape:
            raise _no_array(folder, name, f"{native.shape[0]} x {native.shape[1]}, not {shape[0]} x {shape[1]}")
        native = native.astype(np.float32)
        region = region_at_peak(native, at=peak(native), fraction=_fraction(spec, str(finding["key"])))
    return FindingReading(
        key=str(finding["key"]),
        display=str(finding["display"]),
        probability=float(finding["probability"]),
        logit=float(finding["logit"]),
        positive=bool(finding["positive"]),
        is_localisable=bool(finding["is_localisable"]),
        map_status=finding.get("map_status", "unmeasured"),
        map=native,
        region=region,
    )


def _frame(folder: Path, anatomy: Mapping[str, Any] | None, shape: tuple[int, int]) -> Frame | None:
    if anatomy is None:
        return picture_frame(shape)
    drawn = _array(folder, anatomy["map"], ndim=3)
    if drawn.size == 0:
        raise _no_array(folder, anatomy["map"], "empty")
    return anatomy_frame(drawn.astype(np.float32), shape)


def _no_array(folder: Path, name: str, found: str) -> SettingsError:
    return SettingsError(
        "result_array",
        found=f"{name} of {folder} is {found}",
        expected=f"the array that its {RESULT} names, on the image's own pixels",
        action="Keep a result folder whole, or run `radiolucent analyze` again.",
    )


def _array(folder: Path, name: str, *, ndim: int) -> NDArray[np.floating[Any]]:
    """A finite floating-point array of the result, from inside its own folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise _no_array(folder, name, "outside the folder")
    try:
        loaded = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _no_array(folder, name, f"missing or unreadable ({type(error).__name__})") from error
    if not isinstance(loaded, np.ndarray) or loaded.ndim != ndim or not np.issubdtype(loaded.dtype, np.floating):
        raise _no_array(folder, name, "no array of its kind")
    if not np.isfinite(loaded).all():
        raise _no_array(folder, name, "not finite")
    return loaded
