"""Node, Chromium and the packages of the page; `make test-peers` installs them, and a missing one fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FRONTEND = Path(__file__).parents[2] / "frontend"
DESCRIPTION = FRONTEND.parent / "docs" / "openapi.json"
NEEDED = ("node", "npm", "chromium")
Node = Callable[..., dict[str, Any]]


def run(*command: str, cwd: Path) -> str:
    """What a command prints; fails with all it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=280, check=False, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources with what the lock file names, so that nobody's own ``node_modules`` is looked at."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.fail(f"not installed: {', '.join(missing)}; see tests/peers/install.sh")
    copy = tmp_path_factory.mktemp("page") / "frontend"
    shutil.copytree(FRONTEND, copy, ignore=shutil.ignore_patterns("node_modules"))
    (copy.parent / "docs").mkdir()
    shutil.copy(DESCRIPTION, copy.parent / "docs")
    run("npm", "ci", "--no-audit", "--no-fund", cwd=copy)
    return copy


@pytest.fixture(scope="session")
def node(frontend: Path) -> Node:
    """Runs a browser script of `frontend/browser` and reads the JSON it ends with."""

    def script(name: str, **given: object) -> dict[str, Any]:
        words = [word for key, value in given.items() for word in (f"--{key}", str(value))]
        said = run("node", f"browser/{name}.mjs", *words, cwd=frontend)
        found: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
        return found

    return script
