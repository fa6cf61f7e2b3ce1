"""The page of the review in the browser: built files of `frontend/`, and the headers that fence them in."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

BUILT = Path(__file__).parent / "static"
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "frame-src 'self'",
        "worker-src 'self' blob:",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
FENCES = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
FOREVER = "public, max-age=31536000, immutable"
TYPES = {".js": "text/javascript", ".css": "text/css", ".txt": "text/plain; charset=utf-8"}


def page_routes() -> list[BaseRoute]:
    """``/`` and ``/static/NAME``. Nothing in them is about a patient; everything else comes over the API."""
    return [Route("/", _index), Route("/static/{name}", _asset)]


async def _index(_request: Request) -> Response:
    return FileResponse(
        BUILT / "index.html", media_type="text/html; charset=utf-8", headers={**FENCES, "Cache-Control": "no-cache"}
    )


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    path = BUILT / name
    # A route parameter holds no slash; "..", drive letters and links do not name a file of the folder itself.
    if name.startswith(".") or path.parent != BUILT or not path.is_file():
        return PlainTextResponse("No such file.\n", 404, FENCES)
    kept = "no-cache" if path.suffix not in (".js", ".css") else FOREVER
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(path, media_type=kind, headers={**FENCES, "Cache-Control": kept})
