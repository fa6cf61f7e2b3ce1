"""Who may come in."""

from __future__ import annotations

import pytest

from radiolucent.errors import SettingsError
from radiolucent.ingest.callers import callers, networks_of
from radiolucent.settings import Caller


def test_without_any_entry_only_this_machine_may_call() -> None:
    nobody_named = callers(())
    assert nobody_named.allows("ANY", "127.0.0.1")
    assert nobody_named.allows("ANY", "127.8.9.1")
    assert nobody_named.allows_host("::1")
    assert not nobody_named.allows("ANY", "10.0.0.1")
    assert not nobody_named.allows_host("2001:db8::1")


@pytest.mark.parametrize(
    ("title", "host", "allowed"),
    [
        ("CT", "10.1.2.3", True),
        ("CT ", "10.1.2.3", True),
        ("CT", "10.2.2.3", False),
        ("ct", "10.1.2.3", False),
        ("MR", "10.1.2.3", False),
        ("MR", "192.168.0.9", True),
        ("MR", "192.168.0.8", False),
        ("ANY", "172.16.0.1", True),
        ("", "172.16.0.1", True),
        ("OPEN", "8.8.8.8", True),
        ("CT", "::ffff:10.1.2.3", True),
        ("V6", "2001:db8::7", True),
        ("V6", "2001:db8::7%eth0", True),
        ("V6", "2001:db9::7", False),
        ("CT", "not an address", False),
        ("CT", "", False),
    ],
)
def test_title_and_host_must_belong_together(title: str, host: str, allowed: bool) -> None:
    rows = [
        Caller(ae_title="CT", host="10.1.0.0/16"),
        Caller(ae_title="MR", host="192.168.0.9"),
        Caller(ae_title="*", host="172.16.0.1"),
        Caller(ae_title="OPEN"),
        Caller(ae_title="V6", host="2001:db8::/32"),
    ]
    assert callers(rows).allows(title, host) == allowed


def test_a_host_alone_is_let_to_the_door_if_any_entry_knows_it() -> None:
    found = callers([Caller(ae_title="CT", host="10.1.0.0/16")])
    assert found.allows_host("10.1.9.9")
    assert not found.allows_host("10.2.0.1")
    assert not found.allows_host("127.0.0.1")


def test_names_are_looked_up() -> None:
    assert callers([Caller(ae_title="*", host="localhost")]).allows("ANY", "127.0.0.1")


def test_a_network_may_be_written_by_any_of_its_addresses() -> None:
    assert [str(n) for n in networks_of("10.1.2.3/16")] == ["10.1.0.0/16"]


@pytest.mark.parametrize("host", ["no such host.invalid", "10.1.0.0/99", "host name"])
def test_a_host_that_is_nothing_stops_the_start(host: str) -> None:
    with pytest.raises(SettingsError, match="caller_host"):
        callers([Caller(ae_title="*", host=host)])
