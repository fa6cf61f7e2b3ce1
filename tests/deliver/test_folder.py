"""A folder appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolucent.deliver.folder import safe_name, whole_folder, write_bytes
from radiolucent.pipeline.lookahead import lookahead
from radiolucent.pipeline.names import Names


def test_a_folder_appears_when_it_is_done(tmp_path: Path) -> None:
    with whole_folder(tmp_path, "x") as scratch:
        (scratch / "a").write_text("1")
        assert not (tmp_path / "x").exists()
    assert (tmp_path / "x" / "a").read_text() == "1"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_failure_leaves_the_older_result_alone(tmp_path: Path) -> None:
    with whole_folder(tmp_path, "x") as scratch:
        (scratch / "a").write_text("old")

    def fail() -> None:
        with whole_folder(tmp_path, "x") as scratch:
            (scratch / "a").write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "x" / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_newer_result_replaces_all_of_the_older(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with whole_folder(tmp_path, "x") as scratch:
            (scratch / name).write_text(name)
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["b"]
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_file_appears_whole(tmp_path: Path) -> None:
    write_bytes(tmp_path / "f", b"1")
    write_bytes(tmp_path / "f", b"22")
    assert (tmp_path / "f").read_bytes() == b"22"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


@given(st.text())
def test_names_are_safe_whatever_they_come_from(text: str) -> None:
    name = safe_name(text)
    assert 0 < len(name) <= 150
    assert "/" not in name
    assert "\\" not in name
    assert not name.startswith(".")


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "../a"]), st.sampled_from(["00", "11", "22"]))))
def test_no_two_images_share_a_name(offered: list[tuple[str, str]]) -> None:
    names = Names()
    given_names = [names.for_stem(stem, digest) for stem, digest in offered]
    assert len(set(given_names)) == len(given_names)


def test_lookahead_keeps_order_and_runs_only_so_far_ahead() -> None:
    from concurrent.futures import ThreadPoolExecutor

    pulled: list[int] = []

    def numbers() -> object:
        for n in range(20):
            pulled.append(n)
            yield n

    with ThreadPoolExecutor(2) as pool:
        stream = lookahead(pool, lambda n: n * n, numbers(), ahead=3)  # type: ignore[arg-type]
        assert next(stream) == 0
        assert len(pulled) == 4
        assert list(stream) == [n * n for n in range(1, 20)]
