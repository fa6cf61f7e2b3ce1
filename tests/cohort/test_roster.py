"""Which images are measured on: joins, leaks, split lists, and what is refused."""

from __future__ import annotations

from pathlib import Path

import cohort_cases
import pytest
import tiny_engine
import validation_cases

from radiolucent.cohort.validation.roster import Roster, digest_of, read_roster, split_of
from radiolucent.engines.manifest import parse
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import SettingsError
from radiolucent.records.engine import EngineSpec


@pytest.fixture
def spec(tmp_path: Path) -> EngineSpec:
    return parse((tiny_engine.write(tmp_path / "engines") / "engine.toml").read_bytes())


def rows_of(table: Path) -> list[dict[str, str]]:
    head, *lines = (line.split(",") for line in table.read_text().splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


def read(source: Path, spec: EngineSpec, **more: object) -> Roster:
    return read_roster(source, spec=spec, **{"split": {}, **more})  # type: ignore[arg-type]


def test_a_table_without_parts_is_all_test(tmp_path: Path, spec: EngineSpec) -> None:
    found = read(validation_cases.write(tmp_path / "c", images=4), spec)
    assert [c.image.name for c in found.cases] == ["i0.png", "i1.png", "i2.png", "i3.png"]
    assert [c.labels["bright"] for c in found.cases] == [1, 0, 1, 0]
    assert found.without_truth == 0


def test_one_patient_on_both_sides_is_refused_with_the_files(tmp_path: Path, spec: EngineSpec) -> None:
    table = validation_cases.write(tmp_path / "c", images=4)
    rows = [row | {"part": "test" if i else "train"} for i, row in enumerate(rows_of(table))]
    with pytest.raises(SettingsError, match=r"i1\.png and i0\.png") as caught:
        read(cohort_cases.table(table, rows), spec)
    assert caught.value.code == "cohort_leak"


def test_groups_of_the_split_list_are_left_out(tmp_path: Path, spec: EngineSpec) -> None:
    package = PackageFiles(tmp_path / "engines" / "tiny")
    assert split_of(package) == {}
    lines = [f"{digest_of('p0')},train", f"{digest_of('p1')},val", f"{digest_of('p2')},test"]
    (tmp_path / "engines" / "tiny" / "split.csv").write_text("\n".join(["group_sha256,part", *lines]))
    table = validation_cases.write(tmp_path / "c", images=8)
    found = read(table, spec, split=split_of(package))
    assert {c.group for c in found.cases} == {"p2", "p3"}
    assert sum(found.left_out.values()) == 4
    assert "in part train of the engine's split list" in found.left_out
    with pytest.raises(SettingsError, match="2 in part train") as caught:
        read(validation_cases.write(tmp_path / "d", images=2), spec, split=split_of(package))
    assert caught.value.code == "cohort_empty"


def test_rows_without_a_file_are_counted(tmp_path: Path, spec: EngineSpec) -> None:
    table = validation_cases.write(tmp_path / "c", images=4)
    (tmp_path / "c" / "i2.png").unlink()
    found = read(table, spec)
    assert (len(found.cases), found.unmatched, found.unmatched_count) == (3, ("i2.png",), 1)


def test_a_folder_is_joined_with_truth_by_path_name_or_stem(tmp_path: Path, spec: EngineSpec) -> None:
    validation_cases.write(tmp_path / "c", images=4)
    (tmp_path / "c" / "deep").mkdir()
    (tmp_path / "c" / "i3.png").rename(tmp_path / "c" / "deep" / "i3.png")
    names = ["i0.png", "i1", "deep/i3.png", "gone.png"]
    truth = cohort_cases.table(tmp_path / "t.csv", [{"image": name, "bright": "1"} for name in names])
    found = read(tmp_path / "c", spec, truth=truth)
    assert {c.image.name: c.labels["bright"] == 1 for c in found.cases} == {
        "i0.png": True,
        "i1.png": True,
        "i2.png": False,
        "i3.png": True,
    }
    assert (found.unmatched, found.without_truth) == (("gone.png",), 1)


def test_truth_that_matches_nothing_or_two_files_is_refused(tmp_path: Path, spec: EngineSpec) -> None:
    validation_cases.write(tmp_path / "c", images=2)
    truth = cohort_cases.table(tmp_path / "t.csv", [{"image": "other.png", "bright": "1"}])
    with pytest.raises(SettingsError, match=r"no image that lies in the folder \(other\.png\)"):
        read(tmp_path / "c", spec, truth=truth)
    (tmp_path / "c" / "deep").mkdir()
    (tmp_path / "c" / "deep" / "i0.png").write_bytes((tmp_path / "c" / "i0.png").read_bytes())
    truth = cohort_cases.table(tmp_path / "t.csv", [{"image": "i0", "bright": "1"}])
    with pytest.raises(SettingsError, match="two files of that name"):
        read(tmp_path / "c", spec, truth=truth)


def test_an_image_twice_in_a_table_is_refused(tmp_path: Path, spec: EngineSpec) -> None:
    table = validation_cases.write(tmp_path / "c", images=2)
    rows = rows_of(table)
    with pytest.raises(SettingsError, match=r"one image in two rows \(i0\.png\)"):
        read(cohort_cases.table(table, [*rows, rows[0]]), spec)
