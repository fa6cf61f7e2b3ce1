"""Accounts and tokens from the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from radiolucent.cli.main import app
from radiolucent.errors import InputRefused

RUN = CliRunner()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "radiolucent.toml"
    path.write_text('data = "data"\n[[sites]]\nname = "north"\ncallers = ["CR"]\n', encoding="utf-8")
    return path


def say(config: Path, *words: str) -> Result:
    return RUN.invoke(app, [*words, "--config", str(config)])


def test_accounts(config: Path) -> None:
    made = say(config, "users", "add", "ana", "--role", "radiologist", "--site", "north")
    assert re.search(r"/#/enrol/\S{40,}", made.output)
    assert say(config, "users", "change", "ana", "--role", "senior", "--role", "qa").exit_code == 0
    assert say(config, "users", "disable", "ana").exit_code == 0
    listed = say(config, "users", "list").output
    assert re.search(r"ana +ana +senior, qa +north +disabled", listed)
    wrong = say(config, "users", "change", "ana", "--site", "south")
    assert isinstance(wrong.exception, InputRefused)
    assert wrong.exception.code == "site_unknown"


def test_tokens(config: Path) -> None:
    token = say(config, "tokens", "add", "viewer", "--scope", "dicomweb.read").output.strip()
    assert re.fullmatch(r"rl_\S{40,}", token)
    listed = say(config, "tokens", "list").output
    assert re.search(r"viewer +dicomweb.read +command line +never", listed)
    assert token not in listed
    assert say(config, "tokens", "revoke", "viewer").exit_code == 0
    assert "viewer" not in say(config, "tokens", "list").output
    again = say(config, "tokens", "revoke", "viewer")
    assert isinstance(again.exception, InputRefused)
    assert again.exception.code == "no_such_token"
