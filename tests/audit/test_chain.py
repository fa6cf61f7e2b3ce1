"""Any single change of a chain is found, and told with its place."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest
from audit_cases import anchors, chain, event, events, plain_chain
from hypothesis import assume, given
from hypothesis import strategies as st

from radiolucent.audit.canonical import GENESIS, digest, link
from radiolucent.audit.chain import MOST_PROBLEMS, verify
from radiolucent.records.audit import AuditEntry, AuditEvent

Entries = list[AuditEntry]


def found(entries: Entries, signed: Entries | None = None) -> list[tuple[str, int]]:
    result = verify(entries, None if signed is None else anchors(signed))
    assert result.verified == (not result.problems)
    assert result.problem_count == len(result.problems)
    return [(problem.kind, problem.sequence) for problem in result.problems]


def rehashed(entry: AuditEntry) -> AuditEntry:
    return replace(entry, sha256=digest(entry.previous_sha256, entry.sequence, entry.text))


def test_a_sound_chain() -> None:
    entries = plain_chain(4)
    result = verify(entries, anchors(entries[1:3]))
    assert result.verified
    assert (result.entries, result.last_sequence, result.last_sha256) == (4, 4, entries[-1].sha256)
    assert (result.checkpoints, result.anchored_to, result.clock_steps_back) == (2, 3, 0)


def test_an_empty_chain() -> None:
    result = verify([])
    assert result.verified
    assert (result.last_sequence, result.last_sha256) == (0, GENESIS)


def test_an_edit_is_found_where_it_is() -> None:
    entries = plain_chain(5)
    entries[2] = replace(entries[2], text=entries[2].text.replace("CT_ONE", "CT_TWO"))
    assert found(entries) == [("edited", 3)]


def test_an_edit_with_its_own_hash_shows_in_the_next() -> None:
    entries = plain_chain(5)
    entries[2] = rehashed(replace(entries[2], text=entries[2].text.replace("CT_ONE", "CT_TWO")))
    assert found(entries) == [("broken_link", 4)]


def test_what_was_taken_out() -> None:
    entries = plain_chain(6)
    assert found(entries[:2] + entries[3:]) == [("missing", 3)]
    assert found(entries[3:]) == [("missing", 1)]
    result = verify(entries[:1] + entries[4:])
    assert "entries 2 to 4" in result.problems[0].text


def test_what_was_put_in() -> None:
    entries = plain_chain(4)
    forged = link(entries[1], event(actor="EVIL"))
    assert found([*entries[:2], forged, *entries[2:]]) == [("duplicated", 3), ("broken_link", 4)]
    assert found([*entries, entries[1]]) == [("out_of_order", 2)]
    assert found([*entries[:2], entries[1], *entries[2:]]) == [("duplicated", 2)]


def test_what_was_moved() -> None:
    entries = plain_chain(5)
    assert found([entries[0], entries[2], entries[1], *entries[3:]]) == [("missing", 2), ("out_of_order", 2)]
    # Contents swapped in place, as an UPDATE of two rows would.
    one, two = entries[1], entries[2]
    entries[1], entries[2] = replace(two, sequence=2), replace(one, sequence=3)
    assert ("edited", 2) in found(entries)
    assert ("edited", 3) in found(entries)


def test_a_text_of_ours_only() -> None:
    before = link(None, event())
    text = '{"action":"nothing"}'
    forged = AuditEntry(sequence=2, text=text, previous_sha256=before.sha256, sha256=digest(before.sha256, 2, text))
    assert found([before, forged]) == [("unreadable", 2)]


@pytest.mark.parametrize("sequence", [0, -1, 2**63])
def test_impossible_numbers(sequence: int) -> None:
    entries = plain_chain(2)
    assert found([*entries, replace(entries[1], sequence=sequence)])


def test_a_cut_end_needs_a_checkpoint() -> None:
    entries = plain_chain(5)
    assert found(entries[:3]) == []
    assert found(entries[:3], entries[1:2]) == []
    assert found(entries[:3], [entries[1], entries[3], entries[4]]) == [("truncated", 4)]
    assert found([], entries[4:]) == [("truncated", 1)]


def test_a_chain_computed_anew_needs_a_checkpoint() -> None:
    entries = plain_chain(5)
    forged = chain([event(actor="EVIL"), *(event(minutes=i) for i in range(2, 5))], entries[0])
    rewritten = [entries[0], *forged]
    assert found(rewritten) == []
    assert found(rewritten, [entries[0], entries[2], entries[4]]) == [("rewritten", 3), ("rewritten", 5)]
    result = verify(rewritten, anchors([entries[0], entries[2]]))
    assert (result.checkpoints, result.anchored_to) == (1, 1)


def test_a_clock_that_goes_back_is_counted_and_no_problem() -> None:
    result = verify(chain(event(minutes=m) for m in (5, 6, 1, 2, 0)))
    assert result.verified
    assert result.clock_steps_back == 2


def test_problems_are_counted_without_end_and_kept_with_one() -> None:
    entries = [replace(entry, sha256=GENESIS) for entry in plain_chain(MOST_PROBLEMS + 5)]
    result = verify(entries)
    assert len(result.problems) == MOST_PROBLEMS
    assert result.problem_count >= MOST_PROBLEMS + 5


def test_memory_is_flat() -> None:
    def many(count: int) -> Iterator[AuditEntry]:
        last = None
        for minute in range(count):
            last = link(last, event(minutes=minute))
            yield last

    def signed(count: int) -> Iterator[AuditEntry]:
        yield from many(count)

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            one_by_one = (next(anchors([entry])) for entry in signed(count))
            assert verify(many(count), one_by_one).verified
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(3000) < peak(300) + 100_000


def mutated(entries: Entries, draw: st.DrawFn) -> Entries:
    """One change that an attacker with the database could make."""
    at = draw(st.integers(0, len(entries) - 1))
    other = draw(st.integers(0, len(entries) - 1))
    forged = draw(events)
    one = entries[at]
    after = entries[at - 1] if at else None
    kind = draw(st.sampled_from(("text", "rehash", "field", "delete", "copy", "insert", "swap", "cut", "anew")))
    match kind:
        case "text" | "rehash":
            changed = replace(one, text=link(after, forged).text)
            return [*entries[:at], rehashed(changed) if kind == "rehash" else changed, *entries[at + 1 :]]
        case "field":
            field = draw(st.sampled_from(("sequence", "previous_sha256", "sha256")))
            value = draw(st.integers(-3, 12)) if field == "sequence" else f"{draw(st.integers(0, 2**256 - 1)):064x}"
            return [*entries[:at], replace(one, **{field: value}), *entries[at + 1 :]]
        case "delete":
            return entries[:at] + entries[at + 1 :]
        case "copy":
            return [*entries[:other], one, *entries[other:]]
        case "insert":
            return [*entries[:at], link(after, forged), *entries[at:]]
        case "swap":
            swapped = list(entries)
            swapped[at], swapped[other] = swapped[other], swapped[at]
            return swapped
        case "cut":
            return entries[:at]
        case _:
            rest = [forged, *(event(minutes=m) for m in range(at + 1, len(entries)))]
            return entries[:at] + chain(rest, after)


@given(st.data(), st.lists(events, min_size=1, max_size=6))
def test_any_single_change_is_found(data: st.DataObject, happened: list[AuditEvent]) -> None:
    entries = chain(happened)
    assert verify(entries, anchors(entries[-1:])).verified
    changed = data.draw(st.composite(lambda draw: mutated(entries, draw))())
    assume(changed != entries)
    assert not verify(changed, anchors(entries[-1:])).verified
