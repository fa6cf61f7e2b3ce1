"""The one place where what pydicom, its codecs and Pillow raise or warn becomes a refusal.

Decoding runs in a thread pool and `warnings.catch_warnings` swaps a process-wide list, so two threads leaving it in
the wrong order would undo each other. `QUIET` instead counts its users: the first one in installs a filter for
warnings *raised from* ``pydicom`` and ``PIL`` and turns off pydicom's value validation (whose texts quote header
values), the last one out takes both away. Python code elsewhere keeps its own warnings.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

from pydicom import config

from radiolucent.errors import InputRefused

T = TypeVar("T")


class Quiet:
    """Re-entrant, thread-safe containment of reader warnings; use as a context manager."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._filter: object = None
        self._mode = config.WARN

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._mode = config.settings.reading_validation_mode
                config.settings.reading_validation_mode = config.IGNORE
            if self._filter is None or self._filter not in warnings.filters:
                warnings.filterwarnings("ignore", module=r"(pydicom|PIL)(\.|$)")
                self._filter = warnings.filters[0]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with self._lock:
            self._users -= 1
            if self._users:
                return
            config.settings.reading_validation_mode = self._mode
            if isinstance(warnings.filters, list) and self._filter in warnings.filters:
                warnings.filters.remove(self._filter)
            self._filter = None


QUIET = Quiet()


def refused(code: str, *, found: str, expected: str, action: str) -> InputRefused:
    """An `InputRefused`; texts must be our own words, numbers or UIDs of the standard, never header text."""
    return InputRefused(code, found=found, expected=expected, action=action)


def too_deeply_nested(limit: int | None = None) -> InputRefused:
    """Refusal of sequences within sequences beyond any use."""
    return refused(
        "too_deeply_nested",
        found="sequences nested deeper than " + (str(limit) if limit else "can be read"),
        expected="the few levels the standard uses",
        action="Export the image again.",
    )


def _is_recursion(error: BaseException | None) -> bool:
    seen = 0
    while error is not None and seen < 100:
        if isinstance(error, RecursionError):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False


@contextmanager
def refusing(refusal: Callable[[], InputRefused]) -> Iterator[None]:
    """Run third-party reading code; whatever it raises becomes ``refusal()``.

    The original exception is dropped (``from None``) because its text may quote the header.
    """
    outcome: InputRefused
    with QUIET:
        try:
            yield
            return
        except InputRefused:
            raise
        except MemoryError:
            outcome = refused(
                "image_too_large",
                found="an image that does not fit into memory",
                expected="an image this computer can hold",
                action="Read it on a computer with more memory.",
            )
        except Exception as error:  # noqa: BLE001 - codecs and parsers raise anything; the boundary of this package
            outcome = too_deeply_nested() if _is_recursion(error) else refusal()
        except BaseException as error:
            # A codec written in Rust that panics raises this; it is no Exception, so that nobody takes it for one.
            if type(error).__name__ != "PanicException":
                raise
            outcome = refusal()
    raise outcome from None


def tolerant(read: Callable[[], T]) -> T | None:
    """``read()``, or ``None`` if the element cannot be converted; recursion is still refused."""
    try:
        with refusing(lambda: refused("unreadable_element", found="a bad element", expected="a value", action="")):
            return read()
    except InputRefused as refusal:
        if refusal.code == "unreadable_element":
            return None
        raise
