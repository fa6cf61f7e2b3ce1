"""``python -m training train CONFIG --data DIR --run DIR``, then ``export``: see ``training/README.md``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from training import config as configuration
from training.config import Config

Arguments = argparse.Namespace


def _train(config: Config, told: Arguments) -> None:
    if told.add is not None:
        from training import added

        sources = added.Sources(
            package=told.start, cohort=told.add, boxes=told.boxes, tests=tuple(told.test), members=told.members
        )
        added.train(config, told.data, told.run, sources)
        return
    from training.train import train

    if told.seed is not None:
        config = config.model_copy(update={"train": config.train.model_copy(update={"seed": told.seed})})
    train(config, told.data, told.run)


def _export(config: Config, told: Arguments) -> None:
    from training.export import export

    export(config, told.data, told.run, told.out)


def _truth(config: Config, told: Arguments) -> None:
    from training import truth

    truth.write(config, truth.parts_of(config, told.data), told.out)


def _cohort(config: Config, told: Arguments) -> None:
    from training import cohort

    cohort.write(config, told.data, told.out)
    if told.package is not None:
        cohort.write_split(config, told.data, told.package)


def _change(config: Config, told: Arguments) -> None:
    from training.change import report

    sys.stdout.write(report(config, told.data, told.engine, limit=told.limit) + "\n")


def _ablate(config: Config, told: Arguments) -> None:
    from training.ablate import Budget, ablate

    budget = Budget(size=told.size, epochs=told.epochs, limit=told.limit)
    sys.stdout.write(ablate(config, told.data, told.run, budget, only=told.only) + "\n")


COMMANDS: dict[str, tuple[Callable[[Config, Arguments], None], str]] = {
    "train": (_train, "fit a network"),
    "export": (_export, "write the engine package of a trained run"),
    "truth": (_truth, "write the truth table that `radiolucent engines evaluate` reads"),
    "cohort": (_cohort, "write every image of the domain as a table for `radiolucent validate`"),
    "change": (_change, "measure how far a comparison with a prior can be trusted"),
    "ablate": (_ablate, "short trainings that differ in one thing each, read on validation"),
}


def arguments() -> argparse.ArgumentParser:
    """What each command takes."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    of = {name: commands.add_parser(name, help=text) for name, (_, text) in COMMANDS.items()}
    for command in of.values():
        command.add_argument("config", type=Path)
        command.add_argument("--data", type=Path, required=True, help="folder of the curated images")
    for name in ("train", "ablate"):
        of[name].add_argument("--run", type=Path, required=True, help="folder of checkpoints and logs")
    of["train"].add_argument("--seed", type=int, help="of everything that is drawn; the configuration's if left out")
    of["train"].add_argument("--add", type=Path, help="table of a cohort, as for `radiolucent validate`: learn it too")
    of["train"].add_argument("--boxes", type=Path, help="boxes of the added cohort")
    of["train"].add_argument("--start", type=Path, help="engine package to start from, with --add")
    of["train"].add_argument("--members", type=int, help="teach only so many of the package's networks, with --add")
    tests = "tables that the variant will be measured on: no group and no image of theirs is learnt"
    of["train"].add_argument("--test", type=Path, nargs="+", default=[], help=tests)
    several = "folder of a trained run, or after it of an exported package; of several the mean is shipped"
    of["export"].add_argument("--run", type=Path, required=True, nargs="+", help=several)
    of["export"].add_argument("--out", type=Path, required=True, help="folder that gets <engine id>/")
    of["truth"].add_argument("--out", type=Path, required=True, help="folder of truth.csv, boxes.csv and baselines")
    of["cohort"].add_argument("--out", type=Path, required=True, help="folder of cohort.csv and boxes.csv")
    of["cohort"].add_argument("--package", type=Path, help="also write split.csv into this engine package")
    of["change"].add_argument("--engine", type=Path, required=True, help="engine package to run")
    of["change"].add_argument("--limit", type=int, default=200, help="pictures in the repeatability part")
    of["ablate"].add_argument("--size", type=int, default=160, help="side of the input in pixels")
    of["ablate"].add_argument("--epochs", type=int, default=4)
    of["ablate"].add_argument("--limit", type=int, default=1500, help="training images, about")
    of["ablate"].add_argument("--only", nargs="+", help="variants whose names hold one of these words")
    return parser


def main() -> None:
    """Entry point."""
    told = arguments().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    COMMANDS[told.command][0](configuration.load(told.config), told)


if __name__ == "__main__":
    main()
