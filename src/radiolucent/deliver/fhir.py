"""A connection to a FHIR R4 server: sends transactions, reads resources; what it may not do is follow or trust.

Nothing here tries twice: a transaction of ours can be sent again as it is, so whoever keeps the work decides when.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any

import httpx

from radiolucent.errors import PeerRefused, PeerUnavailable, RadiolucentError, SettingsError

MEDIA_TYPE = "application/fhir+json"
MOST_BYTES = 16 * 2**20
LONGEST_PAUSE_S = 86_400.0
_TRY_AGAIN = frozenset({408, 409, 425, 429, *range(500, 600)} - {501, 505})

ISSUE_CODES = frozenset(
    {
        *("invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired"),
        *("forbidden", "suppressed", "processing", "not-supported", "duplicate", "multiple-matches", "not-found"),
        *("deleted", "too-long", "code-invalid", "extension", "too-costly", "business-rule", "conflict"),
        *("transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled"),
        "informational",
    }
)
"""FHIR R4 IssueType: the only words of a server's OperationOutcome that reach an error text."""


class FhirUnavailable(PeerUnavailable):
    """The server did not answer, or asked to be tried again; ``retry_after_s`` is the wait it asked for, if any."""

    def __init__(self, code: str, *, found: str, expected: str, action: str, retry_after_s: float | None) -> None:
        super().__init__(code, found=found, expected=expected, action=action)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirPeer:
    """A FHIR server and how to log in to it.

    Parameters
    ----------
    url
        Base address, ``https://host/fhir``; ``http`` only where it is meant.
    token, user, password
        A bearer token, or a user with a password; secrets do not show when this is printed.
    ca, certificate, key
        Authorities to check the server by (default: the system's), and the certificate to show it.
    timeout_s
        Longest silence: to connect, and between two pieces of an answer.
    longest_s
        Longest time for a whole answer to come in.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    timeout_s: float = 30.0
    longest_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirReceipt:
    """The server's word that it stored a transaction: a status by entry, such as ``201 Created``, in our order."""

    statuses: tuple[str, ...]

    @property
    def created(self) -> int:
        """Resources that were not there before."""
        return sum(status.startswith("201") for status in self.statuses)


