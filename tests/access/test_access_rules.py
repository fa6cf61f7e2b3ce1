"""Passwords, sessions, waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolucent.access import limits, passwords
from radiolucent.errors import InputRefused

GOOD = "seven green lamps"


def test_a_password_is_kept_as_a_hash_that_knows_it() -> None:
    kept = passwords.hashed(GOOD, name="ana")
    assert kept.startswith("$argon2id$")
    assert GOOD not in kept
    assert passwords.is_right(kept, GOOD)
    assert not passwords.is_right(kept, GOOD + ".")
    assert not passwords.is_right(None, GOOD)
    assert not passwords.is_right("no hash", GOOD)


@pytest.mark.parametrize(
    "weak", ["tiny1", "aaaaaaaaaaaaaaaa", "radiolucent1!", "password2026", "ana is my name, yes", "x" * 300]
)
def test_weak_passwords(weak: str) -> None:
    with pytest.raises(InputRefused) as told:
        passwords.hashed(weak, name="ana")
    assert told.value.code == "password_weak"
    assert weak not in str(told.value)


@pytest.mark.parametrize(
    ("seen_s", "begun_s", "over"),
    [(0, 0, False), (99, 99, False), (101, 101, True), (1, 999, False), (1, 1001, True), (-1, 5, True)],
)
def test_the_end_of_a_session(seen_s: float, begun_s: float, over: bool) -> None:
    now = 5000.0
    found = limits.is_over(begun_at=now - begun_s, seen_at=now - seen_s, now=now, idle_s=100, longest_s=1000)
    assert found == over


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_waits_grow_and_end(of_name: int, of_peer: int) -> None:
    wait = limits.wait_s(of_name, of_peer)
    assert 0 <= wait <= limits.LONGEST_WAIT_S
    assert wait <= limits.wait_s(of_name + 1, of_peer)
    assert (wait == 0) == (of_name < limits.FREE_OF_NAME and of_peer < limits.FREE_OF_PEER)


def test_secrets_differ_and_their_digests_tell_nothing() -> None:
    first, second = limits.secret(), limits.secret()
    assert first != second
    assert len(first) >= 40
    assert limits.digest(first) == limits.digest(first) != first
