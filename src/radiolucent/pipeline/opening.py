"""First stage: from an offered file to a header, an engine, and the guards that need no pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from radiolucent.engines.routing import check_engine, route
from radiolucent.errors import InputRefused
from radiolucent.ingest.content import stem_of
from radiolucent.judge.guards import population_guards, silent_facts
from radiolucent.pipeline.options import Options
from radiolucent.pipeline.work import Opened, Refused
from radiolucent.prepare.facts import facts
from radiolucent.prepare.header import Instance, read_header
from radiolucent.records.engine import EngineSpec
from radiolucent.records.image import ImageFacts, Refusal, SourceFile
from radiolucent.records.result import Reason


def open_file(offered: SourceFile | Refusal, *, specs: Sequence[EngineSpec], options: Options) -> Opened | Refused:
    """Read what the file says of itself and choose its engine; a refusal is a value, never an exception."""
    if isinstance(offered, Refusal):
        reason = Reason(code=offered.code, text=offered.text)
        return Refused(label=offered.label, stem=offered.stem, sha256=offered.sha256, reason=reason)
    instance: Instance | None = None
    said: ImageFacts | None = None
    spec: EngineSpec | None = None
    try:
        instance = read_header(offered.path) if offered.kind == "dicom" else None
        said = frame_facts(offered, instance, options=options)
        spec = _engine(said, specs, options)
        flags = _guard(said, spec, options)
    except InputRefused as error:
        reason = Reason(code=error.code, text=error.text)
    except Exception as error:  # noqa: BLE001  one bad file never stops the rest
        reason = defect(error)
    else:
        return Opened(file=offered, instance=instance, facts=said, spec=spec, flags=flags)
    return refusal_of(reason, offered, instance=instance, facts=said, spec=spec)


def defect(error: Exception) -> Reason:
    """A defect of ours as a reason; its message may quote the header, so only its type is told."""
    return Reason(code="internal_error", text=f"Radiolucent failed on this image ({type(error).__name__}). Report it.")


def refusal_of(
    reason: Reason,
    file: SourceFile,
    *,
    instance: Instance | None,
    facts: ImageFacts | None,
    spec: EngineSpec | None,
) -> Refused:
    """A refused file as a value."""
    return Refused(
        label=file.label,
        stem=stem_of(file.label),
        sha256=file.sha256,
        reason=reason,
        facts=facts,
        spec=spec,
        header=None if instance is None else instance.dataset,
    )


def frame_facts(file: SourceFile, instance: Instance | None, *, options: Options, frame_number: int = 1) -> ImageFacts:
    """What is known of a frame before its pixels are read; age and sex as told on the command line win."""
    stem = stem_of(file.label)
    if instance is None:
        return ImageFacts(
            stem=stem, source_sha256=file.sha256, rows=0, columns=0, age_years=options.age_years, sex=options.sex
        )
    said = facts(instance.dataset, stem=stem, sha256=file.sha256, frame_number=frame_number)
    age = said.age_years if options.age_years is None else options.age_years
    return replace(said, age_years=age, sex=options.sex or said.sex)


def _engine(facts: ImageFacts, specs: Sequence[EngineSpec], options: Options) -> EngineSpec:
    if options.engine is not None:
        named = next(s for s in specs if s.id == options.engine)
        check_engine(facts, named)
        return named
    if facts.sop_instance_uid is None:
        raise InputRefused(
            "engine_needed",
            found="a picture, which says nothing of modality or body part",
            expected="--engine with a picture",
            action="Name the engine that was made for it; see `radiolucent engines list`.",
        )
    return route(facts, specs)


def _guard(facts: ImageFacts, spec: EngineSpec, options: Options) -> tuple[str, ...]:
    guards = population_guards(facts, spec)
    if guards and options.guards == "refuse":
        raise guards[0]
    return (*(g.code for g in guards), *silent_facts(facts, spec))
