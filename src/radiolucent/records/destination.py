"""Where DICOM goes to and comes from: how to reach a peer, and what a destination can show."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Literal

ProfileName = Literal["orthanc", "ohif", "weasis", "old-pacs"]
DicomProtocol = Literal["dimse", "stow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DimsePeer:
    """An application entity of the hospital, called by its title (PS3.8).

    Parameters
    ----------
    called_ae_title, calling_ae_title
        Its title and ours.
    connect_timeout_s
        For the connection with its TLS handshake.
    acse_timeout_s
        For the answer to an association request or release.
    dimse_timeout_s
        For the answer to one request; sending an object is given more time by its size.
    network_timeout_s
        How long an open association may be silent, and one write to it may take.
    max_pdu_bytes
        Largest PDU we take; 0 takes any. The peer says itself how large those it takes may be.
    tls
        Context that checks the peer and may show a certificate of ours; ``None`` talks in the clear.
    """

    host: str
    port: int
    called_ae_title: str
    calling_ae_title: str = "RADIOLUCENT"
    connect_timeout_s: float = 10.0
    acse_timeout_s: float = 30.0
    dimse_timeout_s: float = 30.0
    network_timeout_s: float = 60.0
    max_pdu_bytes: int = 131_072
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPeer:
    """A DICOMweb server (PS3.18) by its base address, such as ``https://pacs/dicom-web``.

    Parameters
    ----------
    token
        Bearer token; else ``user`` with ``password`` for basic authentication; else neither.
    connect_timeout_s
        For the connection with its TLS handshake.
    timeout_s
        For one read or write; a server that answers in time may take longer as a whole.
    tls
        Context that checks the server and may show a certificate of ours; ``None`` trusts the usual authorities.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    connect_timeout_s: float = 10.0
    timeout_s: float = 30.0
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomDestination:
    """Where our objects are sent.

    Parameters
    ----------
    profile
        Which kinds of objects it can show.
    wants_commitment
        Whether it is asked to commit itself to keep what it stored (PS3.4 annex J); by DIMSE only.
    """

    name: str
    peer: DimsePeer | WebPeer
    profile: ProfileName = "orthanc"
    wants_commitment: bool = False

    @property
    def protocol(self) -> DicomProtocol:
        """How it is reached."""
        return "dimse" if isinstance(self.peer, DimsePeer) else "stow"
