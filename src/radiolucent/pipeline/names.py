"""Folder names of a run: one image, one name; two images, two names."""

from __future__ import annotations

from itertools import chain, count

from radiolucent.deliver.folder import safe_name
from radiolucent.errors import InputRefused


class Names:
    """Names given so far in one run, by content."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def for_uid(self, sop_instance_uid: str, sha256: str) -> str | None:
        """The UID itself, or ``None`` when this very instance was already read.

        Raises
        ------
        InputRefused
            ``duplicate_uid`` when another content carries the same UID.
        """
        before = self._given.get(sop_instance_uid)
        if before is None:
            self._given[sop_instance_uid] = sha256
            return sop_instance_uid
        if before == sha256:
            return None
        raise InputRefused(
            "duplicate_uid",
            found="a SOP Instance UID that another file of this run carries with other content",
            expected="one content per SOP Instance UID (PS3.3 C.12.1)",
            action="Find out which file is right; the first was read, this one was not.",
        )

    def for_stem(self, stem: str, sha256: str | None) -> str:
        """A name from a file stem, with a piece of the content's hash where the stem is taken."""
        name = safe_name(stem)
        tail = (sha256 or "unread")[:8]
        numbered = (f"{name}-{tail}-{n}" for n in count(2))
        chosen = next(c for c in chain((name, f"{name}-{tail}"), numbered) if c not in self._given)
        self._given[chosen] = sha256 or ""
        return chosen
