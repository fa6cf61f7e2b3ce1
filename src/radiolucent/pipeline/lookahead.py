"""Run a function a few items ahead of whoever reads its results, in order, with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def lookahead(pool: Executor, function: Callable[[A], B], items: Iterable[A], *, ahead: int) -> Iterator[B]:
    """Yield ``function(item)`` in order while at most ``ahead`` further items are under way or waiting."""
    waiting: deque[Future[B]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
