"""A TOML table that knows where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NoReturn, TypeVar

from radiolucent.errors import EngineError

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

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values
