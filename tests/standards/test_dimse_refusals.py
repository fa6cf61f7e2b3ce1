"""Every status and rejection has one meaning; the tables of PS3.4, PS3.7 and PS3.8, line by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

from radiolucent.errors import PeerRefused, PeerUnavailable
from radiolucent.standards import dimse_refusals


@pytest.mark.parametrize("status", [0x0000, 0x0001, 0x0107, 0x0111, 0x0116, 0xB000, 0xB006, 0xB007])
def test_what_is_stored(status):
    assert dimse_refusals.stored(status) == "done"


@pytest.mark.parametrize("status", [0xA700, 0xA701, 0xA7FF, 0x0110, 0x0213])
def test_what_may_succeed_later(status):
    assert dimse_refusals.stored(status) == "later"
    assert isinstance(dimse_refusals.refusal_of(status), PeerUnavailable)
    assert isinstance(dimse_refusals.request_refused(status, request="C-FIND"), PeerUnavailable)


@pytest.mark.parametrize("status", [0xA900, 0xA9FF, 0xC000, 0xC122, 0xCFFF, 0x0117, 0x0122, 0x0124, 0x0210, 0xFE00])
def test_what_the_operator_must_see_to(status):
    assert dimse_refusals.stored(status) == "never"
    assert isinstance(dimse_refusals.refusal_of(status), PeerRefused)


def test_agreement_with_the_table_of_pynetdicom():
    done = {status for status, (kind, _) in STORAGE_SERVICE_CLASS_STATUS.items() if kind in ("Success", "Warning")}
    assert {0x0000, 0xB000, 0xB006, 0xB007} <= done
    assert {status for status in STORAGE_SERVICE_CLASS_STATUS if dimse_refusals.stored(status) == "done"} == done | {
        0x0111
    }


@given(st.integers(0, 0xFFFF))
def test_every_status_has_an_error_that_says_it(status):
    error = dimse_refusals.refusal_of(status)
    assert f"{status:04X}" in error.found
    outcome = dimse_refusals.stored(status)
    if outcome != "done":
        assert isinstance(error, PeerUnavailable) is (outcome == "later")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0xA900, "does not match its SOP class"),
        (0xC000, "cannot understand"),
        (0xC122, "transfer syntax"),
        (0x0122, "SOP class is not supported"),
        (0x0124, "not authorised"),
    ],
)
def test_a_refusal_says_why(status, words):
    assert words in dimse_refusals.refusal_of(status).found


@pytest.mark.parametrize(
    ("result", "source", "reason", "kind", "words"),
    [
        (1, 1, 7, PeerRefused, "called application entity title"),
        (1, 1, 3, PeerRefused, "our calling application entity title"),
        (1, 1, 2, PeerRefused, "application context"),
        (1, 2, 2, PeerRefused, "protocol version"),
        (1, 1, 1, PeerRefused, "source 1, reason 1"),
        (2, 3, 1, PeerUnavailable, "for the moment"),
        (2, 3, 2, PeerUnavailable, "for the moment"),
    ],
)
def test_rejections(result, source, reason, kind, words):
    error = dimse_refusals.association_rejected(result, source, reason)
    assert isinstance(error, kind)
    assert words in error.found


def test_an_unknown_move_destination_is_said_plainly():
    assert "our own application entity title" in dimse_refusals.request_refused(0xA801, request="C-MOVE").found
    assert "our own" not in dimse_refusals.request_refused(0xA900, request="C-MOVE").found


def test_tls_is_named_where_it_may_be_the_cause():
    assert "TLS" in dimse_refusals.unreachable(by_tls=True).found
    assert "TLS" not in dimse_refusals.unreachable(by_tls=False).found
    assert UID("1.2").name in dimse_refusals.no_context(wanted=UID("1.2").name).found
