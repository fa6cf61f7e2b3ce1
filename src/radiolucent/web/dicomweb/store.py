"""STOW-RS: take instances in (PS3.18 10.5). Success is said only of what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import anyio
from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from radiolucent.errors import InputRefused, RadiolucentError
from radiolucent.prepare.identity import split_part10
from radiolucent.records.door import Offered
from radiolucent.web.dicomweb.answers import Target, accepted_by, base_of, target_of
from radiolucent.web.dicomweb.archive import Receiver
from radiolucent.web.dicomweb.limits import WebLimits
from radiolucent.web.dicomweb.media import DICOM, JSON, MULTIPART, Offer, choose, header
from radiolucent.web.dicomweb.multipart import ReceivedPart, RelatedReader, too_large, unsupported
from radiolucent.web.dicomweb.outcome import (
    Outcome,
    check_identity,
    reason_of,
    stated_identity,
    study_mismatch,
)
from radiolucent.web.dicomweb.problems import defect, not_acceptable, problem, status_of

SENDER = "STOW-RS"


class Storing:
    """The store transaction."""

    def __init__(self, receiver: Receiver, limits: WebLimits, *, public_url: str | None) -> None:
        self._receiver, self._limits, self._public_url = receiver, limits, public_url
        self._turns = asyncio.Semaphore(limits.parallel_stores)

    async def store(self, request: Request) -> Response:
        """``POST /studies`` and ``POST /studies/{study}``."""
        outcome = Outcome(base=base_of(request, self._public_url))
        try:
            target = target_of(request)
            if choose(accepted_by(request), [Offer(media_type=JSON)], multipart=False) is None:
                raise not_acceptable(JSON)
            self._check(request)
            async with self._turns:
                await self._take(request, target, outcome)
        except RadiolucentError as error:
            # What was kept before stays kept, and the sender must hear of it.
            return outcome.response(status=status_of(error), error=error) if outcome else problem(error)
        except Exception:  # noqa: BLE001  the last catch of a request
            return outcome.response(status=500) if outcome else defect()
        return outcome.response()

    def _check(self, request: Request) -> None:
        if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise unsupported("a compressed body", "a body without Content-Encoding")
        stated = request.headers.get("content-length", "")
        if stated.isascii() and stated.isdigit() and len(stated) < 20 and int(stated) > self._limits.max_request_bytes:
            raise self._too_much()

    def _too_much(self) -> InputRefused:
        return too_large(f"a request of more than {self._limits.max_request_bytes} bytes", "fewer instances at once")

    async def _take(self, request: Request, target: Target, outcome: Outcome) -> None:
        kind, parameters = header(request.headers.get("content-type", ""))
        peer = request.client.host if request.client is not None else ""
        if kind == DICOM:
            body = bytearray()
            async for chunk in self._chunks(request):
                body += chunk
                if len(body) > self._limits.max_part_bytes:
                    raise too_large(f"an instance of more than {self._limits.max_part_bytes} bytes", "less at once")
            await to_thread.run_sync(
                self._keep, ReceivedPart(content_type=kind, body=bytes(body)), target, peer, outcome
            )
            return
        if kind != MULTIPART or parameters.get("type", DICOM).lower() != DICOM:
            raise unsupported("a body of another media type", f'{MULTIPART}; type="{DICOM}", or {DICOM}')
        reader = RelatedReader(parameters.get("boundary", ""), self._limits)
        async for chunk in self._chunks(request):
            for part in reader.feed(chunk):
                await to_thread.run_sync(self._keep, part, target, peer, outcome)
        reader.close()

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        """The body as it comes, within the total and without long silences."""
        total, stream = 0, request.stream()
        while True:
            try:
                with anyio.fail_after(self._limits.idle_timeout_s):
                    chunk = await anext(stream, None)
            except (TimeoutError, ClientDisconnect) as silence:
                raise _stalled() from silence
            if chunk is None:
                return
            total += len(chunk)
            if total > self._limits.max_request_bytes:
                raise self._too_much()
            yield chunk

    def _keep(self, part: ReceivedPart, target: Target, peer: str, outcome: Outcome) -> None:
        """Offer one part to the door, and note what became of it."""
        identity = None
        try:
            if header(part.content_type or DICOM)[0] != DICOM:
                raise unsupported("a part of another media type", DICOM)
            dataset, syntax = split_part10(part.body)
            identity = stated_identity(dataset, syntax)
            check_identity(identity)
            if target.study is not None and identity.study != target.study:
                raise study_mismatch()
            self._receiver.keep(Offered(dataset=dataset, transfer_syntax_uid=syntax, sender=SENDER, peer=peer))
        except Exception as error:  # noqa: BLE001  whatever it was, the sender must keep the instance
            outcome.fail(reason_of(error), identity)
        else:
            outcome.keep(identity)


def _stalled() -> InputRefused:
    return InputRefused(
        "upload_stalled",
        found="a request whose body stopped coming",
        expected="bytes within the time limit",
        action="Send it again.",
    )
