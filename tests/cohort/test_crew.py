"""Who reads leaves no trace: processes beside this one give the same result to the byte."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_engine
import validation_cases

from radiolucent.cohort.truth import Case
from radiolucent.cohort.validation import gathering
from radiolucent.cohort.validation.crew import Crew, by_workers
from radiolucent.cohort.validation.records import Ask
from radiolucent.cohort.validation.roster import read_roster
from radiolucent.cohort.validation.validate import validate
from radiolucent.cohort.validation.writing import dumps
from radiolucent.engines.checks import Engine, load
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import EngineError, SettingsError


def run(folder: Path, out: str, crew: Crew) -> str:
    (folder / out).mkdir(exist_ok=True)
    ask = Ask(source=folder / "c" / "cohort.csv", resamples=20, permutations=20, crew=crew)
    return dumps(validate(PackageFiles(folder / "tiny"), ask, out=folder / out).validation)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gathering, "SHARD", 16)
    tiny_engine.write(tmp_path)
    validation_cases.write(tmp_path / "c")
    monkeypatch.chdir(tmp_path)
    return Path()


def test_processes_go_on_where_this_one_stopped_to_the_same_bytes(folder: Path) -> None:
    alone = run(folder, "out", Crew())
    shards = sorted((folder / "out" / "observations").rglob("*.npz"))
    content = [path.read_bytes() for path in shards]
    for path in shards[1:]:
        path.unlink()
    assert run(folder, "out", Crew(workers=2)) == alone
    assert [path.read_bytes() for path in shards] == content


def dies(_cases: object, _engine: Engine) -> bytes:
    os._exit(1)


def never(_cases: object, _engine: Engine) -> bytes:
    return b""


def test_a_worker_that_dies_and_one_that_has_another_package(folder: Path) -> None:
    files = PackageFiles(folder / "tiny")
    spec = load(files).spec
    cases: tuple[Case, ...] = read_roster(folder / "c" / "cohort.csv", spec=spec, split={}).cases
    with pytest.raises(SettingsError) as caught:
        list(by_workers({0: cases}, files, spec, Crew(workers=2), dies))
    assert caught.value.code == "validate_worker"
    with pytest.raises(EngineError) as other:
        list(by_workers({0: cases}, files, replace(spec, version="9.9.9"), Crew(workers=2), never))
    assert other.value.code == "validate_worker"


def test_without_ray_the_command_that_installs_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match=r"pip install 'radiolucent\[ray\]'"):
        run(folder, "out", Crew(ray="auto"))
    with pytest.raises(SettingsError, match="workers 0"):
        run(folder, "out", Crew(workers=0))
