"""Signed statements, outside the database, of how far the chain had come.

A checkpoint file is JSON lines, one checkpoint a line, added at the end and never rewritten. Each line is signed and
names the hash of the line before it, so that a line that was edited, taken out or moved is seen with the public key
alone. Lines cut off at the end leave no trace in the file: the chain records every checkpoint, which tells; where both
were cut back together, only a copy on another machine can tell.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature

from radiolucent.audit.canonical import GENESIS, canonical_json, utc
from radiolucent.audit.key import PublicKeys, SigningKey, sync_folder
from radiolucent.audit.problem import Problem
from radiolucent.errors import SettingsError
from radiolucent.records.audit import AuditEntry, AuditEvent

DOMAIN = b"radiolucent audit checkpoint 1\x00"
"""First bytes of what is signed."""
LONGEST_LINE = 4096
"""Bytes; our own lines have about 400."""
_TEXTS = frozenset({"at", "file", "key_id", "previous", "sha256", "signature"})
_NUMBERS = frozenset({"number", "sequence"})
_SHA256 = re.compile("[0-9a-f]{64}")
_BEGINNING = b'{"at":"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One line: entry ``sequence`` of the chain had the hash ``sha256``.

    ``number`` counts the lines of a file from 1. ``file`` is the file's own name, drawn at random when it began.
    ``previous`` is the SHA-256 of the line before, without its line end (64 zeros for the first). ``at`` is in UTC, as
    `radiolucent.audit.canonical.utc` writes it. ``signature`` is Ed25519 over `DOMAIN` and the canonical JSON of all
    other fields, in base64.
    """

    number: int
    sequence: int
    sha256: str
    at: str
    file: str
    previous: str
    key_id: str
    signature: str

    @property
    def line(self) -> str:
        """The line, without its line end."""
        return canonical_json({**self._fields(), "signature": self.signature})

    @property
    def signed(self) -> bytes:
        """The bytes that are signed."""
        return DOMAIN + canonical_json(self._fields()).encode("utf-8")

    def _fields(self) -> dict[str, object]:
        return {
            "at": self.at,
            "file": self.file,
            "key_id": self.key_id,
            "number": self.number,
            "previous": self.previous,
            "sequence": self.sequence,
            "sha256": self.sha256,
        }


def event(checkpoint: Checkpoint, *, at: datetime, actor: str = "radiolucent") -> AuditEvent:
    """What the chain itself says of a checkpoint: with it a checkpoint file that was cut is found."""
    details = {"file": checkpoint.file, "number": str(checkpoint.number), "sequence": str(checkpoint.sequence)}
    return AuditEvent(action="checkpoint", outcome="success", at=at, actor=actor, details=details)


class CheckpointFile:
    """The file that checkpoints are added to. Several processes may hold it; one at a time adds a line."""

    def __init__(self, path: Path, key: SigningKey) -> None:
        self._path, self._key = path, key

    def add(self, entry: AuditEntry, *, at: datetime) -> Checkpoint | None:
        """Sign an entry that is committed; ``None`` where the last checkpoint is of this very entry.

        On return the line is on the disk. A line that a crash left incomplete was never vouched for: it is removed
        first.

        Raises
        ------
        SettingsError
            ``audit_checkpoint_file`` where the file cannot be written or its last line is no checkpoint;
            ``audit_behind_checkpoint`` where the last checkpoint is of a later entry, or of another one with the same
            number: this chain is not the one that was signed.
        """
        try:
            return self._add(entry, at)
        except OSError as error:
            raise _wrong_file(f"a checkpoint file that cannot be written ({error.strerror})") from error

    def _add(self, entry: AuditEntry, at: datetime) -> Checkpoint | None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b", buffering=0) as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            last = _last_line(stream.fileno())
            before = None if last is None else _read_line(last)
            if last is not None and before is None:
                raise _wrong_file("a checkpoint file whose last line is no checkpoint")
            if before is not None and before.sequence >= entry.sequence:
                if (before.sequence, before.sha256) == (entry.sequence, entry.sha256):
                    return None
                raise _behind()
            made = self._sign(entry, at, before, last)
            line = made.line.encode("utf-8") + b"\n"
            if stream.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(stream.fileno())
            sync_folder(self._path.parent)
            return made

    def _sign(self, entry: AuditEntry, at: datetime, before: Checkpoint | None, last: bytes | None) -> Checkpoint:
        unsigned = Checkpoint(
            number=1 if before is None else before.number + 1,
            sequence=entry.sequence,
            sha256=entry.sha256,
            at=utc(at),
            file=secrets.token_hex(8) if before is None else before.file,
            previous=GENESIS if last is None else hashlib.sha256(last).hexdigest(),
            key_id=self._key.id,
            signature="",
        )
        signature = base64.b64encode(self._key.sign(unsigned.signed)).decode("ascii")
        return replace(unsigned, signature=signature)


def _last_line(handle: int) -> bytes | None:
    """The last whole line, without its end. What a crash left after it is cut off, if it is the beginning of a line."""
    size = os.fstat(handle).st_size
    start = max(0, size - 2 * LONGEST_LINE)
    tail = os.pread(handle, size - start, start)
    lines, end, torn = tail.rpartition(b"\n")
    if torn:
        if not torn.startswith(_BEGINNING[: len(torn)]) or (start and not end):
            raise _wrong_file("a checkpoint file that ends in something else than a checkpoint")
        os.ftruncate(handle, size - len(torn))
    return lines.rpartition(b"\n")[2] if end else None


