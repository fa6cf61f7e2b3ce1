"""Events as canonical text, and their place in the chain."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from audit_cases import AT, event, events
from hypothesis import given

from radiolucent.audit.canonical import GENESIS, canonical, digest, link, parse
from radiolucent.errors import InvariantBroken
from radiolucent.records.audit import AuditEvent

GOLDEN = (
    '{"action":"receive","actor":"CT_ONE","at":"2026-03-04T05:06:07.000089Z","details":{"images":"3"},'
    '"outcome":"success","patient_id":"PAT-1","peer":"10.0.0.7:49152",'
    '"study_instance_uid":"1.2.826.0.1.3680043.8.498.1"}'
)


def test_the_text_never_changes() -> None:
    assert canonical(event()) == GOLDEN


def test_the_hash_never_changes() -> None:
    first = link(None, event())
    second = link(first, event())
    domain = b"radiolucent audit entry 1\x00"
    assert first.previous_sha256 == GENESIS == "0" * 64
    assert (first.sequence, first.text) == (1, GOLDEN)
    assert first.sha256 == hashlib.sha256(domain + bytes(32) + bytes(7) + b"\x01" + GOLDEN.encode()).hexdigest()
    assert first.sha256 == "e481dc498690ba21ad52f77d5c31e63fa1d25db0c5e21a0bf588e9262cfae91f"
    assert (second.sequence, second.previous_sha256) == (2, first.sha256)
    before = bytes.fromhex(first.sha256) + bytes(7) + b"\x02"
    assert second.sha256 == hashlib.sha256(domain + before + GOLDEN.encode()).hexdigest()


@given(events)
def test_round_trip_is_exact(one: AuditEvent) -> None:
    text = canonical(one)
    again = parse(text)
    assert again == one
    assert canonical(again) == text
    assert "\n" not in text
    text.encode("utf-8")
    assert link(None, again) == link(None, one)


@given(events)
def test_the_text_is_canonical_json(one: AuditEvent) -> None:
    text = canonical(one)
    pairs = json.loads(text, object_pairs_hook=list)
    details = dict(pairs)["details"]
    for members in (pairs, details):
        keys = [key.encode("utf-16-be", "surrogatepass") for key, _ in members]
        assert keys == sorted(keys)
    rebuilt = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    assert rebuilt.encode("utf-8", "surrogatepass").count(b" ") == text.count(" ")


def test_keys_are_sorted_by_utf16_code_units() -> None:
    # U+1F600 is D83D DE00 in UTF-16, so it comes before U+FB33, although its code point is higher (RFC 8785, 3.2.3).
    text = canonical(event(details={"\ufb33": "b", "\U0001f600": "a", "\r": "c"}))
    assert '"details":{"\\r":"c","\U0001f600":"a","\ufb33":"b"}' in text


def test_characters_are_kept_and_controls_escaped() -> None:
    text = canonical(event(actor='Müller "x"\\\x00\x1f\x7f/', patient_id="\udcff"))
    assert '"actor":"Müller \\"x\\"\\\\\\u0000\\u001f\x7f/"' in text
    assert '"patient_id":"\\udcff"' in text


def test_time_is_utc_with_microseconds() -> None:
    local = datetime(2026, 3, 4, 7, 36, 7, 89, tzinfo=timezone(timedelta(hours=2, minutes=30)))
    assert canonical(event(at=local)) == GOLDEN
    assert parse(canonical(event(at=local))).at.tzinfo == UTC
    assert '"at":"2026-03-04T05:06:07.000000Z"' in canonical(event(at=AT.replace(microsecond=0)))


def test_a_time_without_zone_is_a_defect() -> None:
    with pytest.raises(InvariantBroken) as raised:
        canonical(event(at=datetime(2026, 3, 4)))
    assert raised.value.code == "audit_time"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        GOLDEN.replace(",", ", ", 1),
        GOLDEN.replace('"success"', '"fine"'),
        GOLDEN.replace('"receive"', '"burn"'),
        GOLDEN.replace('"CT_ONE"', "1"),
        GOLDEN.replace('"3"', "3"),
        GOLDEN.replace('{"images":"3"}', "null"),
        GOLDEN.replace("000089Z", "000089"),
        GOLDEN.replace("000089Z", "000089+00:00"),
        GOLDEN.replace('"peer"', '"port"'),
        GOLDEN[:-1] + ',"x":"y"}',
        GOLDEN.replace('"actor":"CT_ONE"', '"actor":"A","actor":"CT_ONE"'),
        GOLDEN.replace("CT_ONE", "CT\\u005fONE"),
    ],
)
def test_any_other_text_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(InvariantBroken) as raised:
        parse(text)
    assert raised.value.code == "audit_text"
    assert "PAT-1" not in str(raised.value)


@pytest.mark.parametrize(
    ("previous", "sequence", "text"),
    [("00", 1, ""), ("x" * 64, 1, ""), (GENESIS, 0, ""), (GENESIS, 2**63, ""), (GENESIS, 1, "\ud800")],
)
def test_parts_that_no_entry_has(previous: str, sequence: int, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        digest(previous, sequence, text)
