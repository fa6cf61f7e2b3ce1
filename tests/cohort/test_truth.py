"""The truth table: what is read, and errors that name row, found and expected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_engine
from cohort_cases import table
from PIL import Image

from radiolucent.cohort.truth import Case, place, read_truth
from radiolucent.engines.manifest import parse
from radiolucent.errors import SettingsError
from radiolucent.records.engine import EngineSpec

ROW = {"image": "a.png", "group": "p1", "part": "val", "bright": "1"}


@pytest.fixture
def spec(tmp_path: Path) -> EngineSpec:
    return parse((tiny_engine.write(tmp_path / "engines") / "engine.toml").read_bytes())


def rows(*changes: dict[str, str]) -> list[dict[str, str]]:
    second = ROW | {"group": "p2", "part": "test"}
    base = [dict(ROW), second]
    return [row | change for row, change in zip(base, (*changes, {}, {})[:2], strict=True)]


def read(folder: Path, spec: EngineSpec, made: list[dict[str, str]], **more: Path) -> tuple[Case, ...]:
    for name in ("a.png", "m.png"):
        Image.fromarray(np.full((10, 20), 255, np.uint8)).save(folder / name)
    return read_truth(table(folder / "truth.csv", made), spec=spec, **more)


def test_a_table_is_read(tmp_path: Path, spec: EngineSpec) -> None:
    first = {"dark": "", "mask:bright": "m.png", "sub:sex": "F", "source": "here"}
    second = {"dark": "0", "mask:bright": "", "sub:sex": "", "source": "there"}
    one, two = read(tmp_path, spec, rows(first, second))
    assert one.labels["bright"] == 1
    assert np.isnan(one.labels["dark"])
    assert two.labels["dark"] == 0
    assert (one.row, one.part, one.subgroups, one.source) == (2, "val", {"sex": "F"}, "here")
    assert one.has_place("bright")
    assert not two.has_place("bright")
    truth = place(one, "bright", (20, 40))
    assert truth is not None
    assert truth.shape == (20, 40)
    assert truth.all()


def test_boxes_are_fractions_of_the_image(tmp_path: Path, spec: EngineSpec) -> None:
    box = {"image": "a.png", "finding": "bright", "x": "0.5", "y": "0", "w": "0.25", "h": "0.5"}
    boxes = table(tmp_path / "b.csv", [box, box | {"x": "0", "w": "0.1", "h": "0.1"}])
    one, _ = read(tmp_path, spec, rows(), boxes=boxes)
    truth = place(one, "bright", (10, 20))
    assert truth is not None
    expected = np.zeros((10, 20), bool)
    expected[:5, 10:15] = expected[:1, :2] = True
    assert np.array_equal(truth, expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"part": "train"}, ("row 2", "part 'train'", "val or test")),
        ({"bright": "yes"}, ("row 2", "bright = 'yes'", "1, 0 or nothing")),
        ({"image": "none.png"}, ("row 2", "none.png", "relative to the table")),
        ({"image": ""}, ("row 2", "no image", "a value")),
        ({"group": ""}, ("row 2", "no group", "a value")),
        ({"group": "p2"}, ("rows 2 and 3", "in val and in test", "one part")),
        ({"part": "test"}, ("no row of part val", "val and of test")),
    ],
)
def test_a_wrong_cell_is_named(tmp_path: Path, spec: EngineSpec, change: dict[str, str], words: tuple[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, spec, rows(change))
    assert caught.value.code == "truth_table"
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"glow": ""}, ("row 1", "column 'glow'", "bright")),
        ({"mask:glow": ""}, ("row 1", "column 'mask:glow'", "bright")),
        ({"image2": ""}, ("row 1", "image2", "1 channel")),
    ],
)
def test_an_unknown_column_is_named(
    tmp_path: Path, spec: EngineSpec, columns: dict[str, str], words: tuple[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, spec, rows(columns, columns))
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("image,group,bright\na.png,p,1\n", "no column part"),
        ("image,group,part\na.png,p,val\n", "no column of a finding"),
        ("image,group,part,bright\na.png,p,val\n", "row 2"),
        ("image,group,part,bright\na.png,p,val,1,9\n", "row 2"),
        ("image,group,part,bright,bright\na.png,p,val,1,1\n", "twice"),
        ("image,group,part,bright\n", "no row"),
    ],
)
def test_a_table_of_another_form_is_refused(tmp_path: Path, spec: EngineSpec, text: str, word: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="truth_table") as caught:
        read_truth(path, spec=spec)
    assert word in str(caught.value)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_truth(tmp_path / "none.csv", spec=spec)


@pytest.mark.parametrize(
    ("change", "word"), [({"image": "x.png"}, "x.png"), ({"finding": "glow"}, "glow"), ({"w": "12"}, "w = '12'")]
)
def test_a_wrong_box_is_named(tmp_path: Path, spec: EngineSpec, change: dict[str, str], word: str) -> None:
    box = {"image": "a.png", "finding": "bright", "x": "0", "y": "0", "w": "1", "h": "1"} | change
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, spec, rows(), boxes=table(tmp_path / "b.csv", [box]))
    assert word in str(caught.value)
    assert "b.csv row 2" in str(caught.value)
