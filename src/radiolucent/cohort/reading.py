"""Read the cases of a truth table as the pipeline would: decode, prepare, infer, explain, judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from radiolucent.cohort.truth import Case
from radiolucent.engines.checks import Engine
from radiolucent.errors import InputRefused, SettingsError
from radiolucent.explain.anatomy import Drawn, expected_region, measure
from radiolucent.explain.explain import explain
from radiolucent.infer.run import run
from radiolucent.ingest.content import inspect, stem_of
from radiolucent.ingest.limits import Limits
from radiolucent.judge.guards import content_guards, population_guards, silent_facts
from radiolucent.judge.judge import called, judge
from radiolucent.prepare.decode import decode
from radiolucent.prepare.facts import facts
from radiolucent.prepare.header import read_header
from radiolucent.prepare.model_input import model_input
from radiolucent.prepare.picture import decode_picture
from radiolucent.records.engine import EngineSpec
from radiolucent.records.geometry import Geometry
from radiolucent.records.image import DecodedFrame, ImageFacts, Inference, ModelInput, SourceFile
from radiolucent.records.result import Explanation, Finding

BATCH = 16
SHAPE_SLACK = 0.02
"""How far the aspect of a second channel's picture may differ; its size may be another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One case after the forward pass; its pixels are not kept.

    Parameters
    ----------
    brightness
        Mean and standard deviation of the model's input: the features of the brightness baseline.
    flags
        Population flags of a DICOM header, and flags of content guards. A picture's header says nothing, so the
        table vouches for its population.
    refused
        Whether a content guard would have refused the image at run time.
    """

    case: Case
    facts: ImageFacts
    geometry: Geometry
    inference: Inference
    brightness: tuple[float, float]
    flags: tuple[str, ...]
    refused: bool


def decoded(case: Case, path: Path, spec: EngineSpec) -> DecodedFrame:
    """The first frame of a file of a case.

    Raises
    ------
    SettingsError
        ``truth_image``, with the row and the code of the refusal.
    """
    try:
        return first_frame(path, spec)[0]
    except InputRefused as error:
        raise _unreadable(case, error.code) from error


def first_frame(path: Path, spec: EngineSpec) -> tuple[DecodedFrame, Dataset | None]:
    """The first frame of a file, decoded as for any image, and its header; a picture has none.

    Raises
    ------
    InputRefused
        Whatever the flow refuses, with its code.
    """
    offered = inspect(path, path.name, Limits())
    if not isinstance(offered, SourceFile):
        raise InputRefused(
            "not_dicom" if offered is None else offered.code,
            found="a file that is no image",
            expected="a DICOM image or a picture",
            action="See docs/errors.md for the code.",
        )
    if offered.kind == "picture":
        frame = decode_picture(
            offered, stem=stem_of(offered.label), patient_left_at="right" if spec.zones == "chest" else None
        )
        return frame, None
    instance = read_header(path)
    said = facts(instance.dataset, stem=stem_of(offered.label), sha256=offered.sha256, frame_number=1)
    return decode(instance, facts=said), instance.dataset


def _unreadable(case: Case, code: str) -> SettingsError:
    return SettingsError(
        "truth_image",
        found=f"an image that is refused ({code}) in row {case.row}",
        expected="an image that the engine can read",
        action="Mend the image or take the row out; see docs/errors.md for the code.",
    )


def prepared(case: Case, spec: EngineSpec) -> tuple[DecodedFrame, ModelInput]:
    """A case's frame and the engine's input, by the code that runs on any image; two pictures fill two channels."""
    frame = decoded(case, case.image, spec)
    made = model_input(frame, spec.input)
    try:
        add_second(made, frame, case, spec)
    except InputRefused as error:
        raise _unreadable(case, error.code) from error
    return frame, made


def add_second(made: ModelInput, frame: DecodedFrame, case: Case, spec: EngineSpec) -> None:
    """Fill the second channel with the case's second picture, where it has one.

    Raises
    ------
    InputRefused
        ``second_shape`` for a picture of another shape; whatever the flow refuses.
    """
    if case.second is None:
        return
    other, _ = first_frame(case.second, spec)
    (rows, columns), (others, across) = frame.display.shape, other.display.shape
    if abs(rows * across - others * columns) > SHAPE_SLACK * rows * across:
        raise InputRefused(
            "second_shape",
            found="a second picture of another shape",
            expected="two pictures of one slice",
            action="Mend the column image2.",
        )
    made.array[1] = model_input(other, replace(spec.input, channels=spec.input.channels[1:])).array[0]


def read(
    cases: Sequence[Case], engine: Engine, *, progress: Callable[[int], None] = lambda _: None, batch: int = BATCH
) -> list[Reading]:
    """Run every case through the graph.

    About 0.1 to 0.5 MB stay in memory per case (evidence and anatomy).

    Raises
    ------
    SettingsError
        ``truth_image``.
    """
    done: list[Reading] = []
    for start in range(0, len(cases), batch):
        some = [(case, *prepared(case, engine.spec)) for case in cases[start : start + batch]]
        inferences = run(engine, [made for _, _, made in some])
        for (case, frame, made), inference in zip(some, inferences, strict=True):
            content = content_guards(inference, engine.spec)
            done.append(
                Reading(
                    case=case,
                    facts=frame.facts,
                    geometry=made.geometry,
                    inference=inference,
                    brightness=(float(made.array.mean()), float(made.array.std())),
                    flags=(*population_flags(frame.facts, engine.spec), *content.flags),
                    refused=bool(content.refusals),
                )
            )
        progress(len(some))
    return done


def population_flags(said: ImageFacts, spec: EngineSpec) -> tuple[str, ...]:
    """What a header says, or leaves out, about the engine's population; a picture says nothing and is let pass."""
    if said.sop_instance_uid is None:
        return ()
    return (*(guard.code for guard in population_guards(said, spec)), *silent_facts(said, spec))


