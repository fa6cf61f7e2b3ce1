"""A benchmark's answer: a title, what was compared, and rows; printed as Markdown, kept as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from benchmarks.timing import Ratio, Spread, Times, paired_ratio, spread

Cell = str | int | float | Spread | Ratio


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under a heading."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """As in the README."""
        lines = [f"### {self.title}", ""]
        lines.append("| " + " | ".join(self.columns) + " |")
        lines.append("|" + "---|" * len(self.columns))
        lines += ["| " + " | ".join(_text(cell) for cell in row) + " |" for row in self.rows]
        if self.notes:
            lines.append("")
            lines += [f"* {note}" for note in self.notes]
        return "\n".join(lines) + "\n"

    def plain(self) -> dict[str, object]:
        """For ``--json``."""
        rows = [[asdict(c) if isinstance(c, Spread | Ratio) else c for c in row] for row in self.rows]
        return {"title": self.title, "columns": list(self.columns), "rows": rows, "notes": self.notes}


def _text(cell: Cell) -> str:
    if isinstance(cell, Spread):
        return f"{cell.median:.1f} ({cell.p95:.1f})"
    if isinstance(cell, Ratio):
        digits = 3 if cell.median < 3 else 1
        return f"{cell.median:.{digits}f} ({cell.low:.{digits}f} to {cell.high:.{digits}f})"
    if isinstance(cell, float):
        return f"{cell:.2f}" if abs(cell) < 10 else f"{cell:.1f}"
    return str(cell)


def against(times: Times, base: str) -> list[tuple[Cell, ...]]:
    """One row per case: name, milliseconds, ratio over ``base``."""
    return [(name, spread(taken), paired_ratio(taken, times[base])) for name, taken in times.items()]
