"""The committed build is what its sources give."""

from pathlib import Path

import pytest
from browser.conftest import run

from radiolucent.web.page import BUILT

pytestmark = pytest.mark.peers


def test_the_committed_build_is_current(frontend: Path, tmp_path: Path) -> None:
    run("npm", "run", "check", cwd=frontend)
    run("node", "build.mjs", str(tmp_path / "built"), cwd=frontend)

    built = {path.name: path.read_bytes() for path in (tmp_path / "built").iterdir()}
    assert built == {path.name: path.read_bytes() for path in BUILT.iterdir()}
