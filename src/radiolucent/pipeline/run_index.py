"""``index.html`` of a run, written as images are done."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import TracebackType

from radiolucent.pipeline.finishing import Finished
from radiolucent.report.html import index_head, index_row, index_tail, row_of

TITLE = "Radiolucent results"


class RunIndex:
    """A page with one row per image; it appears under its name when the run ends, whole."""

    def __init__(self, out: Path) -> None:
        self._partial, self._target = out / ".partial-index.html", out / "index.html"
        self._counts: Counter[str] = Counter()

    def __enter__(self) -> RunIndex:
        self._stream = self._partial.open("w", encoding="utf-8")
        self._stream.write(index_head(TITLE))
        return self

    def add(self, done: Finished) -> None:
        """One row."""
        row = row_of(done.result, label=done.label, href=f"{done.folder}/report.html")
        self._counts[row.state] += 1
        self._stream.write(index_row(row))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.write(index_tail(self._counts))
        self._stream.close()
        self._partial.replace(self._target)
