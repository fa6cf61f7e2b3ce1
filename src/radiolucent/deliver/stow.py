"""Send our objects by STOW-RS (PS3.18 10.5), streamed from disk."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from radiolucent.deliver.parcels import Parcel, by_size, own_object_unreadable, read_parcels
from radiolucent.deliver.receipts import Sent, Tally
from radiolucent.deliver.stow_answer import Answer, read_answer
from radiolucent.errors import PeerRefused, PeerUnavailable
from radiolucent.records.destination import WebPeer
from radiolucent.standards import dicomweb_refusals, dimse_refusals

REQUEST = "STOW-RS"
MOST_BYTES = 64 * 1024 * 1024
MOST_FILES = 100
"""Of one request: so that a server need not hold much, and what it has taken before it fails is known."""
MOST_ANSWER_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_TELLING = frozenset((200, 202, 409))
"""All stored, some stored, none stored: the answer names each instance (PS3.18 table 10.5.3-1)."""


def store(paths: Sequence[Path], peer: WebPeer) -> Sent:
    """Send files, some to a request. An instance is stored when the server names it as stored, and not before.

    Raises
    ------
    InvariantBroken
        ``own_object_unreadable``. What the server does is told by the result, not raised.
    """
    parcels = read_parcels(paths)
    tally = Tally()
    with _client(peer) as client:
        for group in by_size(parcels, most_bytes=MOST_BYTES, most=MOST_FILES):
            try:
                _note(_post(client, peer, group), group, tally)
            except PeerRefused as error:
                tally.failed(error)
            except PeerUnavailable as error:
                tally.failed(error)
                break
    return tally.sent(parcel.sop_instance_uid for parcel in parcels)


def _client(peer: WebPeer) -> httpx.Client:
    headers = {} if peer.token is None else {"Authorization": f"Bearer {peer.token}"}
    basic = peer.token is None and peer.user is not None
    return httpx.Client(
        verify=True if peer.tls is None else peer.tls,
        auth=httpx.BasicAuth(peer.user or "", peer.password or "") if basic else None,
        headers={"Accept": "application/dicom+json, application/dicom+xml;q=0.5", "Accept-Encoding": "identity"}
        | headers,
        timeout=httpx.Timeout(peer.timeout_s, connect=peer.connect_timeout_s),
        trust_env=False,  # neither proxies nor passwords out of the environment
    )


def _post(client: httpx.Client, peer: WebPeer, group: Sequence[Parcel]) -> Answer:
    boundary = secrets.token_hex(16)
    lead, tail = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode(), f"--{boundary}--\r\n".encode()
    length = sum(len(lead) + parcel.size_bytes + 2 for parcel in group) + len(tail)
    try:
        with client.stream(
            "POST",
            f"{peer.url.rstrip('/')}/studies",
            content=_body(group, lead=lead, tail=tail),
            headers={
                "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
                "Content-Length": str(length),
            },
        ) as answer:
            if answer.status_code not in _TELLING:
                raise dicomweb_refusals.http_refused(answer.status_code, request=REQUEST)
            return read_answer(_bounded(answer))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise dicomweb_refusals.http_unreachable(request=REQUEST) from error


def _body(group: Sequence[Parcel], *, lead: bytes, tail: bytes) -> Iterator[bytes]:
    """The parts (RFC 2387), each file read as it leaves."""
    for parcel in group:
        yield lead
        try:
            with parcel.path.open("rb") as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise own_object_unreadable() from error
        yield b"\r\n"
    yield tail


def _bounded(answer: httpx.Response) -> bytes:
    found = bytearray()
    for chunk in answer.iter_bytes():
        found += chunk
        if len(found) > MOST_ANSWER_BYTES:
            raise dicomweb_refusals.answer_unreadable(request=REQUEST)
    return bytes(found)


def _note(answer: Answer, group: Sequence[Parcel], tally: Tally) -> None:
    for uid in (parcel.sop_instance_uid for parcel in group):
        reason = answer.failed.get(uid)
        if uid in answer.stored:
            tally.stored(uid, answer.stored[uid])
        elif reason is None:
            tally.failed(_unmentioned())
        elif reason == dimse_refusals.DUPLICATE_SOP_INSTANCE:  # it has the instance already
            tally.stored(uid, reason)
        else:
            tally.failed(dimse_refusals.refusal_of(reason))


def _unmentioned() -> PeerUnavailable:
    return PeerUnavailable(
        "object_unmentioned",
        found="an answer to STOW-RS that says nothing of an object",
        expected="each object named as stored or as failed",
        action="It is tried again; the server must answer as PS3.18 10.5.3 says.",
    )
