"""The HTTP door: the page, health, metrics, status, DICOMweb and FHIR."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from radiolucent.report.fhir.read import Answer, read, search
from radiolucent.web.access import DoorGate
from radiolucent.web.api.app import api
from radiolucent.web.api.ports import Access, Desks
from radiolucent.web.dicomweb.archive import Archive, Receiver
from radiolucent.web.dicomweb.limits import WebLimits
from radiolucent.web.dicomweb.routes import cors, dicomweb_routes
from radiolucent.web.page import page_routes

FHIR_JSON = "application/fhir+json"
SEARCHES = ("/studies", "/series", "/instances")
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


class Operations(Protocol):
    """What an operator asks a running installation. Called from several threads."""

    def problems(self) -> Mapping[str, str]:
        """What keeps it from working now, by part; empty where it is ready."""

    def metrics(self) -> bytes:
        """Prometheus exposition."""

    def status(self) -> Mapping[str, Any]:
        """Counts, ages and the last studies, without a word of a patient."""

    def capability(self, base_url: str) -> Mapping[str, Any]:
        """FHIR CapabilityStatement."""

    def bundles(self) -> Iterable[Mapping[str, Any]]:
        """FHIR transactions of all kept reports, oldest first."""

    def accessed(self, user: str, path: str, *, is_query: bool, status: int, peer: str) -> None:
        """Put on record that somebody read."""

    def turned_away(self, code: str, user: str, peer: str) -> None:
        """Put on record that somebody asked for what they may not have."""


def http_app(
    operations: Operations,
    archive: Archive,
    receiver: Receiver,
    *,
    tokens: Mapping[str, str] | None,
    lets_anonymous: bool = True,
    access: Access | None = None,
    desks: Desks | None = None,
    limits: WebLimits | None = None,
    public_url: str | None = None,
    cors_origins: Sequence[str] = (),
) -> Starlette:
    """The application. Who may call what stands in `radiolucent.web.api.endpoints`; ``tokens`` are names by token.

    ``lets_anonymous``: machines need no token as long as there is none, and nobody can sign in. The page's API knows
    its callers itself; without ``access`` there is no such API. ``public_url`` is our address as clients see it, by
    default the one they called; pages of ``cors_origins`` may call us, and must show a token.
    """

    def base(request: Request) -> str:
        return f"{public_url or str(request.base_url).rstrip('/')}/fhir"

    dicom_web = None if public_url is None else f"{public_url}/dicom-web"
    routes = [
        *page_routes(),
        Route("/health/live", _live),
        Route("/health/ready", _asking(lambda _: _ready(operations.problems()))),
        Route("/metrics", _asking(lambda _: Response(operations.metrics(), media_type=EXPOSITION))),
        Route("/api/status", _asking(lambda _: JSONResponse(dict(operations.status())))),
        *([] if access is None or desks is None else [Mount("/api", app=api(access, desks))]),
        Mount("/dicom-web", routes=dicomweb_routes(archive, receiver, limits, public_url=dicom_web)),
        Route("/fhir/metadata", _asking(lambda r: _fhir(200, operations.capability(base(r))))),
        Route("/fhir/{kind}", _asking(lambda r: _search(operations, r, base(r)))),
        Route("/fhir/{kind}/{identity}", _asking(lambda r: _read(operations, r))),
    ]
    gate = Middleware(
        DoorGate,
        tokens=tokens,
        access=access,
        lets_anonymous=lets_anonymous,
        turned_away=lambda *about: operations.turned_away(*about),
    )
    recording = Middleware(Recording, operations=operations)
    return Starlette(routes=routes, middleware=[*cors(cors_origins), gate, recording])


class Recording:
    """Puts every reading of patient data on record."""

    def __init__(self, app: Any, operations: Operations) -> None:
        self._app, self._operations = app, operations

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        path = scope.get("path", "")
        if scope["type"] != "http" or scope["method"] != "GET" or not path.startswith(("/dicom-web", "/fhir/")):
            await self._app(scope, receive, send)
            return
        status = 500

        async def watch(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        client = scope.get("client") or ("", 0)
        try:
            await self._app(scope, receive, watch)
        finally:  # whoever broke off in the middle has read as well
            await run_in_threadpool(
                self._operations.accessed,
                scope.get("radiolucent_user", "anonymous"),
                path,
                is_query=path.endswith(SEARCHES),
                status=status,
                peer=str(client[0]),
            )


def _asking(answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
    async def handler(request: Request) -> Response:
        return await run_in_threadpool(answer, request)

    return handler


async def _live(_request: Request) -> Response:
    return PlainTextResponse("alive\n")


def _ready(problems: Mapping[str, str]) -> Response:
    return JSONResponse({"ready": not problems, "problems": dict(problems)}, 503 if problems else 200)


def _fhir(status: int, body: Mapping[str, Any]) -> Response:
    return JSONResponse(dict(body), status, {"Cache-Control": "private, no-store"}, media_type=FHIR_JSON)


def _answer(found: Answer) -> Response:
    return _fhir(found.status, found.body)


def _search(operations: Operations, request: Request, base_url: str) -> Response:
    asked = list(request.query_params.multi_items())
    return _answer(search(operations.bundles(), request.path_params["kind"], asked, base_url=base_url))


def _read(operations: Operations, request: Request) -> Response:
    return _answer(read(operations.bundles(), request.path_params["kind"], request.path_params["identity"]))
