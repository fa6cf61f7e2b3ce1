"""``engine.toml`` to `EngineSpec`, with errors that name file, key, found and expected."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Literal, NoReturn, TypeVar, cast

from radiolucent.errors import EngineError
from radiolucent.records.engine import (
    ChannelSpec,
    Code,
    DisplayClass,
    EngineSpec,
    EvidenceLevel,
    FindingSpec,
    InputSpec,
    Population,
)

FORMAT = "radiolucent.engine/1"
T = TypeVar("T")


class Table:
    """A TOML table that knows where it stands, so that every complaint can name the key."""

    def __init__(self, values: Mapping[str, object], where: str) -> None:
        self._values = values
        self._where = where

    def fail(self, key: str, found: object, expected: str) -> NoReturn:
        """Refuse one key."""
        raise EngineError(
            "engine_manifest",
            found=f"{self._where}{key} = {found!r}",
            expected=expected,
            action="Mend engine.toml, or export the package again.",
        )

    def get(self, key: str, kind: type[T]) -> T:
        """A required value of a type; whole numbers serve as floats."""
        value = self._values.get(key)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.fail(key, value, f"a {kind.__name__}")
        return value

    def optional(self, key: str, kind: type[T]) -> T | None:
        """A value of a type, or None where the key is missing."""
        return self.get(key, kind) if key in self._values else None

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        """One of a few words."""
        value = self.get(key, str)
        if value not in allowed:
            self.fail(key, value, "one of " + ", ".join(allowed))
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """A list of strings, empty where missing."""
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(key, value, "a list of strings")
        return tuple(value)

    def pair(self, key: str) -> tuple[float, float]:
        """Two numbers."""
        value = self._values.get(key)
        if not isinstance(value, list) or len(value) != 2 or not all(isinstance(v, int | float) for v in value):
            self.fail(key, value, "two numbers")
        return float(value[0]), float(value[1])

    def table(self, key: str) -> Table:
        """A required sub-table."""
        value = self._values.get(key)
        if not isinstance(value, dict):
            self.fail(key, value, "a table")
        return Table(value, f"{self._where}{key}.")

    def tables(self, key: str) -> list[Table]:
        """A non-empty array of tables."""
        value = self._values.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            self.fail(key, value, "a non-empty array of tables")
        return [Table(item, f"{self._where}{key}[{index}].") for index, item in enumerate(value)]

    def __contains__(self, key: str) -> bool:
        return key in self._values


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
    )


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


def _finding(table: Table) -> FindingSpec:
    code, calibration, metrics = table.table("code"), table.table("calibration"), table.table("metrics")
    calibration.choice("method", ("platt",))
    threshold = table.get("threshold", float)
    if not 0.0 < threshold < 1.0:
        table.fail("threshold", threshold, "a probability between 0 and 1")
    return FindingSpec(
        key=table.get("key", str),
        display=table.get("display", str),
        code=Code(scheme=code.get("scheme", str), value=code.get("value", str), meaning=code.get("meaning", str)),
        rank=table.get("rank", int),
        critical=table.get("critical", bool),
        is_localisable=table.choice("kind", ("localisable", "diffuse")) == "localisable",
        expected_regions=table.words("expected_regions"),
        display_class=cast(DisplayClass, table.choice("display_class", ("locate", "notify-only"))),
        bias=table.get("bias", float),
        calibration=(calibration.get("slope", float), calibration.get("intercept", float)),
        threshold=threshold,
        map_scale=table.get("map_scale", float),
        region_fraction=table.get("region_fraction", float),
        evidence_level=cast(EvidenceLevel, table.choice("evidence_level", ("adequate", "limited", "insufficient"))),
        test_positives=metrics.get("test_positives", int),
        sensitivity=metrics.optional("sensitivity", float),
        specificity=metrics.optional("specificity", float),
        ppv=metrics.optional("ppv", float),
    )
