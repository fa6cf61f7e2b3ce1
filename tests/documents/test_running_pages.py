"""The pages about a running installation say what the code does."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from radiolucent import logs
from radiolucent.pipeline.meters import Levels, Meters
from radiolucent.settings import Settings, read
from radiolucent.store import outbox, schema
from radiolucent.web.app import http_app
from radiolucent.wiring.running import DRAIN_S

ROOT = Path(__file__).resolve().parents[2]
CONNECT = (ROOT / "docs" / "connect.md").read_text(encoding="utf-8")
OPERATE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
CONTAINER = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")


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


def column(head: str) -> list[str]:
    """The code words in the first column of the table of docs/operate.md that begins so."""
    rows = OPERATE.split(f"\n| {head} |")[1].split("\n\n")[0].splitlines()[2:]
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


def test_every_meter_is_explained_and_no_other() -> None:
    meters = Meters()
    meters.received(1)
    meters.refused("x")
    meters.step("read", 0.1)
    meters.broke_glass()
    meters.drift = {"an engine: what": 0.5}
    levels = Levels(
        studies={"done": 1},
        deliveries={("pacs", "sent"): 1},
        oldest_waiting_s=0.0,
        disk_free_bytes=1,
        associations=0,
        reader_crashes=0,
    )
    found = set()
    for family in text_string_to_metric_families(meters.text(levels).decode()):
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        # Ours have them in one order each, which the page keeps.
        shown = ",".join(name for name in ("code", "step", "destination", "state", "chart") if name in labels)
        total = "_total" if family.type == "counter" else ""
        found.add(f"{family.name}{total}" + (f"{{{shown}}}" if shown else ""))
    found = {name for name in found if not name.endswith("_created") and "_created{" not in name}
    assert len(found) > 8
    assert set(column("Meter")) == found


def test_every_field_and_event_of_the_log_is_explained_and_no_other() -> None:
    assert set(column("Field")) == logs.FIELDS
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    events = set(re.findall(r'\bevent\(\s*(?:log|LOG|logger),\s*"([a-z0-9_ ]+)"', source))
    assert len(events) > 10
    assert set(column("Event")) == events | {"library"}


def test_every_state_is_explained_and_no_other() -> None:
    studies = re.search(r"``state``: ([a-z, ]+)\. ``header``", Path(schema.__file__).read_text(encoding="utf-8"))
    assert studies is not None
    final = set(studies[1].split(", ")) - {"receiving", "ready", "processing"}
    shown = column("State")
    assert set(shown) == final
    for state in ("receiving", "ready", "processing"):
        assert f"`{state}`" in OPERATE
    assert set(column("Delivery")) == set(get_args(outbox.State))


def test_the_health_pages_that_the_files_name_exist() -> None:
    routes = {route.path for route in http_app(*[None] * 3, tokens=None).routes}  # type: ignore[arg-type,attr-defined]
    pages = set(re.findall(r"`GET (/[a-z/]+)`", OPERATE)) | set(re.findall(r"8080(/[a-z/]+)", CONTAINER))
    assert "/health/live" in pages
    assert pages <= routes


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


def unit() -> dict[str, str]:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read(ROOT / "deploy" / "radiolucent.service")
    return dict(parsed["Service"])


def test_the_unit_stops_later_than_the_drain_and_may_write_only_its_own_folder() -> None:
    service = unit()
    assert int(service["TimeoutStopSec"]) > DRAIN_S + 30
    assert (service["KillSignal"], service["ProtectSystem"], service["Restart"]) == ("SIGTERM", "strict", "always")
    assert (service["NoNewPrivileges"], service["DynamicUser"]) == ("yes", "yes")
    assert service["StateDirectory"] == "radiolucent"
    assert not {"ReadWritePaths", "User"} & service.keys()
    assert f"--data /var/lib/{service['StateDirectory']}" in service["ExecStart"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_unit_and_finds_it_closed(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "radiolucent.service").read_text(encoding="utf-8")
    path = tmp_path / "radiolucent.service"
    path.write_text(text.replace("/opt/radiolucent/bin/radiolucent", "/bin/true"), encoding="utf-8")
    for words in (["verify"], ["security", "--offline=true", "--threshold=25", "--no-pager"]):
        done = subprocess.run(["systemd-analyze", *words, path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert str(path) not in done.stderr, "a row that systemd does not know"


def test_the_container_is_nobodys_root_and_copies_what_there_is() -> None:
    steps = re.sub(r"\\\n\s*", " ", CONTAINER).splitlines()
    last = max(number for number, line in enumerate(steps) if line.startswith("FROM "))
    final = {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in steps[last:] if " " in line}
    assert final["USER"] not in ("root", "0")
    assert (final["STOPSIGNAL"], final["VOLUME"]) == ("SIGTERM", "/var/lib/radiolucent")
    assert f'"--data", "{final["VOLUME"]}"' in final["CMD"]
    copied = [
        word for line in steps if line.startswith("COPY ") and "--from=" not in line for word in line.split()[1:-1]
    ]
    assert [word for word in copied if not (ROOT / word).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {project["project"]["readme"], *project["project"]["license-files"], *wheel["force-include"], "src"}
    assert needed <= set(copied)


def test_the_backup_script_says_how_it_is_called(tmp_path: Path) -> None:
    words = [sys.executable, ROOT / "deploy" / "backup.py", tmp_path, tmp_path / "backup"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "usage: backup.py DATA BACKUP" in done.stderr
    assert not (tmp_path / "backup").exists()


def test_every_link_leads_somewhere() -> None:
    for name in ("connect.md", "operate.md", "conformance.md"):
        page = ROOT / "docs" / name
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        assert links
        assert [link for link in links if not (page.parent / link).exists()] == []
        assert f"({name})" in (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
