"""``engine.toml`` to `EngineSpec`, with errors that name file, key, found and expected."""

from __future__ import annotations

import tomllib
from typing import Literal, cast

from radiolucent.engines.table import Table
from radiolucent.errors import EngineError
from radiolucent.records.engine import (
    Anatomy,
    ChannelSpec,
    Code,
    ContentGuard,
    DerivedSpec,
    DisplayClass,
    EngineSpec,
    EvidenceLevel,
    FindingSpec,
    GuardAction,
    InputSpec,
    MapStatus,
    OperatingPoint,
    Population,
    Rule,
)

FORMAT = "radiolucent.engine/1"
MAPS = ("validated", "not_validated", "unmeasured")
RULES = ("cardiothoracic_ratio", "mediastinal_width", "tension", "acute_edema", "traumatic")
LEVELS = ("adequate", "limited", "insufficient", "untested")


def parse(text: bytes) -> EngineSpec:
    """Read and check a manifest.

    Raises
    ------
    EngineError
        ``engine_manifest``, naming the key, what was found and what was expected.
    """
    try:
        root = Table(tomllib.loads(text.decode("utf-8")), "engine.toml: ")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise EngineError(
            "engine_manifest",
            found=f"engine.toml that is not TOML ({error})",
            expected="TOML 1.0 in UTF-8",
            action="Mend engine.toml, or export the package again.",
        ) from error
    root.choice("format", (FORMAT,))
    findings = tuple(_finding(t) for t in root.tables("findings"))
    if len({f.key for f in findings}) != len(findings):
        root.fail("findings", [f.key for f in findings], "each key once")
    if not set(root.words("exclusive")) <= {f.key for f in findings}:
        root.fail("exclusive", root.words("exclusive"), "keys of findings")
    return EngineSpec(
        id=root.get("id", str),
        title=root.get("title", str),
        version=root.get("version", str),
        license=root.get("license", str),
        method=root.get("method", str),
        zones=cast(Literal["chest", "head", "image"], root.choice("zones", ("chest", "head", "image"))),
        device_uid=root.get("device_uid", str),
        sha256=root.table("graph").get("sha256", str),
        population=_population(root.table("population")),
        input=_input(root.table("input")),
        findings=findings,
        training_summary=root.table("training").get("summary", str),
        anatomy=_anatomy(root.table("anatomy")) if "anatomy" in root else None,
        derived=tuple(_derived(t, findings) for t in root.tables("derived")) if "derived" in root else (),
        content_guards=tuple(_guard(t) for t in root.tables("guards")) if "guards" in root else (),
        novelty_limit=root.optional("novelty_limit", float),
        exclusive=root.words("exclusive"),
    )


def _anatomy(table: Table) -> Anatomy:
    groups = table.table("groups") if "groups" in table else None
    anatomy = Anatomy(
        regions=table.words("regions"),
        groups={} if groups is None else {name: groups.words(name) for name in groups},
        margin=table.get("margin", int),
    )
    unknown = {name for members in anatomy.groups.values() for name in members} - set(anatomy.regions)
    if unknown or not anatomy.regions:
        table.fail("groups", sorted(unknown), "names of regions")
    return anatomy


def _guard(table: Table) -> ContentGuard:
    return ContentGuard(
        name=table.get("name", str),
        threshold=table.get("threshold", float),
        action=cast(GuardAction, table.choice("action", ("refuse", "flag"))),
        found=table.get("found", str),
        expected=table.get("expected", str),
    )


def _derived(table: Table, findings: tuple[FindingSpec, ...]) -> DerivedSpec:
    calibration = table.table("calibration")
    base = table.optional("base", str)
    keys = {f.key for f in findings}
    if base is not None and base not in keys:
        table.fail("base", base, "the key of a trained finding")
    if table.get("key", str) in keys:
        table.fail("key", table.get("key", str), "a key that no trained finding has")
    return DerivedSpec(
        key=table.get("key", str),
        display=table.get("display", str),
        code=_code(table),
        rank=table.get("rank", int),
        critical=table.get("critical", bool),
        rule=cast(Rule, table.choice("rule", RULES)),
        base=base,
        calibration=(calibration.get("slope", float), calibration.get("intercept", float)),
        threshold=_threshold(table),
        evidence_level=cast(EvidenceLevel, table.choice("evidence_level", LEVELS)),
        test_positives=table.optional("test_positives", int) or 0,
    )


def _code(table: Table) -> Code:
    code = table.table("code")
    return Code(scheme=code.get("scheme", str), value=code.get("value", str), meaning=code.get("meaning", str))


def _threshold(table: Table) -> float:
    threshold = table.get("threshold", float)
    if not 0.0 < threshold < 1.0:
        table.fail("threshold", threshold, "a probability between 0 and 1")
    return threshold


def _population(table: Table) -> Population:
    return Population(
        modalities=table.words("modalities"),
        body_parts=table.words("body_parts"),
        views=table.words("views"),
        min_age_years=table.optional("min_age_years", float),
        max_age_years=table.optional("max_age_years", float),
        intended_use=table.get("intended_use", str),
    )


def _input(table: Table) -> InputSpec:
    return InputSpec(
        rows=table.get("rows", int),
        columns=table.get("columns", int),
        mean=table.get("mean", float),
        std=table.get("std", float),
        channels=tuple(
            ChannelSpec(
                source=cast(Literal["voi", "hu_window"], t.choice("source", ("voi", "hu_window"))),
                centre=t.optional("centre", float),
                width=t.optional("width", float),
                stretch=t.pair("stretch") if "stretch" in t else None,
            )
            for t in table.tables("channels")
        ),
    )


def _point(table: Table) -> OperatingPoint:
    return OperatingPoint(
        name=table.get("name", str),
        threshold=_threshold(table),
        sensitivity=table.optional("sensitivity", float),
        specificity=table.optional("specificity", float),
        ppv=table.optional("ppv", float),
    )


def _finding(table: Table) -> FindingSpec:
    calibration, metrics = table.table("calibration"), table.table("metrics")
    calibration.choice("method", ("platt", "none"))
    return FindingSpec(
        key=table.get("key", str),
        display=table.get("display", str),
        code=_code(table),
        rank=table.get("rank", int),
        critical=table.get("critical", bool),
        is_localisable=table.choice("kind", ("localisable", "diffuse")) == "localisable",
        expected_regions=table.words("expected_regions"),
        display_class=cast(DisplayClass, table.choice("display_class", ("locate", "notify-only"))),
        bias=table.get("bias", float),
        calibration=(calibration.get("slope", float), calibration.get("intercept", float)),
        threshold=_threshold(table),
        map_scale=table.get("map_scale", float),
        region_fraction=table.get("region_fraction", float),
        evidence_level=cast(EvidenceLevel, table.choice("evidence_level", LEVELS)),
        test_positives=metrics.get("test_positives", int),
        sensitivity=metrics.optional("sensitivity", float),
        specificity=metrics.optional("specificity", float),
        ppv=metrics.optional("ppv", float),
        auc=metrics.optional("auc", float),
        hit_rate=metrics.optional("hit_rate", float),
        map_status=cast(MapStatus, table.choice("map_status", MAPS)) if "map_status" in table else "unmeasured",
        operating_points=tuple(_point(t) for t in table.tables("operating_points"))
        if "operating_points" in table
        else (),
        uncertain=table.pair("uncertain") if "uncertain" in table else None,
    )
