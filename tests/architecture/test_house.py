"""The house keeps its shape: imports, types, style, and what the documents promise."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "radiolucent"


def _run(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_go_one_way() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([tool], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_are_strict() -> None:
    _run("mypy")


def test_style_holds() -> None:
    _run("ruff", "check", ".")
    _run("ruff", "format", "--check", ".")


def test_no_two_test_files_have_one_name() -> None:
    """Folders of tests are no packages, so pytest takes two files of one name for one module."""
    names = [p.name for p in (ROOT / "tests").rglob("test_*.py") if "training" not in p.parts]
    assert len(names) > 100
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_every_room_is_in_the_architecture_page() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = [p.name for p in SOURCE.iterdir() if p.is_dir() and (p / "__init__.py").exists()]
    assert rooms
    assert [r for r in rooms if f"`{r}/`" not in page] == []


def test_no_empty_rooms() -> None:
    for room in (p for p in SOURCE.iterdir() if (p / "__init__.py").exists()):
        assert [f for f in room.rglob("*.py") if f.name != "__init__.py"], room


RAISED = re.compile(
    r"(?:InputRefused|EngineError|SettingsError|PeerUnavailable|PeerRefused|InvariantBroken|refused|_refuse)"
    r'\(\s*"([a-z0-9_]+)"|(?<![_a-z])code="([a-z0-9_]+)"'
)


FHIR_INTERACTIONS = {"create", "read", "update", "delete", "search"}


def _codes_in_source() -> set[str]:
    texts = (path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    return {one or other for text in texts for one, other in RAISED.findall(text)} - FHIR_INTERACTIONS


def test_every_error_code_is_documented() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([a-z0-9_]+)` \|", page, flags=re.MULTILINE))
    codes = _codes_in_source()
    assert len(codes) > 20
    assert codes - documented == set(), "not in docs/errors.md"
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    assert {code for code in documented - codes if f'"{code}"' not in source} == set(), "in docs/errors.md only"


def test_the_runtime_has_no_torch() -> None:
    needs = metadata.requires("radiolucent") or []
    runtime = [n for n in needs if "extra ==" not in n]
    assert runtime
    assert not [n for n in runtime if n.startswith(("torch", "timm", "onnx>", "onnx="))]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_modules_are_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
