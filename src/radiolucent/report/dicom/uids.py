"""Unique identifiers that say the same when the same is said again.

A UID is ``2.25.`` and the decimal form of a 128-bit UUID (PS3.5 section B.2), here an RFC 9562 version 8 UUID filled
from SHA-256. The clock does not enter: the same source and engine give the same UIDs, so a resent result replaces
itself instead of piling up; only after a retraction there is another issue, under other UIDs.
"""

from __future__ import annotations

import hashlib

from radiolucent.records.result import EngineRef

_NAMESPACE = "radiolucent/dicom/1"


def uid_from(*parts: str) -> str:
    """A UID that is a pure function of ``parts``; parts are length-prefixed, so no two lists collide."""
    digest = hashlib.sha256()
    for part in (_NAMESPACE, *parts):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    number = int.from_bytes(digest.digest()[:16], "big")
    number = (number & ~(0xF << 76)) | (0x8 << 76)
    number = (number & ~(0x3 << 62)) | (0x2 << 62)
    return f"2.25.{number}"


def _engine_parts(engine: EngineRef | None) -> tuple[str, str, str]:
    return (engine.id, engine.version, engine.sha256) if engine else ("", "", "")


def series_uid(*, source_series_uid: str, engine: EngineRef | None, kind: str) -> str:
    """One series per object kind, source series and engine: the slices of a stack share it."""
    return uid_from("series", source_series_uid, *_engine_parts(engine), kind)


def instance_uid(
    *, source_sop_uid: str, frame_number: int, engine: EngineRef | None, kind: str, key: str = "", issue: int = 0
) -> str:
    """The UID of an object, or (by ``kind``) of a tracked thing or dimension organisation inside one.

    ``issue``: how often results of the study were taken back before. What was taken back stays so: an archive that was
    told to hide a UID would hide it again, whatever came under it.
    """
    again = (str(issue),) if issue else ()
    return uid_from("instance", source_sop_uid, str(frame_number), *_engine_parts(engine), kind, key, *again)


SOFTWARE_DEVICE_UID = uid_from("device", "radiolucent")
