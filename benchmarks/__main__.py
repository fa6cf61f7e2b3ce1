"""``python -m benchmarks``: every comparison in one run. No number passes or fails; see ``benchmarks/README.md``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import machine
from benchmarks.tables import Table

NAMES = ("graph", "libraries", "whole_file", "memory", "receiving", "stat")


def _chosen(name: str, runs: int, files: int) -> Callable[[], list[Table]]:
    """Import only what runs: `libraries` needs packages that the others do not."""
    if name == "graph":
        from benchmarks import graph

        return lambda: graph.run(runs)
    if name == "libraries":
        from benchmarks import libraries

        return lambda: libraries.run(runs)
    if name == "whole_file":
        from benchmarks import whole_file

        return lambda: whole_file.run(runs)
    if name == "receiving":
        from benchmarks import receiving

        return lambda: receiving.run(runs)
    if name == "stat":
        from benchmarks import stat

        return lambda: stat.run(runs)
    from benchmarks import memory

    return lambda: memory.run(files)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="rounds of each comparison")
    parser.add_argument("--files", type=int, default=5000, help="files of the memory run")
    parser.add_argument("--only", choices=NAMES, action="append", help="one benchmark; may be given again")
    parser.add_argument("--json", type=Path, help="also write all numbers to this file")
    arguments = parser.parse_args()
    described = machine.describe()
    print("```json\n" + json.dumps(described, indent=1) + "\n```\n", flush=True)
    report: dict[str, object] = {"command": " ".join(sys.argv[1:]), "machine": described}
    for name in arguments.only or NAMES:
        before = machine.load()
        tables = _chosen(name, arguments.runs, arguments.files)()
        report[name] = {"load_average_before": before, "tables": [table.plain() for table in tables]}
        print(f"## {name} (load average before: {before})\n")
        for table in tables:
            print(table.markdown(), flush=True)
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