def explained(
    reading: Reading,
    wanted: Iterable[int],
    spec: EngineSpec,
    *,
    frame: DecodedFrame | None = None,
    drawn: Drawn | None = None,
) -> dict[int, Explanation]:
    """Explanations of some trained findings; without ``frame`` the image is decoded again, to look for markers."""
    indices = sorted(set(wanted))
    if not indices:
        return {}
    if frame is None:
        frame = decoded(reading.case, reading.case.image, spec)
    display8 = np.rint(frame.display * np.float32(255.0)).astype(np.uint8)
    return explain(
        reading.inference,
        indices,
        engine=spec,
        geometry=reading.geometry,
        facts=reading.facts,
        display8=display8,
        drawn=drawn,
    )


def judged(
    reading: Reading, spec: EngineSpec, *, frame: DecodedFrame | None = None, drawn: Drawn | None = None
) -> dict[str, Finding]:
    """The product's own findings of a case by key, called ones with their maps; maps themselves are dropped.

    ``drawn`` are the regions of the same inference, where they were looked at already.
    """
    regions = drawn or Drawn(reading.inference, spec)
    index = {f.key: k for k, f in enumerate(spec.findings) if f.display_class != "notify-only"}
    base = {f.key: f.key for f in spec.findings} | {d.key: d.base or "" for d in spec.derived}
    measures = measure(reading.inference, spec, facts=reading.facts, drawn=regions)
    keys = called(reading.inference, spec, facts=reading.facts, measures=measures)
    wanted = {key: index[base[key]] for key in keys if base[key] in index}
    made = explained(reading, wanted.values(), spec, frame=frame, drawn=regions)
    findings = judge(
        reading.inference,
        spec,
        facts=reading.facts,
        explanations={key: made[k] for key, k in wanted.items()},
        measures=measures,
        flags=reading.flags,
    ).findings
    return {f.key: f if f.explanation is None else replace(f, explanation=None) for f in findings}


def peak_in_expected(reading: Reading, index: int, at: tuple[int, int], spec: EngineSpec) -> bool | None:
    """Whether source pixel ``at`` lies in the expected region of a finding; ``None`` where it was not drawn."""
    region = expected_region(reading.inference, spec, spec.findings[index].expected_regions)
    if region is None:
        return None
    cells = np.array(region.shape) / np.array(reading.geometry.model_shape)
    centre = reading.geometry.to_model(np.array([at[0] + 0.5, at[1] + 0.5])) * cells
    row, column = np.clip(centre.astype(int), 0, np.array(region.shape) - 1)
    return bool(region[row, column])


def labels_of(readings: Sequence[Reading], key: str) -> NDArray[np.float64]:
    """``[N]`` labels of a finding, ``nan`` unknown."""
    return np.array([r.case.labels.get(key, np.nan) for r in readings], dtype=np.float64)


def groups_of(readings: Sequence[Reading]) -> NDArray[np.str_]:
    """``[N]`` groups."""
    return np.array([r.case.group for r in readings], dtype=np.str_)


def logits_of(readings: Sequence[Reading], index: int) -> NDArray[np.float64]:
    """``[N]`` logits of a trained finding."""
    return np.array([r.inference.logits[index] for r in readings], dtype=np.float64)
