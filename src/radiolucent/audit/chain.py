"""Whether a chain is as it was written, and where it is not.

What the chain itself shows: an entry that was edited, taken out, put in, moved or doubled. What only a checkpoint
shows: entries cut off at the end, and a chain that was computed anew from some entry on. What neither shows: the end
of the chain after the last checkpoint, cut off or computed anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from radiolucent.audit.canonical import GENESIS, digest, parse
from radiolucent.audit.checkpoint import Boundary, Checkpoint, Item
from radiolucent.audit.problem import Problem, ProblemKind
from radiolucent.errors import InvariantBroken
from radiolucent.records.audit import AuditEntry, AuditEvent

MOST_PROBLEMS = 1000
"""So many problems are kept; the others are counted."""
_NUMBER = re.compile(r"[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found.

    Parameters
    ----------
    entries
        How many entries were read; ``last_sequence`` and ``last_sha256`` are of the highest one, 0 and `GENESIS` for
        an empty chain.
    problems, problem_count
        The first `MOST_PROBLEMS`, and how many there are in all.
    checkpoints
        How many checkpoints agree with the chain; ``anchored_to`` is the highest entry that one of them vouches for.
        What comes after it stands on the chain alone.
    clock_steps_back
        How often an event is earlier than the one before it. That is no problem, the sequence is the order; a clock
        that was set back or differs between machines does it.
    unseen_files
        Checkpoint files that the chain names and that were not given; they may vouch for more.
    """

    entries: int
    last_sequence: int
    last_sha256: str
    problems: tuple[Problem, ...]
    problem_count: int
    checkpoints: int
    anchored_to: int
    clock_steps_back: int
    unseen_files: tuple[str, ...]

    @property
    def verified(self) -> bool:
        """Whether nothing is wrong."""
        return self.problem_count == 0


def verify(entries: Iterable[AuditEntry], checkpoints: Iterable[Item] | None = None) -> Verification:
    """Read a chain from its first entry on, once, in flat memory.

    Parameters
    ----------
    entries
        All entries in the order in which they are kept.
    checkpoints
        What `radiolucent.audit.checkpoint.read` yields: its file is opened before the first entry is read, and read to
        its end after the last one, so both may grow meanwhile. ``None``: the chain stands on its own, so a cut end or
        a chain computed anew cannot be seen.
    """
    found = _Findings()
    anchors = None if checkpoints is None else _Anchors(iter(checkpoints), found)
    walk = _Walk(found)
    for entry in entries:
        walk.step(entry)
        if anchors is not None:
            anchors.meet(entry)
    if anchors is not None:
        anchors.end(walk.sequence, walk.named)
    given = anchors.files if anchors is not None else {}
    return Verification(
        entries=walk.count,
        last_sequence=walk.sequence,
        last_sha256=walk.sha256,
        problems=tuple(found.first),
        problem_count=found.count,
        checkpoints=anchors.agreed if anchors is not None else 0,
        anchored_to=anchors.anchored_to if anchors is not None else 0,
        clock_steps_back=walk.clock_steps_back,
        unseen_files=tuple(sorted(walk.named.keys() - given.keys())),
    )


class _Findings:
    def __init__(self) -> None:
        self.first: list[Problem] = []
        self.count = 0

    def add(self, kind: ProblemKind, sequence: int, text: str) -> None:
        self.keep(Problem(kind=kind, sequence=sequence, text=text))

    def keep(self, problem: Problem) -> None:
        self.count += 1
        if len(self.first) < MOST_PROBLEMS:
            self.first.append(problem)


