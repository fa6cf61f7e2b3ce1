#!/bin/sh
# Lock every dependency, for every platform and Python >= 3.11. Run by `make lock`.
# torch and what it brings are left out of train.txt: the Makefile installs them by their own exact version.
set -eu
cd "$(dirname "$0")/.."
compile() { "$UV" pip compile pyproject.toml --universal --python-version 3.11 --no-header --no-annotate --quiet "$@"; }
compile -o requirements/runtime.txt
compile --extra dev -c requirements/runtime.txt -o requirements/dev.txt
compile --extra dev --extra ray -c requirements/dev.txt -o requirements/ray.txt
compile --extra train --extra bench --extra dev -c requirements/runtime.txt -o requirements/train.all
grep -v -E '^((torch|torchvision|triton)==|(nvidia|cuda)-)' requirements/train.all > requirements/train.txt
rm requirements/train.all
