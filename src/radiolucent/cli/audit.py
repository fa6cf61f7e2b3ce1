"""``radiolucent audit``: verify the chain, export it, show the public key.

The chain and the paths come in as arguments; the wiring opens the store.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import typer
from rich.console import Console
from rich.markup import escape

from radiolucent.audit import atna, checkpoint, export, fhir
from radiolucent.audit.canonical import parse
from radiolucent.audit.chain import MOST_PROBLEMS, Verification, verify
from radiolucent.audit.key import read_public_keys
from radiolucent.audit.participants import Reporter
from radiolucent.errors import InvariantBroken, SettingsError
from radiolucent.records.audit import AuditEntry

Format = Literal["jsonl", "atna", "fhir"]
VERIFIED, PROBLEM, USAGE = 0, 1, 2


def run_verify(
    entries: Iterable[AuditEntry], *, checkpoints: Path | None, public_key: Path | None, as_json: bool
) -> int:
    """Verify a chain, with checkpoints where there are any; the exit code.

    0: nothing is wrong. 1: something is; each problem is told with its place. 2: the files given do not serve, or one
    of the two was given without the other.
    """
    if (checkpoints is None) != (public_key is None):
        return _usage("Checkpoints need the public key that signed them, and a public key needs checkpoints.")
    try:
        signed = None
        if checkpoints is not None and public_key is not None:
            signed = checkpoint.read(checkpoints, read_public_keys(public_key))
        found = verify(entries, signed)
    except SettingsError as error:
        return _usage(str(error))
    if as_json:
        typer.echo(json.dumps({"verified": found.verified, **asdict(found)}, indent=2))
    else:
        _print(found, with_checkpoints=checkpoints is not None)
    return VERIFIED if found.verified else PROBLEM


def _usage(text: str) -> int:
    Console(stderr=True).print(f"[red]{escape(text)}[/]", highlight=False, soft_wrap=True)
    return USAGE


def _print(found: Verification, *, with_checkpoints: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for problem in found.problems:
        place = "checkpoint file, line" if problem.kind.startswith("checkpoint") else "entry"
        kind = problem.kind.replace("_", " ")
        console.print(f"[red]{place} {problem.sequence}: {kind}[/]: {escape(problem.text)}.")
    if found.problem_count > MOST_PROBLEMS:
        console.print(f"... and {found.problem_count - MOST_PROBLEMS} more.")
    for note in _notes(found, with_checkpoints=with_checkpoints):
        console.print(f"[yellow]Note[/]: {escape(note)}.")
    span = f"{found.entries} entries, last {found.last_sequence}, SHA-256 {found.last_sha256}"
    if found.verified:
        console.print(f"[green]Verified[/]: {span}.")
    else:
        console.print(f"[bold red]Not verified[/]: {found.problem_count} problems in {span}.")


def _notes(found: Verification, *, with_checkpoints: bool) -> list[str]:
    notes = []
    if not with_checkpoints:
        notes.append("without checkpoints a chain that was cut off or computed anew cannot be seen")
    elif found.anchored_to < found.last_sequence:
        first, last = found.anchored_to + 1, found.last_sequence
        loose = f"entry {last}" if first == last else f"entries {first} to {last}"
        notes.append(f"{found.checkpoints} checkpoints agree; no checkpoint vouches for {loose} yet")
    else:
        notes.append(f"{found.checkpoints} checkpoints agree; the last vouches for the whole chain")
    if found.clock_steps_back:
        notes.append(f"places where the clock went back: {found.clock_steps_back}; the order is that of the entries")
    if with_checkpoints and found.unseen_files:
        notes.append(f"the chain names checkpoint files not given here: {', '.join(found.unseen_files)}")
    return notes


def run_export(entries: Iterable[AuditEntry], *, format: Format, out: Path, reporter: Reporter | None = None) -> int:
    """Export a chain into a file that appears whole or not at all, readable by its owner only; the exit code.

    ``jsonl``: the entries, to be verified elsewhere. ``atna``: one DICOM audit message a line. ``fhir``: one AuditEvent
    a line (NDJSON). The file holds patient data. 0: written. 1: an entry is no event that we wrote; its number is told
    and nothing is written. 2: the file cannot be written.
    """
    write = _writer(format, reporter or Reporter())
    try:
        count = _write_lines(out, entries, write)
    except _Unreadable as error:
        Console(stderr=True).print(f"[red]entry {error.sequence}[/]: {escape(error.text)}", soft_wrap=True)
        return PROBLEM
    except OSError as error:
        return _usage(f"The export cannot be written ({error.strerror}); nothing was written.")
    Console(soft_wrap=True).print(f"{count} entries written to {escape(str(out))}.", highlight=False)
    return VERIFIED


class _Unreadable(Exception):
    def __init__(self, sequence: int, text: str) -> None:
        super().__init__(text)
        self.sequence, self.text = sequence, text


def _writer(format: Format, reporter: Reporter) -> Callable[[AuditEntry], str]:
    def as_atna(entry: AuditEntry) -> str:
        return atna.message(parse(entry.text), reporter, entry=entry)

    def as_fhir(entry: AuditEntry) -> str:
        return json.dumps(fhir.audit_event(parse(entry.text), reporter, entry=entry), ensure_ascii=False)

    return {"jsonl": export.to_line, "atna": as_atna, "fhir": as_fhir}[format]


def _write_lines(out: Path, entries: Iterable[AuditEntry], write: Callable[[AuditEntry], str]) -> int:
    handle, temporary = tempfile.mkstemp(prefix=".partial-", dir=out.parent)  # made with mode 0600
    count = 0
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            for entry in entries:
                try:
                    stream.write(write(entry) + "\n")
                except InvariantBroken as error:
                    raise _Unreadable(entry.sequence, error.text) from error
                count += 1
        Path(temporary).replace(out)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return count
