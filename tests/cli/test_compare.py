"""``radiolucent compare`` from two images to the word."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import tiny_engine
from dicom_factory import cr, lit, save
from typer.testing import CliRunner

from radiolucent.cli import main as entry
from radiolucent.cli.main import app
from radiolucent.report.comparison_json import comparison_schema

RUN = CliRunner()
Analyze = Callable[..., Path]


@pytest.fixture
def engines(tmp_path: Path) -> Path:
    tiny_engine.write(tmp_path / "engines")
    return tmp_path / "engines"


@pytest.fixture
def analyze(engines: Path, tmp_path: Path) -> Analyze:
    def run(source: Path, name: str, *extra: str) -> Path:
        out = tmp_path / name
        arguments = ["analyze", str(source), "--out", str(out), "--engines", str(engines), "--no-dicom", *extra]
        RUN.invoke(app, arguments, catch_exceptions=False)
        (found,) = [p.parent for p in out.rglob("result.json")]
        return found

    return run


def compared(prior: Path, current: Path, engines: Path) -> dict[str, Any]:
    done = RUN.invoke(app, ["compare", str(prior), str(current), "--json", "--engines", str(engines)])
    document: dict[str, Any] = json.loads(done.stdout)
    assert done.exit_code == (0 if document["comparable"] else 1)
    jsonschema.Draft202012Validator(comparison_schema()).validate(document)
    return document


def test_two_phantoms_end_to_end(analyze: Analyze, engines: Path, tmp_path: Path) -> None:
    folders = []
    for seed in ("0", "1"):
        done = RUN.invoke(app, ["phantom", str(tmp_path / f"p{seed}"), "--kind", "chest", "--seed", seed])
        folders.append(analyze(Path(done.stdout.split()[0]), f"o{seed}", "--maps", "all"))
    document = compared(*folders, engines)
    assert document["comparable"]
    assert document["registration"] == {"by": "picture", "row_scale": 1.0, "column_scale": 1.0}
    assert "by the picture's frame alone" in document["reasons"][0]
    bright = next(f for f in document["findings"] if f["key"] == "bright")
    assert bright["change"] == "unchanged"
    assert bright["prior_evidence"] > 0
    shown = RUN.invoke(app, ["compare", *map(str, folders), "--engines", str(engines)])
    assert shown.exit_code == 0
    assert "unchanged" in shown.stdout
    assert "not a medical device" in shown.stdout


def test_a_square_that_grew_is_increased_and_one_that_came_is_new(
    analyze: Analyze, engines: Path, tmp_path: Path
) -> None:
    def film(side: int, name: str) -> Path:
        return analyze(save(cr(lit(side=side)), tmp_path / "in" / f"{name}.dcm"), name, "--maps", "all")

    none, small, large = film(1, "none"), film(40, "small"), film(50, "large")
    words = [
        next(f["change"] for f in compared(*pair, engines)["findings"] if f["key"] == "bright")
        for pair in ((small, large), (large, small), (none, large), (large, none))
    ]
    assert words == ["increased", "decreased", "new", "resolved"]


def test_drawn_regions_are_used_where_they_are_there(analyze: Analyze, engines: Path, tmp_path: Path) -> None:
    folder = analyze(save(cr(lit()), tmp_path / "a.dcm"), "o")
    drawn = np.zeros((2, 25, 20), dtype=np.float16)
    drawn[0, 5:20, 3:9], drawn[1, 5:20, 11:17] = 0.9, 0.9
    np.save(folder / "anatomy.npy", drawn)
    document = json.loads((folder / "result.json").read_text())
    document["anatomy"] = {"map": "anatomy.npy", "regions": ["right_lung", "left_lung"]}
    (folder / "result.json").write_text(json.dumps(document))
    got = compared(folder, folder, engines)
    assert got["registration"]["by"] == "anatomy"
    assert got["findings"][0]["change"] == "unchanged"
    np.save(folder / "anatomy.npy", drawn * 0)
    assert compared(folder, folder, engines)["reasons"] == ["the body was not found in both images"]


def test_a_refused_image_and_an_engine_that_is_not_here(analyze: Analyze, engines: Path, tmp_path: Path) -> None:
    good = analyze(save(cr(lit()), tmp_path / "a.dcm"), "good")
    bad = analyze(save(cr(lit(), ViewPosition="LL"), tmp_path / "b.dcm"), "bad")
    document = compared(good, bad, engines)
    assert not document["comparable"]
    assert "the current image was refused (wrong_view)" in document["reasons"]
    shown = RUN.invoke(app, ["compare", str(good), str(bad), "--engines", str(engines)])
    assert shown.exit_code == 1
    assert "Not comparable" in shown.stdout
    (tmp_path / "empty").mkdir()
    assert any("not installed here" in c for c in compared(good, good, tmp_path / "empty")["cautions"])


def test_nothing_in_it_names_the_patient(analyze: Analyze, engines: Path, tmp_path: Path) -> None:
    folder = analyze(save(cr(lit()), tmp_path / "a.dcm"), "o")
    text = json.dumps(compared(folder, folder, engines))
    for secret in ("Marker", "MARKER", "1960", "ACC1", str(tmp_path)):
        assert secret not in text


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("no folder", "not_a_result"),
        ("no json", "not_a_result"),
        ("another format", "not_a_result"),
        ("a field gone", "not_a_result"),
        ("map gone", "result_array"),
        ("map of another size", "result_array"),
        ("map of objects", "result_array"),
        ("map elsewhere", "result_array"),
        ("map not finite", "result_array"),
    ],
)
def test_a_folder_that_is_no_whole_result_is_2(
    damage: str,
    code: str,
    analyze: Analyze,
    engines: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = analyze(save(cr(lit()), tmp_path / "a.dcm"), "o")
    result, evidence = folder / "result.json", folder / "evidence" / "bright.npy"
    document = json.loads(result.read_text())
    if damage == "no folder":
        folder = tmp_path / "nowhere"
    elif damage == "no json":
        result.write_text("{")
    elif damage == "another format":
        result.write_text(json.dumps(document | {"schema": "radiolucent.series/1"}))
    elif damage == "a field gone":
        del document["findings"][0]["logit"]
        result.write_text(json.dumps(document))
    elif damage == "map gone":
        evidence.unlink()
    elif damage == "map of another size":
        np.save(evidence, np.zeros((3, 3), dtype=np.float32))
    elif damage == "map of objects":
        np.save(evidence, np.array([[{}]], dtype=object), allow_pickle=True)
    elif damage == "map not finite":
        np.save(evidence, np.full((200, 160), np.nan, dtype=np.float32))
    else:
        document["findings"][0]["explanation"]["map"] = "../../secret.npy"
        result.write_text(json.dumps(document))
    monkeypatch.setattr(sys, "argv", ["radiolucent", "compare", str(folder), str(folder), "--engines", str(engines)])
    with pytest.raises(SystemExit) as stopped:
        entry.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith(code + ": Found ")
