"""``python -m training train CONFIG --data DIR --run DIR``, then ``export``: see ``training/README.md``."""

from __future__ import annotations

import argparse
import logging
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
        command.add_argument("--run", type=Path, required=True, help="folder of checkpoints and logs")
        if name == "export":
            command.add_argument("--out", type=Path, required=True, help="folder that gets <engine id>/")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    config = configuration.load(arguments.config)
    if arguments.command == "train":
        from training.train import train

        train(config, arguments.data, arguments.run)
    else:
        from training.export import export

        export(config, arguments.data, arguments.run, arguments.out)


if __name__ == "__main__":
    main()