class FhirConnection:
    """A connection, kept open between requests. TLS is 1.2 or later; redirects are never followed.

    Parameters
    ----------
    clock
        What time it is, with a time zone: a server may name the moment from when on it can be tried again.

    Raises
    ------
    SettingsError
        ``fhir_peer``: an address, login or file that cannot be used.
    """

    def __init__(self, peer: FhirPeer, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._peer, self._clock = peer, clock
        self._base = _base(peer.url)
        headers = {"Accept": MEDIA_TYPE, "Accept-Encoding": "identity"}
        if peer.token is not None:
            headers["Authorization"] = f"Bearer {peer.token}"
        login = _login(peer)
        self._client = httpx.Client(
            headers=headers,
            auth=login,
            verify=_tls(peer),
            timeout=peer.timeout_s,
            follow_redirects=False,
            trust_env=False,
        )

    def __enter__(self) -> FhirConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def transact(self, bundle: Mapping[str, Any]) -> FhirReceipt:
        """Send a transaction; return only when the server says that every entry is stored.

        Raises
        ------
        FhirUnavailable
            ``fhir_unreachable`` (no connection, silence, a broken answer), ``fhir_busy`` (408, 409, 425, 429, 5xx).
        PeerRefused
            ``fhir_refused`` (any other status), ``fhir_tls``, ``fhir_bad_answer``: a success that does not name every
            entry as stored is none.
        """
        body = json.dumps(bundle, ensure_ascii=False, allow_nan=False).encode("utf-8")
        answer = self._request("POST", self._base, content=body, headers={"Content-Type": MEDIA_TYPE})
        entries = answer.get("entry")
        statuses = tuple(_entry_status(entry) for entry in entries) if isinstance(entries, list) else ()
        is_response = answer.get("resourceType") == "Bundle" and answer.get("type") == "transaction-response"
        wanted = len(bundle["entry"])
        if not is_response or len(statuses) != wanted or not all(status.startswith("2") for status in statuses):
            raise _bad_answer(
                f"a success without a transaction-response in which all {wanted} entries are stored",
                "a transaction-response with a status of 2xx for every entry",
            )
        return FhirReceipt(statuses=statuses)

    def get(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Read or search: ``path`` under the base address, such as ``ServiceRequest`` or ``Patient/17``.

        Raises
        ------
        FhirUnavailable, PeerRefused
            As `transact`.
        """
        return self._request("GET", f"{self._base}/{path}", params=dict(parameters), headers={})

    def _request(self, method: str, url: str, *, headers: Mapping[str, str], **given: Any) -> dict[str, Any]:
        try:
            with self._client.stream(method, url, headers=dict(headers), **given) as response:
                data = self._bounded(response)
        except httpx.TransportError as error:
            raise _transport(error) from None
        if response.is_success:
            return _document(data)
        raise _failure(response.status_code, _issues(data), self._pause(response))

    def _bounded(self, response: httpx.Response) -> bytes:
        """The answer's bytes, within limits that its own headers cannot lift."""
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise _bad_answer("a compressed answer", "the uncompressed answer that was asked for")
        until, data = monotonic() + self._peer.longest_s, bytearray()
        for chunk in response.iter_raw():  # as it comes: whole chunks would wait past the limit
            data += chunk
            if len(data) > MOST_BYTES:
                raise _bad_answer(f"an answer of more than {MOST_BYTES} bytes", "a smaller answer")
            if monotonic() > until:
                raise httpx.ReadTimeout("")
        return bytes(data)

    def _pause(self, response: httpx.Response) -> float | None:
        """Retry-After in seconds (RFC 9110 section 10.2.3), at most a day."""
        said = response.headers.get("retry-after", "").strip()
        if said.isascii() and said.isdigit():
            return min(float(said[:9]), LONGEST_PAUSE_S)
        try:
            wait = (parsedate_to_datetime(said) - self._clock()).total_seconds()
        except (ValueError, TypeError):  # not a date, or one without a zone
            return None
        return min(max(wait, 0.0), LONGEST_PAUSE_S)


def _settings(found: str, expected: str) -> SettingsError:
    return SettingsError("fhir_peer", found=found, expected=expected, action="Mend this destination in the settings.")


def _base(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo or parsed.query or parsed.fragment:
        raise _settings(
            "a FHIR address that is no http or https address, or that carries a login, query or fragment",
            "a base address such as https://ehr.example.org/fhir",
        )
    return url.rstrip("/")


def _login(peer: FhirPeer) -> httpx.BasicAuth | None:
    if peer.token is not None and peer.user is not None:
        raise _settings("a bearer token and a user for one FHIR server", "one of them")
    if peer.token is not None and (not peer.token.isascii() or not peer.token.isprintable() or " " in peer.token):
        raise _settings("a bearer token with a blank, line break or other foreign character", "a token of RFC 6750")
    if (peer.user is None) != (peer.password is None):
        raise _settings("a user without password, or a password without user", "both or neither")
    return None if peer.user is None or peer.password is None else httpx.BasicAuth(peer.user, peer.password)


def _tls(peer: FhirPeer) -> ssl.SSLContext:
    if peer.key is not None and peer.certificate is None:
        raise _settings("a key without its certificate", "both, or a certificate that holds its key")
    try:
        context = ssl.create_default_context(cafile=None if peer.ca is None else str(peer.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if peer.certificate is not None:
            # an empty password keeps OpenSSL from asking on the terminal
            context.load_cert_chain(peer.certificate, peer.key, password="")
    except (OSError, ValueError):
        raise _settings(
            "a CA, certificate or key file that cannot be read, or that is encrypted", "unencrypted PEM files"
        ) from None
    return context


def _bad_answer(found: str, expected: str) -> PeerRefused:
    return PeerRefused(
        "fhir_bad_answer",
        found=found,
        expected=expected,
        action="Check that the address is that of a FHIR R4 server, and what stands between.",
    )


def _transport(error: httpx.TransportError) -> RadiolucentError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return PeerRefused(
                "fhir_tls",
                found="a FHIR server whose certificate is not trusted, or not for this host",
                expected="a certificate of a known authority",
                action="Name the authority's certificate as ca of this destination.",
            )
        cause = cause.__cause__ or cause.__context__
    return FhirUnavailable(
        code="fhir_unreachable",
        found=f"no whole answer from the FHIR server ({type(error).__name__})",
        expected="an answer",
        action="It is tried again.",
        retry_after_s=None,
    )


def _failure(status: int, issues: tuple[str, ...], pause: float | None) -> RadiolucentError:
    found = f"HTTP status {status} from the FHIR server" + (f" (issues: {', '.join(issues)})" if issues else "")
    if status in _TRY_AGAIN:
        return FhirUnavailable(
            code="fhir_busy",
            found=found,
            expected="success",
            action="It is tried again.",
            retry_after_s=pause,
        )
    return PeerRefused(
        "fhir_refused",
        found=found,
        expected="success",
        action="See the server's own log; check address, login, and that it takes R4 transactions.",
    )


def _document(data: bytes) -> dict[str, Any]:
    parsed = _parsed(data)
    if parsed is None:
        raise _bad_answer("a success whose content is no JSON object", "a FHIR resource as JSON")
    return parsed


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _issues(data: bytes) -> tuple[str, ...]:
    """Issue codes of an OperationOutcome; its texts may name a patient and stay out."""
    parsed = _parsed(data) or {}
    issues = parsed.get("issue")
    found = [i.get("code") for i in issues if isinstance(i, dict)] if isinstance(issues, list) else []
    known = [code for code in found if isinstance(code, str) and code in ISSUE_CODES]
    return tuple(dict.fromkeys(known))


def _entry_status(entry: object) -> str:
    response = entry.get("response") if isinstance(entry, dict) else None
    return str(response.get("status", "")) if isinstance(response, dict) else ""
