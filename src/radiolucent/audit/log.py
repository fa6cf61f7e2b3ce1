"""The audit log: events are added at its end, in the transaction of what they record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

from radiolucent.audit import checkpoint as checkpoints
from radiolucent.audit.canonical import link
from radiolucent.audit.chain import Verification, verify
from radiolucent.audit.checkpoint import Checkpoint, CheckpointFile, Item
from radiolucent.records.audit import AuditEntry, AuditEvent


class AuditTransaction(Protocol):
    """The end of the chain within one transaction of the store."""

    def last_audit_entry(self) -> AuditEntry | None:
        """The entry with the highest sequence, or ``None``; locked until the transaction is over.

        An entry that this transaction added itself counts. From this call on nobody else can add one.
        """
        ...

    def add_audit_entry(self, entry: AuditEntry) -> None:
        """Add an entry; it is there when the transaction is committed, and not before."""
        ...


class AuditTable(Protocol):
    """The chain as it is kept."""

    def audit_entries(self, *, after: int = 0) -> Iterator[AuditEntry]:
        """All entries with a sequence above ``after``, in the order of their sequence, a few at a time."""
        ...


class AuditLog:
    """The chain of one installation.

    An event whose clock is behind the entry before it keeps its time: the sequence is the order of the log, and
    `Verification.clock_steps_back` counts such places.
    """

    def __init__(self, table: AuditTable) -> None:
        self._table = table

    def append(self, transaction: AuditTransaction, event: AuditEvent) -> AuditEntry:
        """Add an event. It is kept if and only if the transaction commits.

        The end of the chain stays locked until then, so append late in a transaction and keep it short.

        Raises
        ------
        InvariantBroken
            ``audit_time`` for a time without a time zone.
        """
        entry = link(transaction.last_audit_entry(), event)
        transaction.add_audit_entry(entry)
        return entry

    def checkpoint(self, transaction: AuditTransaction, file: CheckpointFile, *, at: datetime) -> Checkpoint | None:
        """Sign the end of the chain and record that it was signed; ``None`` where nothing happened since the last one.

        ``transaction`` must be a fresh one, because what is signed must be committed. The line is in the file before
        the record of it is in the chain: a crash between the two leaves a checkpoint without a record, which is sound.

        Raises
        ------
        SettingsError
            As `CheckpointFile.add`.
        """
        last = transaction.last_audit_entry()
        if last is None or _is_checkpoint(last):
            return None
        made = file.add(last, at=at)
        if made is not None:
            self.append(transaction, checkpoints.event(made, at=at))
        return made

    def entries(self, after: int = 0) -> Iterator[AuditEntry]:
        """Entries with a sequence above ``after``, in order."""
        return self._table.audit_entries(after=after)

    def verify(self, signed: Iterable[Item] | None = None) -> Verification:
        """Read the whole chain; see `radiolucent.audit.chain.verify`."""
        return verify(self.entries(), signed)


def _is_checkpoint(entry: AuditEntry) -> bool:
    # Canonical keys are sorted, so the action stands first; no parse, which an altered entry would fail.
    return entry.text.startswith('{"action":"checkpoint",')
