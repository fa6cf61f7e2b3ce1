"""The command line as its users meet it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
import tiny_engine
from dicom_factory import cr, lit, save
from PIL import Image
from typer.testing import CliRunner

from radiolucent import __version__
from radiolucent.cli import main as entry
from radiolucent.cli.main import app

RUN = CliRunner()


@pytest.fixture
def engines(tmp_path: Path) -> Path:
    tiny_engine.write(tmp_path / "engines")
    return tmp_path / "engines"


def test_all_read_is_0_and_some_refused_is_1(engines: Path, tmp_path: Path) -> None:
    film = save(cr(lit()), tmp_path / "in" / "a.dcm")
    done = RUN.invoke(app, ["analyze", str(film), "--out", str(tmp_path / "o"), "--engines", str(engines)])
    assert done.exit_code == 0, done.output
    assert "bright" in done.output
    assert "1 read; 0 refused" in done.output
    (tmp_path / "in" / "b.dcm").write_bytes(b"nothing")
    done = RUN.invoke(app, ["analyze", str(tmp_path / "in"), "--out", str(tmp_path / "o"), "--engines", str(engines)])
    assert done.exit_code == 1
    assert "not_dicom" in done.output


def test_json_is_one_line_per_image_and_nothing_else(engines: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(cr(lit()), tmp_path / "in" / f"{name}.dcm")
    arguments = ["analyze", str(tmp_path / "in"), "--out", str(tmp_path / "o"), "--engines", str(engines), "--json"]
    done = RUN.invoke(app, [*arguments, "--no-dicom"])
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["status"] for line in lines] == ["processed", "processed"]
    assert all((tmp_path / "o" / line["folder"] / "result.json").is_file() for line in lines)
    assert not list((tmp_path / "o").rglob("*.dcm"))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["analyze", "/nowhere/at/all"], "no_such_path"),
        (["analyze", "{picture}"], "engine_needed"),
        (["analyze", "{film}", "--engine", "nonesuch"], "unknown_engine"),
        (["analyze", "{film}", "--colours", "rainbow"], "colour_map"),
        (["engines", "check", "{folder}"], "engine_not_found"),
        (["engines", "show", "nonesuch"], "unknown_engine"),
        (["phantom", "{folder}", "--kind", "foot"], "phantom_kind"),
    ],
)
def test_usage_and_configuration_errors_are_2_and_one_clear_line(
    arguments: list[str], code: str, engines: Path, tmp_path: Path
) -> None:
    film = save(cr(lit()), tmp_path / "a.dcm")
    picture = tmp_path / "x.png"
    Image.new("L", (8, 8)).save(picture)
    told = [a.format(film=film, folder=tmp_path, picture=picture) for a in arguments]
    extra = ["--out", str(tmp_path / "o"), "--engines", str(engines)] if told[0] == "analyze" else []
    command = [sys.executable, "-m", "radiolucent.cli.main", *told, *extra]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(code + ": Found ")
    assert "Traceback" not in done.stderr


def test_an_unknown_option_is_2() -> None:
    assert RUN.invoke(app, ["analyze", "x", "--nonesuch"]).exit_code == 2
    assert RUN.invoke(app, ["analyze", "x", "--maps", "some"]).exit_code == 2
    assert RUN.invoke(app, ["analyze", "x", "--age", "-1"]).exit_code == 2


def test_engines_are_listed_shown_and_checked(engines: Path) -> None:
    listed = RUN.invoke(app, ["engines", "list", "--engines", str(engines), "--json"])
    assert [e["id"] for e in json.loads(listed.stdout)] == ["tiny"]
    assert "# Tiny" in RUN.invoke(app, ["engines", "show", "tiny", "--engines", str(engines)]).stdout
    checked = RUN.invoke(app, ["engines", "check", str(engines / "tiny")])
    assert checked.exit_code == 0
    assert "tiny 1.0.0 is sound" in checked.stdout


def test_phantoms_are_written_and_marked(tmp_path: Path) -> None:
    done = RUN.invoke(app, ["phantom", str(tmp_path), "--kind", "bone"])
    assert done.exit_code == 0
    (path,) = done.stdout.split()
    assert "PHANTOM" in str(pydicom.dcmread(path).PatientName)


def test_the_version_is_told() -> None:
    assert RUN.invoke(app, ["--version"]).stdout.strip() == __version__


def test_markup_in_a_file_name_is_shown_as_it_is(engines: Path, tmp_path: Path) -> None:
    save(cr(lit(), ViewPosition="LL"), tmp_path / "in" / "[red]x[_red].dcm")
    arguments = ["analyze", str(tmp_path / "in"), "--out", str(tmp_path / "o"), "--engines", str(engines)]
    done = RUN.invoke(app, arguments)
    assert done.exit_code == 1
    assert "[red]x" in done.output


def test_an_interrupt_is_told_calmly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "app", interrupted)
    with pytest.raises(SystemExit) as stopped:
        entry.main()
    assert stopped.value.code == 130
    assert "whole" in capsys.readouterr().err
