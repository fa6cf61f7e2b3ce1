"""Send one HL7 message by MLLP and wait for its acknowledgement."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass

import hl7

from radiolucent.errors import PeerRefused, PeerUnavailable
from radiolucent.standards.mllp import Decoder, frame

MAX_ACKNOWLEDGEMENT_BYTES = 64 * 1024
_READ_BYTES = 16 * 1024
_DONE = frozenset(("AA", "CA"))
_AGAIN = frozenset(("AE", "CE"))
_NEVER = frozenset(("AR", "CR"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpPeer:
    """A listener.

    Parameters
    ----------
    connect_timeout_s, answer_timeout_s
        For the connection with its TLS handshake; for sending and the whole acknowledgement.
    tls
        Context that checks the peer and may show a certificate of ours; ``None`` sends in the clear.
    """

    host: str
    port: int
    connect_timeout_s: float = 10.0
    answer_timeout_s: float = 30.0
    tls: ssl.SSLContext | None = None


def send(payload: bytes, control_id: str, peer: MllpPeer) -> str:
    """Send a message and return the acknowledgement code, ``AA`` or ``CA``, once the peer has taken it.

    One connection carries one message, so an acknowledgement that comes too late can never be taken for that of the
    next message. A message must be sent again unchanged: its control id tells the peer that it has it already.

    Parameters
    ----------
    payload
        The message without its frame.
    control_id
        Its MSH-10, which MSA-2 must repeat.

    Raises
    ------
    PeerUnavailable
        To be tried again: ``hl7_unreachable``, ``hl7_tls``, ``hl7_no_acknowledgement``,
        ``hl7_garbled_acknowledgement``, ``hl7_wrong_acknowledgement``, ``hl7_application_error`` (AE or CE).
    PeerRefused
        ``hl7_rejected`` (AR or CR): the same message would be rejected again.
    ValueError
        The payload cannot be framed.
    """
    framed = frame(payload)
    with _connected(peer) as line:
        answer = _exchange(line, framed, time.monotonic() + peer.answer_timeout_s)
    return _judged(answer, control_id)


@contextlib.contextmanager
def _connected(peer: MllpPeer) -> Iterator[socket.socket]:
    try:
        plain = socket.create_connection((peer.host, peer.port), timeout=peer.connect_timeout_s)
    except OSError as error:
        raise PeerUnavailable(
            "hl7_unreachable",
            found="a host or port that does not answer",
            expected="an MLLP listener",
            action="It is tried again; see that the listener runs and the address is right.",
        ) from error
    with plain:
        if peer.tls is None:
            yield plain
            return
        try:
            secured = peer.tls.wrap_socket(plain, server_hostname=peer.host)
        except OSError as error:
            raise PeerUnavailable(
                "hl7_tls",
                found="a TLS handshake that failed",
                expected="certificates that each side trusts, and a common version",
                action="It is tried again; see to the certificates of this destination.",
            ) from error
        with secured:
            yield secured


def _exchange(line: socket.socket, framed: bytes, deadline: float) -> bytes:
    decoder = Decoder(MAX_ACKNOWLEDGEMENT_BYTES)
    try:
        line.settimeout(max(0.001, deadline - time.monotonic()))
        line.sendall(framed)
        while (left := deadline - time.monotonic()) > 0:
            line.settimeout(left)
            data = line.recv(_READ_BYTES)
            if not data:
                break
            for answer in decoder.feed(data):
                if answer.fault is not None:
                    raise _garbled()
                return answer.payload
    except OSError as error:
        raise _silent() from error
    raise _silent()


def _judged(answer: bytes, control_id: str) -> str:
    code, acknowledged, condition = _read(answer)
    if code not in _DONE | _AGAIN | _NEVER:
        raise _garbled()
    # A listener that could not even read our header has no control id to repeat; its no still is a no.
    if acknowledged != control_id and (acknowledged or code in _DONE):
        raise PeerUnavailable(
            "hl7_wrong_acknowledgement",
            found="an acknowledgement of another message",
            expected="the control id of this message in MSA-2",
            action="It is tried again; the listener must repeat MSH-10 in MSA-2.",
        )
    if code in _AGAIN:
        raise PeerUnavailable(
            "hl7_application_error",
            found=f"{code}{condition}",
            expected="AA or CA",
            action="It is tried again; the log of the listener tells what was wrong.",
        )
    if code in _NEVER:
        raise PeerRefused(
            "hl7_rejected",
            found=f"{code}{condition}",
            expected="AA or CA",
            action="It is not tried again; the listener's operator must say why, then send it again by hand.",
        )
    return code


def _read(answer: bytes) -> tuple[str, str, str]:
    """MSA-1, MSA-2, and the condition of ERR in words of ours. Its free text is not read: it may name the patient."""
    # Codes and our own control ids are ASCII in every character set; Latin-1 reads any byte.
    text = answer.decode("latin-1").replace("\r\n", "\r").replace("\n", "\r")
    try:
        parsed = hl7.parse(text)
        msa = next(each for each in parsed if str(each[0]) == "MSA")
        condition = next((_condition(each) for each in parsed if str(each[0]) == "ERR"), "")
        return str(msa[1]).strip(), str(msa[2]).strip() if len(msa) > 2 else "", condition
    except (hl7.HL7Exception, ValueError, IndexError, StopIteration, AssertionError):
        # python-hl7 asserts that the delimiters differ.
        raise _garbled() from None


def _condition(err: hl7.Segment) -> str:
    """ERR-3.1 where it is a number of HL7 table 0357."""
    code = str(err[3]).split("^")[0] if len(err) > 3 else ""
    return f" with condition {code}" if code.isascii() and code.isdigit() and len(code) == 3 else ""


def _garbled() -> PeerUnavailable:
    return PeerUnavailable(
        "hl7_garbled_acknowledgement",
        found="an answer that is no acknowledgement",
        expected="MSH and MSA with AA, AE, AR, CA, CE or CR",
        action="It is tried again; see what listens at this address.",
    )


def _silent() -> PeerUnavailable:
    return PeerUnavailable(
        "hl7_no_acknowledgement",
        found="no whole acknowledgement in time",
        expected="one within the time-out of this destination",
        action="It is tried again.",
    )
