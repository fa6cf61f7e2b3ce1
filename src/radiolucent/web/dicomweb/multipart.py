"""A ``multipart/related`` body, read while it comes (RFC 2046 5.1, RFC 2387): one part in memory, everything capped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from enum import Enum

from radiolucent.errors import InputRefused
from radiolucent.web.dicomweb.limits import WebLimits

#: RFC 2046 5.1.1, but for its limit of 70 characters: Orthanc's boundaries have 73.
BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,199}[0-9A-Za-z'()+_,./:=?-]")
MAX_HEAD = 16_384
BETWEEN, HEAD_END = b"\r\n", b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedPart:
    """One part: its Content-Type as stated (empty where it states none), and its bytes."""

    content_type: str
    body: bytes


class _State(Enum):
    PREAMBLE = "preamble"
    DELIMITER = "delimiter"
    HEAD = "head"
    BODY = "body"
    END = "end"


class RelatedReader:
    """Feed it chunks, it gives parts.

    Parameters
    ----------
    boundary
        As the request's Content-Type states it.

    Raises
    ------
    InputRefused
        ``malformed_multipart`` or ``upload_too_large``; from then on nothing more can be read.
    """

    def __init__(self, boundary: str, limits: WebLimits) -> None:
        if not BOUNDARY.fullmatch(boundary):
            raise malformed("no boundary, or one that is not legal")
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._limits = limits
        # The line break before the first delimiter may be missing.
        self._held = bytearray(b"\r\n")
        self._searched = 0
        self._state = _State.PREAMBLE
        self._content_type = ""
        self._parts = 0

    def feed(self, chunk: bytes) -> Iterator[ReceivedPart]:
        """The parts that end in this chunk; must be exhausted before the next one is fed."""
        if self._state is not _State.END:
            self._held += chunk
        while True:
            before = self._state
            part = self._step()
            if part is not None:
                yield part
            if self._state is before:
                return

    def close(self) -> None:
        """To be called at the end of the body.

        Raises
        ------
        InputRefused
            ``malformed_multipart`` where the closing delimiter has not come: something is missing.
        """
        if self._state is not _State.END:
            raise malformed("a body that ends before its closing boundary")

    def _step(self) -> ReceivedPart | None:
        if self._state is _State.PREAMBLE:
            if self._cut(MAX_HEAD, "a preamble") is not None:
                self._state = _State.DELIMITER
        elif self._state is _State.DELIMITER:
            self._after_delimiter()
        elif self._state is _State.HEAD:
            self._head()
        elif self._state is _State.BODY:
            body = self._cut(self._limits.max_part_bytes, "a part")
            if body is not None:
                self._state = _State.DELIMITER
                return ReceivedPart(content_type=self._content_type, body=body)
        return None

    def _cut(self, limit: int, what: str) -> bytes | None:
        """What stands before the next delimiter, once it is there."""
        at = self._held.find(self._delimiter, self._searched)
        if (at if at >= 0 else len(self._held) - len(self._delimiter)) > limit:
            raise too_large(f"{what} of more than {limit} bytes", "smaller instances, or a higher limit")
        if at < 0:
            self._searched = max(0, len(self._held) - len(self._delimiter) + 1)
            return None
        found = bytes(memoryview(self._held)[:at])
        self._drop(at + len(self._delimiter))
        return found

    def _drop(self, count: int) -> None:
        del self._held[:count]
        self._searched = 0

    def _after_delimiter(self) -> None:
        if len(self._held) < 2:
            return
        if self._held.startswith(b"--"):
            self._held.clear()
            self._state = _State.END
            return
        line = self._held.find(BETWEEN)
        if line > 0 and self._held[:line].strip(b" \t"):
            raise malformed("a boundary line with something behind it")
        if line < 0:
            if len(self._held) > MAX_HEAD or self._held.strip(b" \t\r"):
                raise malformed("a boundary line with something behind it")
            return
        self._parts += 1
        if self._parts > self._limits.max_parts:
            raise too_large(f"more than {self._limits.max_parts} parts", "fewer instances at once")
        self._drop(line)  # the line break stays: a part may have no header at all
        self._state = _State.HEAD

    def _head(self) -> None:
        end = self._held.find(HEAD_END, 0, MAX_HEAD)
        if end < 0:
            if len(self._held) >= MAX_HEAD:
                raise malformed("a part with a header that does not end")
            return
        head = message_from_bytes(bytes(self._held[2 : end + 2]))
        coding = str(head.get("Content-Transfer-Encoding", "binary")).strip().lower()
        if coding not in ("binary", "8bit", "7bit") or head.get("Content-Encoding", "identity") != "identity":
            raise unsupported("a part in an encoding of its own", "parts as they are (binary)")
        self._content_type = str(head.get("Content-Type", ""))
        # The body may be empty: its delimiter then begins with the line break that ends the header.
        self._drop(end + 2 if self._held.startswith(self._delimiter, end + 2) else end + 4)
        self._state = _State.BODY


def malformed(found: str) -> InputRefused:
    """Refusal of a body that is not what its Content-Type says."""
    return InputRefused(
        "malformed_multipart",
        found=found,
        expected="a complete multipart/related body (RFC 2387)",
        action="Send it again; instances that were kept are listed in the answer.",
    )


def too_large(found: str, action: str) -> InputRefused:
    """Refusal of more than a limit."""
    return InputRefused(
        "upload_too_large", found=found, expected="a request within the limits", action=f"Send {action}."
    )


def unsupported(found: str, expected: str) -> InputRefused:
    """Refusal of a body of another kind."""
    return InputRefused("unsupported_upload", found=found, expected=expected, action="Send it as STOW-RS asks.")