def _read_line(line: bytes) -> Checkpoint | None:
    """The checkpoint of a line, byte for byte as we write it; ``None`` for anything else."""
    try:
        fields = json.loads(line)
        if not isinstance(fields, dict) or {k for k, v in fields.items() if type(v) is str} != _TEXTS:
            return None
        if {k for k, v in fields.items() if type(v) is int and 1 <= v < 2**63} != _NUMBERS:
            return None
        if not (_SHA256.fullmatch(fields["sha256"]) and _SHA256.fullmatch(fields["previous"])):
            return None
        found = Checkpoint(**fields)
        return found if found.line.encode("utf-8") == line else None
    except (ValueError, TypeError, RecursionError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """Where the file ended when reading began. What follows may be newer than the chain that is being read."""


Item = Checkpoint | Boundary | Problem
"""What a checkpoint file yields."""


def read(path: Path, keys: PublicKeys) -> Iterator[Item]:
    """The checkpoints of a file whose signatures hold, by rising sequence, and every problem of the file.

    A line that is wrong vouches for nothing; reading goes on after it. Flat memory. The file is opened at the first
    item and may grow from then on: a `Boundary` comes between what was there and what was added.

    Raises
    ------
    SettingsError
        ``audit_checkpoint_file`` where there is no such file or it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            size = _settled_size(stream.fileno())
            reader = _Reader(keys)
            there = iter(lambda: stream.readline(min(LONGEST_LINE, size - stream.tell())), b"")
            yield from reader.lines(there)
            yield Boundary()
            added = iter(lambda: stream.readline(LONGEST_LINE), b"")
            # A problem in a line that is only just being written is left to the next reading.
            yield from (item for item in reader.lines(added) if not isinstance(item, Problem))
    except OSError as error:
        raise _wrong_file(f"a checkpoint file that cannot be read ({error.strerror})") from error


def _settled_size(handle: int) -> int:
    """Bytes of the file when nobody is adding a line to it."""
    with contextlib.suppress(OSError):  # a read-only share may have no locks
        fcntl.flock(handle, fcntl.LOCK_SH)
    size = os.fstat(handle).st_size
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_UN)
    return size


class _Reader:
    def __init__(self, keys: PublicKeys) -> None:
        self._keys = keys
        self._number, self._previous, self._file, self._sequence = 0, GENESIS, "", 0

    def lines(self, lines: Iterator[bytes]) -> Iterator[Checkpoint | Problem]:
        for raw in lines:
            self._number += 1
            number = self._number
            line = raw.removesuffix(b"\n")
            found = _read_line(line)
            if line == raw:
                text = "it has no end: cut there, or a crash while it was written (then the next checkpoint mends it)"
                yield Problem(kind="checkpoint_unreadable", sequence=number, text=text)
            elif found is None:
                yield Problem(kind="checkpoint_unreadable", sequence=number, text="it is no checkpoint: edited")
            else:
                yield from self._checked(found, number)
            self._previous = hashlib.sha256(line).hexdigest()

    def _checked(self, found: Checkpoint, number: int) -> Iterator[Checkpoint | Problem]:
        if found.previous != self._previous:
            text = "it does not follow from the line before it: one was edited, taken out, put in or moved"
            yield Problem(kind="checkpoint_gap", sequence=number, text=text)
        wrong = self._signature(found, number) or self._order(found, number)
        if wrong is not None:
            yield wrong
            return
        self._file, self._sequence = found.file, found.sequence
        yield found

    def _signature(self, found: Checkpoint, number: int) -> Problem | None:
        key = self._keys.get(found.key_id)
        if key is None:
            text = "it was signed with a key that is not among the public keys given"
            return Problem(kind="checkpoint_key", sequence=number, text=text)
        try:
            key.verify(base64.b64decode(found.signature, validate=True), found.signed)
        except (InvalidSignature, ValueError):
            text = "its signature is wrong: edited"
            return Problem(kind="checkpoint_signature", sequence=number, text=text)
        return None

    def _order(self, found: Checkpoint, number: int) -> Problem | None:
        if found.sequence > self._sequence and self._file in ("", found.file):
            return None
        text = "it is of an entry before that of an earlier line, or of another file: moved or put in"
        return Problem(kind="checkpoint_order", sequence=number, text=text)


def _wrong_file(found: str) -> SettingsError:
    return SettingsError(
        "audit_checkpoint_file",
        found=found,
        expected="a file of checkpoints that Radiolucent wrote, or none yet, in a place that can be written",
        action="Look at audit.checkpoints in the settings; keep a file that was changed, it is evidence.",
    )


def _behind() -> SettingsError:
    return SettingsError(
        "audit_behind_checkpoint",
        found="an audit chain that ends before the last signed checkpoint, or has another entry in its place",
        expected="the chain that was signed, grown since",
        action="Run `radiolucent audit verify`. After a restore from a backup, keep this file as evidence and begin "
        "another one.",
    )
