"""What the endpoints share: who is addressed, what is accepted, and bodies of one or many parts (RFC 2387)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from radiolucent.prepare.boundary import refused
from radiolucent.prepare.header import UID_PATTERN
from radiolucent.records.person import EVERYTHING, Sight
from radiolucent.web.dicomweb.media import MULTIPART, Accepted, read_accept

SIGHT = "radiolucent_sight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The UIDs of a path."""

    study: str | None = None
    series: str | None = None
    instance: str | None = None

    def under(self, base: str) -> str:
        """Address of the resource."""
        named = (("studies", self.study), ("series", self.series), ("instances", self.instance))
        return base + "".join(f"/{name}/{uid}" for name, uid in named if uid is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a body; its bytes are made while it is sent."""

    content_type: str
    chunks: Iterable[bytes]
    location: str | None = None


def target_of(request: Request) -> Target:
    """The UIDs of a request's path, checked before they are used for anything.

    Raises
    ------
    InputRefused
        ``invalid_uid``.
    """
    uids = {name: request.path_params.get(name) for name in ("study", "series", "instance")}
    for name, uid in uids.items():
        if uid is not None and (len(uid) > 64 or not UID_PATTERN.fullmatch(uid)):
            raise refused(
                "invalid_uid",
                found=f"a path whose {name} is no UID",
                expected="at most 64 digits and dots (PS3.5 9.1)",
                action="Mend the request's address.",
            )
    return Target(**uids)


def base_of(request: Request, public_url: str | None) -> str:
    """Address of this service as clients see it: the one stated, else the one they called."""
    if public_url is not None:
        return public_url.rstrip("/")
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}".rstrip("/")


def sight_of(request: Request) -> Sight:
    """What of the archive may be shown, as whoever lets requests in has said; all of it where nobody has."""
    sight: Sight = request.scope.get(SIGHT, EVERYTHING)
    return sight


def accepted_by(request: Request) -> tuple[Accepted, ...]:
    """What the client accepts: the ``accept`` parameter (PS3.18 8.3.3.1) before the header."""
    stated = request.query_params.get("accept")
    return read_accept(stated if stated is not None else ",".join(request.headers.getlist("accept")))


def etag_of(*names: object) -> str:
    """Entity tag of instances in a form: instances never change, so their names will do."""
    return '"' + hashlib.sha256("\n".join(map(str, names)).encode()).hexdigest()[:32] + '"'


def is_known(request: Request, etag: str) -> bool:
    """Whether the client holds this entity already (RFC 9110 13.1.2)."""
    stated = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return etag in stated


def unchanged(etag: str) -> Response:
    """The answer to a client that holds it already."""
    return Response(status_code=304, headers={"ETag": etag, "Vary": "Accept"})


def parts_response(parts: Iterator[Part], media_type: str, *, etag: str, status: int = 200) -> Response:
    """A ``multipart/related`` answer; its first bytes are made at once, so that what fails early has a status."""
    boundary = secrets.token_hex(16)
    return StreamingResponse(
        started(_encoded(parts, boundary)),
        status_code=status,
        media_type=f'{MULTIPART}; type="{media_type}"; boundary={boundary}',
        headers={"ETag": etag, "Vary": "Accept"},
    )


def part_response(part: Part, *, etag: str) -> Response:
    """An answer that is one body."""
    return StreamingResponse(
        started(iter(part.chunks)), media_type=part.content_type, headers={"ETag": etag, "Vary": "Accept"}
    )


def started(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, the first of them made already."""
    first = next(chunks, b"")

    def rest() -> Iterator[bytes]:
        yield first
        yield from chunks

    return rest()


def _encoded(parts: Iterator[Part], boundary: str) -> Iterator[bytes]:
    opening = f"--{boundary}\r\n"
    for part in parts:
        head = f"Content-Type: {part.content_type}\r\n"
        if part.location is not None:
            head += f"Content-Location: {part.location}\r\n"
        chunks = iter(part.chunks)
        yield f"{opening}{head}\r\n".encode() + next(chunks, b"")
        yield from chunks
        opening = f"\r\n--{boundary}\r\n"
    yield f"\r\n--{boundary}--\r\n".encode()
