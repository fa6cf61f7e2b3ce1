"""``python -m training train CONFIG --data DIR --run DIR``, then ``export``: see ``training/README.md``."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from training import config as configuration


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("train", "fit a network"), ("export", "write the engine package of a trained run")):
        command = commands.add_parser(name, help=text)
        command.add_argument("config", type=Path)
        command.add_argument("--data", type=Path, required=True, help="folder of the curated images")
        if name == "export":
            command.add_argument(
                "--run",
                type=Path,
                required=True,
                nargs="+",
                help="folder of a trained run; of several the mean is shipped",
            )
            command.add_argument("--out", type=Path, required=True, help="folder that gets <engine id>/")
        else:
            command.add_argument("--run", type=Path, required=True, help="folder of checkpoints and logs")
            command.add_argument(
                "--seed", type=int, help="of everything that is drawn; the configuration's if left out"
            )
    truth = commands.add_parser("truth", help="write the truth table that `radiolucent engines evaluate` reads")
    truth.add_argument("config", type=Path)
    truth.add_argument("--data", type=Path, required=True, help="folder of the curated images")
    truth.add_argument("--out", type=Path, required=True, help="folder that gets truth.csv, boxes.csv and baselines")
    change = commands.add_parser("change", help="measure how far a comparison with a prior can be trusted")
    change.add_argument("config", type=Path)
    change.add_argument("--data", type=Path, required=True, help="folder of the curated images")
    change.add_argument("--engine", type=Path, required=True, help="engine package to run")
    change.add_argument("--limit", type=int, default=200, help="pictures in the repeatability part")
    parts = commands.add_parser("ablate", help="short trainings that differ in one thing each, read on validation")
    parts.add_argument("config", type=Path)
    parts.add_argument("--data", type=Path, required=True, help="folder of the curated images")
    parts.add_argument("--run", type=Path, required=True, help="folder of checkpoints, logs and figures")
    parts.add_argument("--size", type=int, default=160, help="side of the input in pixels")
    parts.add_argument("--epochs", type=int, default=4)
    parts.add_argument("--limit", type=int, default=1500, help="training images, about")
    parts.add_argument("--only", nargs="+", help="variants whose names hold one of these words")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    config = configuration.load(arguments.config)
    if arguments.command == "train":
        from training.train import train

        if arguments.seed is not None:
            config = config.model_copy(update={"train": config.train.model_copy(update={"seed": arguments.seed})})
        train(config, arguments.data, arguments.run)
    elif arguments.command == "truth":
        from training import truth as table

        table.write(config, table.parts_of(config, arguments.data), arguments.out)
    elif arguments.command == "change":
        from training.change import report

        sys.stdout.write(report(config, arguments.data, arguments.engine, limit=arguments.limit) + "\n")
    elif arguments.command == "ablate":
        from training.ablate import Budget, ablate

        budget = Budget(size=arguments.size, epochs=arguments.epochs, limit=arguments.limit)
        sys.stdout.write(ablate(config, arguments.data, arguments.run, budget, only=arguments.only) + "\n")
    else:
        from training.export import export

        export(config, arguments.data, arguments.run, arguments.out)


if __name__ == "__main__":
    main()
