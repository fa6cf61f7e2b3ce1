"""The committed build is what its sources give."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from radiolucent.web.page import BUILT

pytestmark = pytest.mark.peers
FRONTEND = Path(__file__).parents[2] / "frontend"


def run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240, check=False, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_committed_build_is_current(tmp_path):
    source = tmp_path / "frontend"
    shutil.copytree(FRONTEND, source, ignore=shutil.ignore_patterns("node_modules"))
    run("npm", "ci", "--no-audit", "--no-fund", cwd=source)

    run("npm", "run", "check", cwd=source)
    run("node", "build.mjs", str(tmp_path / "built"), cwd=source)

    built = {path.name: path.read_bytes() for path in (tmp_path / "built").iterdir()}
    assert built == {path.name: path.read_bytes() for path in BUILT.iterdir()}
