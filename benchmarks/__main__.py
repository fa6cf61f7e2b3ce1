"""``python -m benchmarks``: every comparison in one run. No number passes or fails; see ``benchmarks/README.md``."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import machine
from benchmarks.tables import Table

PARTS = {
    "graph": ("graph", "run", "runs"),
    "libraries": ("libraries", "run", "runs"),
    "whole_file": ("whole_file", "run", "runs"),
    "memory": ("memory", "run", "files"),
    "receiving": ("receiving", "run", "runs"),
    "door": ("door", "run", "runs"),
    "associations": ("associations", "run", "associations"),
    "stat": ("stat", "run", "runs"),
    "sustained": ("sustained", "run", "studies"),
    "workers": ("sustained", "workers", "shared"),
    "page": ("page", "run", "runs"),
    "validating": ("validating", "run", "images"),
    "crews": ("crews", "run", "images"),
    "figures": ("figures", "run", "images"),
}
"""By name: module, function, and the option that says how much."""


def _measure(name: str, arguments: argparse.Namespace) -> list[Table]:
    """Import only what runs: `libraries` needs packages that the others do not."""
    module, function, option = PARTS[name]
    run: Callable[[object], list[Table]] = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    return run(getattr(arguments, option))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="rounds of each comparison")
    parser.add_argument("--files", type=int, default=5000, help="files of the memory run")
    parser.add_argument("--associations", type=int, default=10_000, help="associations with the DICOM door")
    parser.add_argument("--studies", type=int, default=1000, help="studies of the sustained run")
    parser.add_argument("--shared", type=int, default=90, help="studies for each number of worker processes")
    parser.add_argument("--images", type=Path, help="folder of chest films to validate on; default: phantoms")
    parser.add_argument("--only", choices=list(PARTS), action="append", help="one benchmark; may be given again")
    parser.add_argument("--json", type=Path, help="also write all numbers to this file")
    arguments = parser.parse_args()
    described = machine.describe()
    print("```json\n" + json.dumps(described, indent=1) + "\n```\n", flush=True)
    report: dict[str, object] = {"command": " ".join(sys.argv[1:]), "machine": described}
    for name in arguments.only or PARTS:
        before = machine.load()
        tables = _measure(name, arguments)
        report[name] = {"load_average_before": before, "tables": [table.plain() for table in tables]}
        print(f"## {name} (load average before: {before})\n")
        for table in tables:
            print(table.markdown(), flush=True)
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
