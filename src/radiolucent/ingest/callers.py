"""Who may come in: pairs of application entity title and host."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from radiolucent.errors import SettingsError
from radiolucent.settings import Caller

ANYONE = "*"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
EVERYWHERE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class Callers:
    """An allow-list. Without any entry only this machine may call, under any title."""

    entries: tuple[tuple[str, tuple[Network, ...]], ...]

    def allows_host(self, address: str) -> bool:
        """Whether anybody at this address may call."""
        return any(_within(address, networks) for _, networks in self.entries)

    def allows(self, ae_title: str, address: str) -> bool:
        """Whether this title may call from this address."""
        return any(title in (ANYONE, ae_title.strip()) and _within(address, nets) for title, nets in self.entries)


def callers(rows: Sequence[Caller]) -> Callers:
    """The allow-list of the settings; names of hosts are looked up once.

    Raises
    ------
    SettingsError
        ``caller_host`` for a host that is no address, no network and not known by name.
    """
    if not rows:
        return Callers(((ANYONE, LOOPBACK),))
    return Callers(tuple((row.ae_title.strip(), networks_of(row.host)) for row in rows))


def networks_of(host: str) -> tuple[Network, ...]:
    """The networks that a host row means.

    Raises
    ------
    SettingsError
        ``caller_host``.
    """
    if host == ANYONE:
        return EVERYWHERE
    try:
        return (ipaddress.ip_network(host, strict=False),)
    except ValueError:
        pass
    try:
        found = {str(row[4][0]).split("%")[0] for row in socket.getaddrinfo(host, None)}
    except OSError as error:
        raise SettingsError(
            "caller_host",
            found="a caller's host that is no address, no network and not known by name",
            expected="an address, a network such as 10.1.0.0/16, a name that resolves, or *",
            action="Mend dicom.callers or mllp.allowed_hosts in the settings file.",
        ) from error
    return tuple(ipaddress.ip_network(address) for address in sorted(found))


def _within(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        found = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in networks)
