"""The worklist, its changes as they come, and the vocabulary of decisions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from radiolucent.web.api.answers import described
from radiolucent.web.api.caller import Caller, caller_of
from radiolucent.web.api.models import WorklistQuery
from radiolucent.web.api.ports import Desk, Json, Wanted
from radiolucent.web.api.study_answers import Vocabulary, Worklist

LOOK_S, COMMENT_S, LONGEST_S = 1.0, 15.0, 60.0
"""A stream ends after a minute and the browser asks again, so that it does not outlive the session."""
Calling = Annotated[Caller, Depends(caller_of)]


class Events(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


class Watch:
    """One look at the worklist's version a second, however many listen."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = asyncio.Lock()
        self._at, self._version = -LOOK_S, 0

    async def version(self) -> int:
        """The version, no older than a second."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._at >= LOOK_S:
                self._version = await run_in_threadpool(self._desk.version)
                self._at = now
            return self._version


def router(desk: Desk) -> APIRouter:
    """``/worklist``, ``/events``, ``/vocabulary``."""
    made = described()
    watch = Watch(desk)

    @made.post("/worklist", response_model=Worklist)
    def worklist(caller: Calling, query: WorklistQuery) -> Json:
        """What waits, most urgent first."""
        wanted = Wanted(
            states=frozenset(query.states),
            engines=frozenset(query.engines),
            findings=frozenset(query.findings),
            confidences=frozenset(query.confidences),
            flags=frozenset(query.flags),
            since=None if query.since is None else query.since.timestamp(),
            until=None if query.until is None else query.until.timestamp(),
            text=query.text,
            limit=query.limit,
        )
        return desk.worklist(caller, wanted)

    @made.get("/events", response_class=Events)
    async def events(request: Request) -> Response:
        """Server-sent events: a number whenever the worklist may have changed, and nothing of a patient."""
        return Events(_told(request, watch))

    @made.get("/vocabulary", response_model=Vocabulary)
    def vocabulary() -> Json:
        """Reasons and findings that a decision may name."""
        return desk.vocabulary()

    return made


async def _told(request: Request, watch: Watch) -> AsyncIterator[str]:
    before, silent = None, 0.0
    ends_at = asyncio.get_running_loop().time() + LONGEST_S
    while asyncio.get_running_loop().time() < ends_at and not await request.is_disconnected():
        version = await watch.version()
        if version != before:
            before, silent = version, 0.0
            yield f"event: worklist\ndata: {json.dumps({'version': version})}\n\n"
        elif silent >= COMMENT_S:
            silent = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(LOOK_S)
        silent += LOOK_S