class _Walk:
    """The chain by itself. After a problem it goes on from the highest entry seen."""

    def __init__(self, found: _Findings) -> None:
        self._found = found
        self._latest: datetime | None = None
        self.count, self.sequence, self.sha256 = 0, 0, GENESIS
        self.clock_steps_back = 0
        self.named: dict[str, int] = {}
        """By checkpoint file: the highest number of a checkpoint that the chain says was written."""

    def step(self, entry: AuditEntry) -> None:
        self.count += 1
        self._content(entry)
        if self._place(entry):
            self.sequence, self.sha256 = entry.sequence, entry.sha256

    def _place(self, entry: AuditEntry) -> bool:
        """Whether the entry comes after all before it."""
        number, expected = entry.sequence, self.sequence + 1
        if number == self.sequence:
            self._found.add("duplicated", number, "the number is there twice: an entry was put in")
        elif number < expected:
            self._found.add("out_of_order", number, f"it comes after entry {self.sequence}: moved, or put in twice")
        elif number > expected:
            gap = f"entry {expected} is" if number == expected + 1 else f"entries {expected} to {number - 1} are"
            self._found.add("missing", expected, f"{gap} not there: taken out")
        elif entry.previous_sha256 != self.sha256:
            text = "it does not follow from the entry before it: that one was changed and hashed anew, or this put in"
            self._found.add("broken_link", number, text)
        return number >= expected

    def _content(self, entry: AuditEntry) -> None:
        try:
            is_sound = digest(entry.previous_sha256, entry.sequence, entry.text) == entry.sha256
        except ValueError:
            is_sound = False
        if not is_sound:
            self._found.add("edited", entry.sequence, "its text, number or hashes were changed")
            return
        try:
            self._event(parse(entry.text))
        except InvariantBroken:
            self._found.add("unreadable", entry.sequence, "its hash is right, but it is no event that we write: put in")

    def _event(self, event: AuditEvent) -> None:
        if self._latest is not None and event.at < self._latest:
            self.clock_steps_back += 1
        self._latest = event.at
        number = event.details.get("number", "")
        if event.action == "checkpoint" and "file" in event.details and _NUMBER.fullmatch(number):
            name = event.details["file"]
            self.named[name] = max(self.named.get(name, 0), int(number))


class _Anchors:
    """Checkpoints beside the chain: both come in rising order, so one is held at a time."""

    def __init__(self, checkpoints: Iterator[Item], found: _Findings) -> None:
        self._checkpoints, self._found = checkpoints, found
        self.agreed = self.anchored_to = 0
        self.files: dict[str, int] = {}
        """By checkpoint file: the highest number in it."""
        self._next = self._advance()

    def _advance(self) -> Checkpoint | None:
        for item in self._checkpoints:
            if isinstance(item, Problem):
                self._found.keep(item)
                continue
            if isinstance(item, Boundary):
                return None
            self.files[item.file] = max(self.files.get(item.file, 0), item.number)
            return item
        return None

    def meet(self, entry: AuditEntry) -> None:
        while self._next is not None and self._next.sequence <= entry.sequence:
            if self._next.sequence == entry.sequence:
                self._compare(self._next, entry)
            self._next = self._advance()

    def _compare(self, checkpoint: Checkpoint, entry: AuditEntry) -> None:
        if checkpoint.sha256 == entry.sha256:
            self.agreed += 1
            self.anchored_to = max(self.anchored_to, entry.sequence)
        else:
            text = f"checkpoint {checkpoint.number} signed another entry: it or one before it was computed anew"
            self._found.add("rewritten", entry.sequence, text)

    def end(self, last_sequence: int, named: dict[str, int]) -> None:
        highest = 0
        while self._next is not None:
            highest = max(highest, self._next.sequence)
            self._next = self._advance()
        if highest > last_sequence:
            text = f"a checkpoint vouches for entry {highest}, the chain ends at {last_sequence}: cut off"
            self._found.add("truncated", last_sequence + 1, text)
        while self._advance() is not None:  # what was added since: only its number counts
            pass
        self._cut(named)

    def _cut(self, named: dict[str, int]) -> None:
        for name, number in named.items():
            there = self.files.get(name, 0)
            if there < number and (there or not self.files):
                text = f"the chain says that checkpoint {number} was written, the file ends at {there}: cut off"
                self._found.add("checkpoints_cut", there + 1, text)
