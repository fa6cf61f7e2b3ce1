"""The addresses of the DICOMweb server, to be mounted anywhere behind authentication."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from radiolucent.errors import SettingsError
from radiolucent.web.dicomweb.archive import Archive, Receiver
from radiolucent.web.dicomweb.limits import WebLimits
from radiolucent.web.dicomweb.problems import answering
from radiolucent.web.dicomweb.retrieve import Retrieving
from radiolucent.web.dicomweb.search import Searching
from radiolucent.web.dicomweb.store import Storing

STUDY = "/studies/{study}"
SERIES = STUDY + "/series/{series}"
INSTANCE = SERIES + "/instances/{instance}"
EXPOSED = ("Content-Location", "Content-Type", "ETag", "Warning", "Retry-After")


def dicomweb_routes(
    archive: Archive, receiver: Receiver, limits: WebLimits | None = None, *, public_url: str | None = None
) -> list[Route]:
    """Routes of QIDO-RS, WADO-RS and STOW-RS. They ask for no credentials: put them behind what does.

    Parameters
    ----------
    public_url
        Address of the service as clients see it (behind a proxy), without a slash at its end; by default the address
        they called.
    """
    limits = limits or WebLimits()
    search = Searching(archive, limits, public_url=public_url)
    retrieve = Retrieving(archive, limits, public_url=public_url)
    store = Storing(receiver, limits, public_url=public_url)
    reads: list[tuple[str, Callable[[Request], Response]]] = [
        ("/studies", search.studies),
        ("/series", search.series),
        ("/instances", search.instances),
        (f"{STUDY}/series", search.series),
        (f"{STUDY}/instances", search.instances),
        (f"{SERIES}/instances", search.instances),
        *((path, retrieve.instances) for path in (STUDY, SERIES, INSTANCE)),
        *((f"{path}/metadata", retrieve.metadata) for path in (STUDY, SERIES, INSTANCE)),
        (f"{INSTANCE}/rendered", retrieve.rendered),
        (INSTANCE + "/frames/{frames}", retrieve.frames),
        (INSTANCE + "/frames/{frames}/rendered", retrieve.rendered),
        (INSTANCE + "/bulkdata/{path:path}", retrieve.bulkdata),
    ]
    writes = [Route(path, store.store, methods=["POST"]) for path in ("/studies", STUDY)]
    return [Route(path, answering(handler), methods=["GET"]) for path, handler in reads] + writes


def cors(allowed_origins: Sequence[str]) -> list[Middleware]:
    """What lets web viewers of other origins in; it belongs outside authentication, since a preflight has none.

    Raises
    ------
    SettingsError
        ``cors_origin`` for a wildcard: any page that a user opens could then read patients.
    """
    if any("*" in origin or not origin.startswith(("http://", "https://")) for origin in allowed_origins):
        raise SettingsError(
            "cors_origin",
            found="an allowed origin with a wildcard, or without scheme",
            expected="origins such as https://viewer.hospital.example",
            action="Name each viewer's origin.",
        )
    if not allowed_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(allowed_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Accept", "If-None-Match"],
            expose_headers=list(EXPOSED),
        )
    ]


def dicomweb_app(
    archive: Archive,
    receiver: Receiver,
    limits: WebLimits | None = None,
    *,
    allowed_origins: Sequence[str] = (),
    public_url: str | None = None,
) -> Starlette:
    """An application of its own with these routes.

    Raises
    ------
    SettingsError
        ``cors_origin``.
    """
    routes = dicomweb_routes(archive, receiver, limits, public_url=public_url)
    return Starlette(routes=routes, middleware=cors(allowed_origins))
