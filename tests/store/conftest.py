"""Every test of the store runs on SQLite, and on a PostgreSQL of its own where the `peers` are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import postgres_server
import pytest

from radiolucent.store.database import Database

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.peers)]


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Server]:
    if not postgres_server.is_installed():
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    with postgres_server.running() as server:
        yield server


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite'}"
    return request.getfixturevalue("postgres").new_database()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()
