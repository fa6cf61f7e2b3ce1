"""The pages about a running installation say what the code does."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

import pytest

from radiolucent.pipeline.meters import Levels, Meters
from radiolucent.settings import Settings, read

ROOT = Path(__file__).resolve().parents[2]
CONNECT = (ROOT / "docs" / "connect.md").read_text(encoding="utf-8")
OPERATE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")


def tables() -> list[str]:
    return re.findall(r"^```toml\n(.*?)^```", CONNECT, flags=re.MULTILINE | re.DOTALL)


def test_the_settings_of_the_page_are_those_that_ship_and_load(tmp_path: Path) -> None:
    whole = tables()[0]
    assert (ROOT / "deploy" / "radiolucent.toml").read_text(encoding="utf-8") == whole
    path = tmp_path / "radiolucent.toml"
    path.write_text(whole, encoding="utf-8")
    found = read(path)
    assert [d.name for d in found.destinations] == ["pacs"]
    assert found.data == tmp_path / "data"


@pytest.mark.parametrize("part", tables()[1:])
def test_further_rows_of_the_page_are_rows(part: str) -> None:
    Settings.model_validate(tomllib.loads(part))


def test_every_meter_is_explained() -> None:
    meters = Meters()
    meters.received(1)
    meters.refused("x")
    meters.step("read", 0.1)
    levels = Levels(
        studies={"done": 1},
        deliveries={("pacs", "sent"): 1},
        oldest_waiting_s=0.0,
        disk_free_bytes=1,
        associations=0,
        reader_crashes=0,
    )
    names = set(
        re.findall(
            r"^(radiolucent_[a-z_]+?)(?:_created|_bucket|_count|_sum)?(?:{| )", meters.text(levels).decode(), re.M
        )
    )
    assert len(names) > 8
    assert {name for name in names if f"`{name}" not in OPERATE} == set()


def test_every_command_of_the_pages_exists() -> None:
    from typer.main import get_command

    from radiolucent.cli.main import app

    known = get_command(app)
    for line in re.findall(r"^radiolucent ([a-z][a-z -]*)", CONNECT + OPERATE, flags=re.MULTILINE):
        command = known
        for word in line.split(" -")[0].split():
            found = getattr(command, "commands", {}).get(word)
            if found is None:
                break
            command = found
        assert command is not known, line


def test_the_unit_stops_later_than_the_drain_and_may_write_only_its_own_folder() -> None:
    from radiolucent.wiring.running import DRAIN_S

    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "deploy" / "radiolucent.service")
    service = unit["Service"]
    assert int(service["TimeoutStopSec"]) > DRAIN_S
    assert (service["KillSignal"], service["ProtectSystem"], service["Restart"]) == ("SIGTERM", "strict", "always")
    assert service["StateDirectory"] == "radiolucent"
    assert f"--data /var/lib/{service['StateDirectory']}" in service["ExecStart"]
