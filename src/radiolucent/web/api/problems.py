"""What went wrong, as the API says it: code, found, expected, action."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from radiolucent.errors import InputRefused, PeerUnavailable, RadiolucentError, SettingsError
from radiolucent.pipeline.attempts import SignInRefused
from radiolucent.review.leases import LeaseHeld

STATUS = {
    "sign_in_failed": 401,
    "totp_needed": 401,
    "oidc_off": 404,
    "totp_is_on": 409,
    "too_many_attempts": 429,
    "link_used": 410,
    "no_such_account": 404,
    "no_such_token": 404,
    "name_taken": 409,
    "last_administrator": 409,
    "no_such_study": 404,
    "no_such_map": 404,
    "no_such_validation": 404,
    "other_site": 403,
    "read_first": 403,
    "lease_held": 409,
    "second_read": 403,
    "result_superseded": 409,
    "decision_superseded": 409,
    "request_reused": 409,
    "nothing_to_decide": 409,
    "nothing_to_retract": 409,
    "study_not_ready": 409,
}
"""Codes with a status of their own; another refusal is 422."""


def install(app: FastAPI) -> None:
    """Let an application answer errors in this form."""
    app.add_exception_handler(RadiolucentError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _unreadable)


def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RadiolucentError)
    body: dict[str, Any] = {name: getattr(error, name) for name in ("code", "found", "expected", "action")}
    if isinstance(error, LeaseHeld):
        body |= {"holder": error.lease.holder.display, "until": error.lease.until.isoformat()}
    headers = {}
    if isinstance(error, SignInRefused) and error.wait_s:
        headers["Retry-After"] = str(max(1, round(error.wait_s)))
    return JSONResponse(body, _status(error), headers)


def _status(error: RadiolucentError) -> int:
    if error.code in STATUS:
        return STATUS[error.code]
    if isinstance(error, PeerUnavailable):
        return 503
    return 422 if isinstance(error, InputRefused | SettingsError) else 500


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """Where a request breaks its form; the values, which may name a patient, are not told."""
    assert isinstance(error, RequestValidationError)
    places = sorted({".".join(map(str, each["loc"])) for each in error.errors()})
    return JSONResponse(
        {
            "code": "request_invalid",
            "found": f"a request that breaks its form at {', '.join(places[:8])}",
            "expected": "the form that the API's description gives",
            "action": "Mend the request.",
        },
        422,
    )


def _unreadable(_request: Request, error: Exception) -> JSONResponse:
    """The framework's own refusal, of a body that is no JSON at all."""
    assert isinstance(error, HTTPException)
    return JSONResponse(
        {
            "code": "body_unreadable",
            "found": "a body that cannot be read as JSON",
            "expected": "the form that the API's description gives",
            "action": "Mend the request.",
        },
        error.status_code,
    )
