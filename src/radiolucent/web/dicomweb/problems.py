"""What can be wrong with a request, and how it is answered: a status and a small JSON body without patient data."""

from __future__ import annotations

import logging
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from radiolucent.errors import InputRefused, PeerUnavailable, RadiolucentError
from radiolucent.logs import event

LOG = logging.getLogger("radiolucent.web")
PRIVATE = "private, no-store"
RETRY_AFTER_S = "30"
#: HTTP status of refusals (PS3.18 8.5); a refusal of any other code is about pixels that cannot be given as asked: 406.
STATUS_OF = {
    **dict.fromkeys(("request_parameter", "invalid_uid", "malformed_multipart"), 400),
    **dict.fromkeys(("not_in_archive", "no_pixel_data", "no_such_frame"), 404),
    "upload_stalled": 408,
    "upload_too_large": 413,
    "unsupported_upload": 415,
}
NOT_ACCEPTABLE = 406


def bad_parameter(found: str, expected: str) -> InputRefused:
    """Refusal of a query or path that cannot be understood; ``found`` never repeats its value."""
    return InputRefused("request_parameter", found=found, expected=expected, action="Mend the request's address.")


def not_in_archive() -> InputRefused:
    """Refusal of a resource we do not have."""
    return InputRefused(
        "not_in_archive",
        found="no such study, series, instance or value",
        expected="one that a search lists",
        action="Search again; it may have been removed by the retention rules.",
    )


def not_acceptable(expected: str) -> InputRefused:
    """Refusal of a request whose Accept header names nothing that can be given."""
    return InputRefused(
        "not_acceptable",
        found="an Accept header that names nothing this resource can be given as",
        expected=expected,
        action="Ask for one of these; docs/dicomweb.md lists them.",
    )


def status_of(error: RadiolucentError) -> int:
    """HTTP status of an error."""
    if isinstance(error, PeerUnavailable):
        return 503
    return STATUS_OF.get(error.code, NOT_ACCEPTABLE) if isinstance(error, InputRefused) else 500


def problem(error: RadiolucentError) -> Response:
    """The answer to a request that failed."""
    status = status_of(error)
    headers = {"Cache-Control": PRIVATE}
    if status == 503:
        headers["Retry-After"] = RETRY_AFTER_S
    return JSONResponse({"code": error.code, "message": error.text}, status_code=status, headers=headers)


def defect() -> Response:
    """The answer where we failed; the log has the kind of failure, the client learns nothing of it."""
    event(LOG, "request_failed", level=logging.ERROR, error=True, code="internal_error")
    text = "Radiolucent failed on this request. Report it."
    body = {"code": "internal_error", "message": text}
    return JSONResponse(body, status_code=500, headers={"Cache-Control": PRIVATE})


def answering(handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """A handler as an endpoint: errors become answers, nothing may be cached, HEAD has no body."""

    def endpoint(request: Request) -> Response:
        try:
            response = handler(request)
        except RadiolucentError as error:
            response = problem(error)
        except FileNotFoundError:
            response = problem(not_in_archive())
        except Exception:  # noqa: BLE001  the last catch of a request
            response = defect()
        response.headers["Cache-Control"] = PRIVATE
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.method == "HEAD":
            return Response(status_code=response.status_code, headers=dict(response.headers))
        return response

    return endpoint
