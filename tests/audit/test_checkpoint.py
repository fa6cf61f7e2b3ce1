"""Signed checkpoints: any change of the file that can be found is found."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from audit_cases import AT, chain, event, plain_chain

from radiolucent.audit import checkpoint
from radiolucent.audit.chain import verify
from radiolucent.audit.checkpoint import Boundary, Checkpoint, CheckpointFile, read
from radiolucent.audit.key import PublicKeys, SigningKey, key_id, open_key, read_public_keys
from radiolucent.audit.problem import Problem
from radiolucent.errors import SettingsError
from radiolucent.records.audit import AuditEntry

ENTRIES = plain_chain(9)


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return open_key(tmp_path / "audit.key")


@pytest.fixture
def keys(key: SigningKey, tmp_path: Path) -> PublicKeys:
    (tmp_path / "public.pem").write_text(key.public_pem)
    return read_public_keys(tmp_path / "public.pem")


@pytest.fixture
def path(key: SigningKey, tmp_path: Path) -> Path:
    """A file of three checkpoints, of entries 2, 4 and 6."""
    path = tmp_path / "anchor" / "checkpoints.jsonl"
    for number in (2, 4, 6):
        CheckpointFile(path, key).add(ENTRIES[number - 1], at=AT + timedelta(minutes=number))
    return path


def kinds(path: Path, keys: PublicKeys) -> list[tuple[str, int]]:
    return [(item.kind, item.sequence) for item in read(path, keys) if isinstance(item, Problem)]


def sound(path: Path, keys: PublicKeys) -> list[int]:
    return [item.sequence for item in read(path, keys) if isinstance(item, Checkpoint)]


def test_what_is_written_is_read_with_the_public_key_alone(path: Path, keys: PublicKeys, key: SigningKey) -> None:
    first, second, _ = (json.loads(line) for line in path.read_text().splitlines())
    assert first.keys() == {"number", "sequence", "sha256", "at", "file", "previous", "key_id", "signature"}
    assert (first["number"], first["sequence"], first["sha256"]) == (1, 2, ENTRIES[1].sha256)
    assert (first["at"], first["key_id"]) == ("2026-03-04T05:08:07.000089Z", key.id)
    assert (second["number"], second["file"]) == (2, first["file"])
    assert sound(path, keys) == [2, 4, 6]
    assert kinds(path, keys) == []
    result = verify(ENTRIES, read(path, keys))
    assert result.verified
    assert (result.checkpoints, result.anchored_to) == (3, 6)


def test_every_changed_byte_is_found(path: Path, keys: PublicKeys) -> None:
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert kinds(path, keys), f"byte {place}"
    path.write_bytes(whole)
    assert kinds(path, keys) == []


def test_every_cut_within_a_line_is_found(path: Path, keys: PublicKeys) -> None:
    whole = path.read_bytes()
    ends = {place + 1 for place, byte in enumerate(whole) if byte == 0x0A}
    for size in sorted(set(range(1, len(whole))) - ends):
        path.write_bytes(whole[:size])
        assert [kind for kind, _ in kinds(path, keys)] == ["checkpoint_unreadable"], f"cut at {size}"


def test_lines_taken_out_moved_and_doubled(path: Path, keys: PublicKeys) -> None:
    one, two, three = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(two + three)
    assert kinds(path, keys) == [("checkpoint_gap", 1)]
    path.write_bytes(one + three)
    assert kinds(path, keys) == [("checkpoint_gap", 2)]
    assert sound(path, keys) == [2, 6]
    path.write_bytes(two + one + three)
    assert ("checkpoint_order", 2) in kinds(path, keys)
    path.write_bytes(one + one + two + three)
    assert ("checkpoint_order", 2) in kinds(path, keys)


def test_an_edited_line_vouches_for_nothing(path: Path, keys: PublicKeys) -> None:
    text = path.read_text()
    path.write_text(text.replace('"sequence":4', '"sequence":5'))
    assert kinds(path, keys) == [("checkpoint_signature", 2), ("checkpoint_gap", 3)]
    assert sound(path, keys) == [2, 6]
    path.write_text(text.replace('"sequence":4', '"sequence": 4'))
    assert kinds(path, keys)[0] == ("checkpoint_unreadable", 2)


def test_a_line_of_another_key(path: Path, keys: PublicKeys, tmp_path: Path) -> None:
    other = open_key(tmp_path / "other.key")
    CheckpointFile(path, other).add(ENTRIES[7], at=AT)
    assert kinds(path, keys) == [("checkpoint_key", 4)]
    both = {**keys, key_id(other.public): other.public}
    assert kinds(path, both) == []
    # The name of a trusted key on a signature of another: the file's owner alone cannot make one.
    path.write_text(path.read_text().replace(other.id, next(iter(keys))))
    assert kinds(path, both) == [("checkpoint_signature", 4)]


def test_lines_cut_off_at_the_end_are_found_by_the_chain(path: Path, keys: PublicKeys) -> None:
    last = [item for item in read(path, keys) if isinstance(item, Checkpoint)][-1]
    entries = [*ENTRIES[:6], *chain([checkpoint.event(last, at=AT), event()], ENTRIES[5])]
    assert verify(entries, read(path, keys)).verified
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    assert kinds(path, keys) == []
    assert [(p.kind, p.sequence) for p in verify(entries, read(path, keys)).problems] == [("checkpoints_cut", 3)]
    path.write_bytes(b"")
    assert [(p.kind, p.sequence) for p in verify(entries, read(path, keys)).problems] == [("checkpoints_cut", 1)]
    assert verify(entries).unseen_files == (last.file,)


def test_another_file_is_named_and_no_problem(path: Path, keys: PublicKeys, key: SigningKey, tmp_path: Path) -> None:
    first = next(item for item in read(path, keys) if isinstance(item, Checkpoint))
    entries = [*ENTRIES, *chain([checkpoint.event(first, at=AT)], ENTRIES[-1])]
    CheckpointFile(tmp_path / "new.jsonl", key).add(entries[-1], at=AT)
    result = verify(entries, read(tmp_path / "new.jsonl", keys))
    assert result.verified
    assert result.unseen_files == (first.file,)


def test_lines_that_are_added_while_it_is_read(path: Path, keys: PublicKeys, key: SigningKey) -> None:
    items = read(path, keys)
    first = next(items)
    CheckpointFile(path, key).add(ENTRIES[7], at=AT)
    with path.open("ab") as stream:
        stream.write(b'{"at":"2')
    *before, last = items
    assert [type(item) for item in (first, *before, last)] == [Checkpoint] * 3 + [Boundary, Checkpoint]
    assert kinds(path, keys) == [("checkpoint_unreadable", 5)]


def test_the_same_entry_is_signed_once(path: Path, keys: PublicKeys, key: SigningKey) -> None:
    before = path.read_bytes()
    assert CheckpointFile(path, key).add(ENTRIES[5], at=AT) is None
    assert path.read_bytes() == before


@pytest.mark.parametrize("entry", [ENTRIES[4], chain([event(actor="EVIL")], ENTRIES[4])[0]], ids=["shorter", "another"])
def test_a_chain_that_is_not_the_signed_one(path: Path, key: SigningKey, entry: AuditEntry) -> None:
    before = path.read_bytes()
    with pytest.raises(SettingsError) as raised:
        CheckpointFile(path, key).add(entry, at=AT)
    assert raised.value.code == "audit_behind_checkpoint"
    assert path.read_bytes() == before


@pytest.mark.parametrize("size", [1, 3, 100, -1])
def test_what_a_crash_left_is_mended(path: Path, keys: PublicKeys, key: SigningKey, size: int) -> None:
    line = path.read_bytes().splitlines()[2]
    path.write_bytes(path.read_bytes() + line[:size])
    assert kinds(path, keys) == [("checkpoint_unreadable", 4)]
    CheckpointFile(path, key).add(ENTRIES[7], at=AT)
    assert kinds(path, keys) == []
    assert sound(path, keys) == [2, 4, 6, 8]


def test_a_torn_first_line_is_mended(keys: PublicKeys, key: SigningKey, tmp_path: Path) -> None:
    path = tmp_path / "torn.jsonl"
    path.write_bytes(b'{"at":"2026')
    CheckpointFile(path, key).add(ENTRIES[0], at=AT)
    assert sound(path, keys) == [1]


@pytest.mark.parametrize("content", [b"notes of ours", b"notes\n", b"x" * 20_000, b'{"at":"2026"}\n', b"\n\n"])
def test_a_file_of_something_else_is_left_alone(key: SigningKey, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as raised:
        CheckpointFile(path, key).add(ENTRIES[0], at=AT)
    assert raised.value.code == "audit_checkpoint_file"
    assert path.read_bytes() == content


def test_garbage_is_told_and_bounded(keys: PublicKeys, tmp_path: Path) -> None:
    path = tmp_path / "garbage"
    path.write_bytes(b"[" * 50_000 + b"\n\n\xff\xfe\n" + b'{"number":1}\n')
    assert {kind for kind, _ in kinds(path, keys)} == {"checkpoint_unreadable"}
    with pytest.raises(SettingsError, match="audit_checkpoint_file"):
        list(read(tmp_path / "nowhere", keys))
    with pytest.raises(SettingsError, match="audit_checkpoint_file"):
        CheckpointFile(tmp_path, open_key(tmp_path / "audit.key")).add(ENTRIES[0], at=AT)
