"""Two workers of a real Ray cluster on this machine: the same result to the byte as none, both at work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import tiny_engine
import validation_cases

from radiolucent.cohort.truth import Case
from radiolucent.cohort.validation import gathering
from radiolucent.cohort.validation.crew import Crew
from radiolucent.cohort.validation.records import Ask
from radiolucent.cohort.validation.shards import write_shard
from radiolucent.cohort.validation.validate import validate
from radiolucent.cohort.validation.writing import dumps
from radiolucent.engines.checks import Engine
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import SettingsError

pytestmark = pytest.mark.peers


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gathering, "SHARD", 16)
    tiny_engine.write(tmp_path)
    validation_cases.write(tmp_path / "c", images=128)
    return tmp_path


def run(folder: Path, out: str, crew: Crew) -> str:
    (folder / out).mkdir(exist_ok=True)
    ask = Ask(source=folder / "c" / "cohort.csv", resamples=20, permutations=20, crew=crew)
    return dumps(validate(PackageFiles(folder / "tiny"), ask, out=folder / out).validation)


def test_two_workers_give_the_same_bytes_also_when_stopped_in_between(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, kept = run(folder, "alone", Crew()), list[int]()
    who, read_shard = folder / "who", gathering.read_shard
    who.mkdir()

    def signed(cases: Sequence[Case], engine: Engine) -> bytes:
        (who / str(os.getpid())).touch()
        return read_shard(cases, engine)

    monkeypatch.setattr(gathering, "read_shard", signed)

    def stop(where: Path, shard: int, content: bytes) -> None:
        if len(kept) == 3:
            raise KeyboardInterrupt
        kept.append(shard)
        write_shard(where, shard, content)

    with monkeypatch.context() as patched:
        patched.setattr(gathering, "write_shard", stop)
        with pytest.raises(KeyboardInterrupt):
            run(folder, "ray", Crew(ray="auto"))
    assert run(folder, "ray", Crew(ray="auto")) == alone
    first, second = (sorted((folder / name / "observations").rglob("*.npz")) for name in ("alone", "ray"))
    assert len(first) == 8
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    readers = {path.name for path in who.iterdir()}
    assert str(os.getpid()) not in readers
    assert len(readers) >= 3, "two workers of one run, at least one of the other"


def test_an_address_where_no_cluster_answers(folder: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        run(folder, "out", Crew(ray="127.0.0.1:1"))
    assert caught.value.code == "validate_option"
