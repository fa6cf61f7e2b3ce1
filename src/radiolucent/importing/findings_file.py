"""Reading the findings file: what each class of a network means; torch-free. ``docs/import.md`` shows one in full."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Literal, cast

from radiolucent.engines.table import Table
from radiolucent.errors import EngineError
from radiolucent.importing.plan import Plan, PlannedFinding, PlannedInput
from radiolucent.records.engine import Code, Population

FORMAT = "radiolucent.import/1"
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
MAX_SIZE = 4096


def read(path: Path) -> Plan:
    """Read and check a findings file.

    Raises
    ------
    EngineError
        ``import_findings``, naming the key, what was found and what was expected.
    """
    try:
        root = Table(tomllib.loads(path.read_text(encoding="utf-8")), f"{path.name}: ")
        return _plan(root)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refused(f"{path.name}, which cannot be read ({error})", "TOML 1.0 in UTF-8") from error
    except EngineError as error:
        raise _refused(error.found, error.expected) from error


def _refused(found: str, expected: str) -> EngineError:
    return EngineError(
        "import_findings",
        found=found,
        expected=expected,
        action="Mend the findings file; docs/import.md shows one in full.",
    )


def _plan(root: Table) -> Plan:
    root.choice("format", (FORMAT,))
    if not ID.fullmatch(root.get("id", str)):
        root.fail("id", root.get("id", str), "lower case letters, digits and hyphens")
    if root.get("activation", str) != "sigmoid":
        root.fail(
            "activation",
            root.get("activation", str),
            '"sigmoid": each class by itself (a softmax over classes gives no probability of one finding here)',
        )
    classes = tuple(_class(t) for t in root.tables("findings"))
    keys = [f.key for f in classes if f is not None]
    if not keys or len(set(keys)) != len(keys):
        root.fail("findings", keys, "at least one class that is not skipped, and each key once")
    return Plan(
        id=root.get("id", str),
        title=root.get("title", str),
        version=root.optional("version", str) or "1.0.0",
        license=root.get("license", str),
        zones=cast(Literal["chest", "head", "image"], root.choice("zones", ("chest", "head", "image"))),
        population=_population(root.table("population")),
        input=_input(root.table("input")),
        classes=classes,
        notes=root.words("notes"),
        limits=root.words("limits"),
    )


def _population(table: Table) -> Population:
    population = Population(
        modalities=table.words("modalities"),
        body_parts=table.words("body_parts"),
        views=table.words("views"),
        min_age_years=table.optional("min_age_years", float),
        max_age_years=table.optional("max_age_years", float),
        intended_use=table.get("intended_use", str),
    )
    for name in ("modalities", "body_parts"):
        if not table.words(name):
            table.fail(name, [], "at least one; routing goes by it")
    return population


def _numbers(table: Table, key: str) -> tuple[float, ...]:
    values = table.get(key, object)
    listed = values if isinstance(values, list) else [values]
    numbers = [float(v) for v in listed if isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e9]
    if len(listed) not in (1, 3) or len(numbers) != len(listed):
        table.fail(key, values, "one number, or one for each of three channels")
    return tuple(numbers)


def _input(table: Table) -> PlannedInput:
    size = table.get("size", int)
    if not 16 <= size <= MAX_SIZE:
        table.fail("size", size, f"pixels a side, from 16 to {MAX_SIZE}")
    count = table.optional("channels", int) or len(_numbers(table, "mean"))
    if count not in (1, 3):
        table.fail("channels", count, "1 or 3")
    means, stds = (_spread(table, key, count) for key in ("mean", "std"))
    if min(stds) <= 0:
        table.fail("std", list(stds), "numbers over 0")
    channel: dict[str, object] = {"source": "voi"}
    if "window" in table:
        centre, width = table.pair("window")
        channel = {"source": "hu_window", "centre": centre, "width": width}
    if "stretch" in table:
        channel["stretch"] = list(table.pair("stretch"))
    return PlannedInput(size=size, means=means, stds=stds, channel=channel)


def _spread(table: Table, key: str, count: int) -> tuple[float, ...]:
    values = _numbers(table, key)
    if len(values) not in (1, count):
        table.fail(key, list(values), f"one number, or {count}")
    return values if len(values) == count else values * count


def _class(table: Table) -> PlannedFinding | None:
    if table.optional("skip", bool):
        return None
    code = table.get("code", object)
    if not isinstance(code, list) or len(code) != 3 or not all(isinstance(part, str) and part for part in code):
        table.fail("code", code, "scheme, value and meaning, three strings")
    threshold = table.optional("threshold", float)
    if threshold is not None and not 0.0 < threshold < 1.0:
        table.fail("threshold", threshold, "a probability between 0 and 1")
    return PlannedFinding(
        key=table.get("key", str),
        display=table.get("display", str),
        code=Code(scheme=code[0], value=code[1], meaning=code[2]),
        rank=table.get("rank", int),
        critical=table.get("critical", bool),
        kind=cast(Literal["localisable", "diffuse"], table.choice("kind", ("localisable", "diffuse"))),
        expected_regions=table.words("expected_regions"),
        threshold=threshold,
    )
