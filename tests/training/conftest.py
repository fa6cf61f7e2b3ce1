"""Training is tested where PyTorch is; elsewhere these files are passed over, and pytest's header says so."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
if str(REPOSITORY) not in sys.path:  # `training` lies at the top of the checkout, not in `src`
    sys.path.insert(0, str(REPOSITORY))

HAS_TRAINING = all(importlib.util.find_spec(name) is not None for name in ("torch", "timm", "sklearn", "pydantic"))
collect_ignore_glob = [] if HAS_TRAINING else ["test_*.py"]


def pytest_report_header() -> str | None:
    return None if HAS_TRAINING else "tests/training passed over: needs requirements/train.txt and torch"


@pytest.fixture(scope="session")
def configs() -> Path:
    """Folder of the shipped training configurations."""
    return REPOSITORY / "training" / "configs"


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Layers as small as those of tests only wait for each other on several threads."""
    import torch  # where it is not, no test of this folder is collected

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
