"""Files of the data folder: whole or not there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from radiolucent.errors import PeerUnavailable
from radiolucent.store import blobs
from radiolucent.store.blobs import Blobs

HASH = hashlib.sha256(b"x").hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "data", reserve_bytes=0)


def files(store: Blobs) -> list[str]:
    return sorted(p.relative_to(store.root).as_posix() for p in store.root.rglob("*") if p.is_file())


def test_parts_become_one_file_under_their_hash(store: Blobs) -> None:
    relative = store.put(HASH, (b"head", memoryview(b"body")))
    assert relative == f"instances/{HASH[:2]}/{HASH}.dcm"
    assert store.path(relative).read_bytes() == b"headbody"
    with store.open(relative) as handle:
        assert handle.read() == b"headbody"
    assert files(store) == [relative]


def test_what_is_there_is_not_written_again(store: Blobs) -> None:
    relative = store.put(HASH, [b"first"])
    number = store.path(relative).stat().st_ino
    assert store.put(HASH, [b"second"]) == relative
    assert (store.path(relative).read_bytes(), store.path(relative).stat().st_ino) == (b"first", number)


def test_a_write_that_fails_leaves_nothing(store: Blobs) -> None:
    def parts() -> Iterator[bytes]:
        yield b"half"
        raise OSError(28, "No space left on device")

    with pytest.raises(PeerUnavailable, match="storage_full"):
        store.put(HASH, parts())
    assert files(store) == []


def test_everything_is_on_disk_before_it_is_said_to_be(store: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(store.root).as_posix())
        real(descriptor)

    monkeypatch.setattr(blobs.os, "fsync", fsync)
    store.put(HASH, [b"x"])
    assert synced[0].startswith("incoming/")
    assert synced[1:] == ["instances", f"instances/{HASH[:2]}"]
    synced.clear()
    store.put(HASH, [b"x"])
    assert synced == [f"instances/{HASH[:2]}"]


def test_below_the_watermark_nothing_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = [2000]
    monkeypatch.setattr(Blobs, "free_bytes", lambda _self: free[0])
    store = Blobs(tmp_path, reserve_bytes=1000)
    store.check_space(1000)
    with pytest.raises(PeerUnavailable, match="storage_full"):
        store.check_space(1001)
    free[0] = 999
    with pytest.raises(PeerUnavailable, match="storage_full"):
        store.check_space(1)
    free[0] = 5000
    store.check_space(500)


def test_leftovers_of_a_process_that_died_are_swept_and_fresh_ones_are_not(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (incoming / "old").write_bytes(b"half")
    os.utime(incoming / "old", (0, 0))
    (incoming / "fresh").write_bytes(b"half")
    Blobs(tmp_path, reserve_bytes=0)
    assert [p.name for p in incoming.iterdir()] == ["fresh"]


def test_free_space_is_the_disks(store: Blobs) -> None:
    assert 0 < store.free_bytes() <= os.statvfs(store.root).f_blocks * os.statvfs(store.root).f_frsize
