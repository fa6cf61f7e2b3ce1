"""``radiolucent audit`` over real files: what it says, and its exit code."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from audit_cases import AT, chain, event
from fhir.resources.R4B.auditevent import AuditEvent as Model

from radiolucent.audit.checkpoint import CheckpointFile
from radiolucent.audit.export import from_lines, to_line
from radiolucent.audit.key import open_key
from radiolucent.cli.audit import run_export, run_verify
from radiolucent.errors import SettingsError
from radiolucent.records.audit import AuditEntry

MARKER = "MARKER^PATIENT"
ENTRIES = chain([event("start"), event("receive", patient_id=MARKER), event("inference"), event("send", minutes=-1)])


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, Path]:
    """Checkpoints of the entries 2 and 3, and the public key."""
    key = open_key(tmp_path / "audit.key")
    for entry in ENTRIES[1:3]:
        CheckpointFile(tmp_path / "checkpoints.jsonl", key).add(entry, at=AT)
    (tmp_path / "public.pem").write_text(key.public_pem)
    return tmp_path / "checkpoints.jsonl", tmp_path / "public.pem"


def verified(entries: list[AuditEntry], signed: tuple[Path, Path] | None = None, *, as_json: bool = False) -> int:
    checkpoints, public_key = signed or (None, None)
    return run_verify(iter(entries), checkpoints=checkpoints, public_key=public_key, as_json=as_json)


def test_a_sound_chain(signed: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert verified(ENTRIES, signed) == 0
    said = capsys.readouterr().out
    assert f"Verified: 4 entries, last 4, SHA-256 {ENTRIES[-1].sha256}." in said
    assert "2 checkpoints agree; no checkpoint vouches for entry 4 yet" in said
    assert "places where the clock went back: 1" in said
    assert verified(ENTRIES[:3], signed) == 0
    assert "the last vouches for the whole chain" in capsys.readouterr().out


def test_without_checkpoints_it_says_what_cannot_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    assert verified(ENTRIES) == 0
    assert "a chain that was cut off or computed anew cannot be seen" in capsys.readouterr().out


def test_problems_are_told_with_their_place(signed: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    edited = replace(ENTRIES[1], text=ENTRIES[1].text.replace(MARKER, "MARKER^OTHER"))
    assert verified([ENTRIES[0], edited, ENTRIES[3]], signed) == 1
    said = capsys.readouterr().out
    assert "entry 2: edited: its text, number or hashes were changed." in said
    assert "entry 3: missing: entry 3 is not there: taken out." in said
    assert "Not verified: 2 problems in 3 entries" in said
    assert "MARKER" not in said


def test_a_cut_chain_and_an_edited_checkpoint(signed: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert verified(ENTRIES[:2], signed) == 1
    assert "entry 3: truncated" in capsys.readouterr().out
    signed[0].write_text(signed[0].read_text().replace('"number":1', '"number":7'))
    assert verified(ENTRIES, signed) == 1
    said = capsys.readouterr().out
    assert "checkpoint file, line 1: checkpoint signature: its signature is wrong: edited." in said


def test_json(signed: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert verified(ENTRIES[:2], signed, as_json=True) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verified"] is False
    assert [(p["kind"], p["sequence"]) for p in document["problems"]] == [("truncated", 3)]
    assert (document["entries"], document["anchored_to"], document["checkpoints"]) == (2, 2, 1)


def test_wrong_files_are_a_usage_error(
    signed: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints, public_key = signed
    for one, other in ((checkpoints, None), (None, public_key), (checkpoints, checkpoints), (tmp_path, public_key)):
        assert run_verify(iter(ENTRIES), checkpoints=one, public_key=other, as_json=False) == 2
        shown = capsys.readouterr()
        assert shown.err.strip()
        assert shown.out == ""


def test_an_export_is_verified_elsewhere(tmp_path: Path) -> None:
    out = tmp_path / "audit.jsonl"
    entries = [*ENTRIES, *chain([event(actor="\udc80\u2028\x00")], ENTRIES[-1])]
    assert run_export(iter(entries), format="jsonl", out=out) == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with out.open(encoding="utf-8") as lines:
        assert list(from_lines(lines)) == entries
    with out.open(encoding="utf-8") as lines:
        assert verified(list(from_lines(lines))) == 0


def test_an_export_as_audit_messages(tmp_path: Path) -> None:
    out = tmp_path / "audit.xml"
    assert run_export(iter(ENTRIES), format="atna", out=out) == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    assert [ElementTree.fromstring(line).tag for line in lines] == ["AuditMessage"] * 4


def test_an_export_as_fhir(tmp_path: Path) -> None:
    out = tmp_path / "audit.ndjson"
    assert run_export(iter(ENTRIES), format="fhir", out=out) == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    assert [Model.model_validate_json(line).id for line in lines] == [entry.sha256 for entry in ENTRIES]


def test_an_entry_that_is_none_stops_an_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "audit.ndjson"
    out.write_text("older")
    forged = [ENTRIES[0], replace(ENTRIES[1], text=f'{{"patient":"{MARKER}"}}')]
    assert run_export(iter(forged), format="fhir", out=out) == 1
    assert "entry 2" in (said := capsys.readouterr().err)
    assert MARKER not in said
    assert out.read_text() == "older"
    assert [p.name for p in tmp_path.iterdir()] == ["audit.ndjson"]
    # As it stands it can still be exported: the evidence is kept.
    assert run_export(iter(forged), format="jsonl", out=out) == 0


def test_an_export_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_export(iter(ENTRIES), format="jsonl", out=tmp_path / "nowhere" / "audit.jsonl") == 2
    assert "nothing was written" in capsys.readouterr().err


def test_a_reader_of_the_chain_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[AuditEntry]:
        yield ENTRIES[0]
        raise SettingsError("database", found="a", expected="b", action="c")

    with pytest.raises(SettingsError):
        run_export(broken(), format="jsonl", out=tmp_path / "audit.jsonl")
    assert os.listdir(tmp_path) == []  # noqa: PTH208


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "{}", to_line(ENTRIES[1]).replace("2,", '"2",', 1), to_line(ENTRIES[1]).replace('"text"', '"t"')],
)
def test_a_line_that_is_no_entry(line: str) -> None:
    with pytest.raises(SettingsError) as raised:
        list(from_lines([to_line(ENTRIES[0]), line]))
    assert raised.value.code == "audit_export"
    assert "line 2" in str(raised.value)
    assert "MARKER" not in str(raised.value)
