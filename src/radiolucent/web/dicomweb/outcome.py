"""What became of the instances of a STOW-RS request, and how that is told (PS3.18 10.5.3, table I.2.1)."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any, cast

from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from starlette.responses import Response

from radiolucent.errors import InputRefused, PeerUnavailable, RadiolucentError
from radiolucent.prepare.boundary import refused, refusing
from radiolucent.prepare.bounded import BoundedFile, inflate
from radiolucent.prepare.element import texts
from radiolucent.prepare.header import UID_PATTERN
from radiolucent.prepare.storage_class import check_class
from radiolucent.web.dicomweb.answers import Target
from radiolucent.web.dicomweb.media import JSON
from radiolucent.web.dicomweb.problems import PRIVATE, RETRY_AFTER_S

OUT_OF_RESOURCES, DOES_NOT_MATCH, CANNOT_UNDERSTAND = 0xA700, 0xA900, 0xC000
PROCESSING_FAILURE, DUPLICATE, NOT_SUPPORTED, NOT_AUTHORISED = 0x0110, 0x0111, 0x0122, 0x0124
#: Failure Reason (0008,1197) by code of the refusal (PS3.18 table I.2.2-1, PS3.7 annex C); others: cannot understand.
REASON_OF = {
    "study_mismatch": DOES_NOT_MATCH,
    "uid_mismatch": DOES_NOT_MATCH,
    "duplicate_uid": DUPLICATE,
    "sop_class_not_kept": NOT_SUPPORTED,
    "caller_refused": NOT_AUTHORISED,
}
LAST_TAG = 0x0020000E


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What an instance says it is; ``""`` where it says nothing legal."""

    sop_class: str
    instance: str
    study: str
    series: str


@dataclass(slots=True, kw_only=True)
class Outcome:
    """Grows while a request is read; true once there is anything to tell."""

    base: str
    kept: list[Identity] = field(default_factory=list)
    failed: list[tuple[int, Identity | None]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.kept or self.failed)

    def keep(self, identity: Identity | None) -> None:
        """Note an instance that is kept."""
        assert identity is not None
        self.kept.append(identity)

    def fail(self, reason: int, identity: Identity | None) -> None:
        """Note an instance that is not."""
        self.failed.append((reason, identity))

    def response(self, *, status: int | None = None, error: RadiolucentError | None = None) -> Response:
        """The answer: 200 all kept, 202 some, 409 none; 503 none for want of room; or the status stated.

        A request without any instance is a bad one.
        """
        if status is None and not self:
            status, error = 400, _no_instances()
        headers = {"Cache-Control": PRIVATE}
        if status is None:
            status = self._status()
        if status == 503:
            headers["Retry-After"] = RETRY_AFTER_S
        if error is not None:
            headers["Warning"] = f'299 - "{error.code}: {error.found}"'
        text = json.dumps(dict(sorted(self._dataset().items())), separators=(",", ":"))
        return Response(text, status_code=status, media_type=JSON, headers=headers)

    def _status(self) -> int:
        if not self.failed:
            return 200
        if self.kept:
            return 202
        return 503 if all(reason == OUT_OF_RESOURCES for reason, _ in self.failed) else 409

    def _dataset(self) -> dict[str, Any]:
        """DICOM JSON of the Store Instances Response Module."""
        out: dict[str, Any] = {}
        studies = {identity.study for identity in self.kept}
        if len(studies) == 1:
            out["00081190"] = _element("UR", Target(study=studies.pop()).under(self.base))
        if self.kept:
            out["00081199"] = {"vr": "SQ", "Value": [self._kept_item(identity) for identity in self.kept]}
        named = [
            _names(identity) | {"00081197": _element("US", reason)}
            for reason, identity in self.failed
            if identity is not None and identity.instance
        ]
        if named:
            out["00081198"] = {"vr": "SQ", "Value": named}
        nameless = [reason for reason, identity in self.failed if identity is None or not identity.instance]
        if nameless:
            items = [{"00081197": _element("US", reason)} for reason in nameless]
            out["0008119A"] = {"vr": "SQ", "Value": items}
        return out

    def _kept_item(self, identity: Identity) -> dict[str, Any]:
        target = Target(study=identity.study, series=identity.series, instance=identity.instance)
        return _names(identity) | {"00081190": _element("UR", target.under(self.base))}


def _names(identity: Identity) -> dict[str, Any]:
    return {"00081150": _element("UI", identity.sop_class), "00081155": _element("UI", identity.instance)}


def _element(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]} if value != "" else {"vr": vr}


def stated_identity(dataset: memoryview, transfer_syntax_uid: str) -> Identity:
    """Read what an encoded dataset says it is, for the answer and for the study of the path; the door checks the rest.

    Raises
    ------
    InputRefused
        ``unreadable_header``, ``image_too_large`` for a deflated bomb.
    """

    def behind(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        return int(tag) > LAST_TAG

    with refusing(_unreadable):
        is_deflated = transfer_syntax_uid == DeflatedExplicitVRLittleEndian
        data = inflate(bytes(dataset)) if is_deflated else dataset
        file = BoundedFile(io.BytesIO(data), size=len(data))
        implicit, little = transfer_syntax_uid == ImplicitVRLittleEndian, transfer_syntax_uid != ExplicitVRBigEndian
        header = read_dataset(cast("Any", file), implicit, little, stop_when=behind)
    keywords = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
    stated = [texts(header, keyword) for keyword in keywords]
    legal = [v[0] if len(v) == 1 and len(v[0]) <= 64 and UID_PATTERN.fullmatch(v[0]) else "" for v in stated]
    return Identity(sop_class=legal[0], instance=legal[1], study=legal[2], series=legal[3])


def check_identity(identity: Identity) -> None:
    """Refuse what cannot be kept by what it says it is: UIDs that are none, standard SOP Classes that nobody stores.

    Instances of private SOP Classes are kept.

    Raises
    ------
    InputRefused
        ``invalid_uid``, ``sop_class_not_kept``.
    """
    if not (identity.sop_class and identity.instance and identity.study and identity.series):
        raise refused(
            "invalid_uid",
            found="a missing, malformed or doubled UID of class, instance, series or study",
            expected="at most 64 digits and dots each (PS3.5 9.1)",
            action="Export the image again with valid UIDs.",
        )
    check_class(identity.sop_class)


def study_mismatch() -> InputRefused:
    """Refusal of an instance of another study than the path names."""
    return refused(
        "study_mismatch",
        found="an instance of another study than the one of the request's path",
        expected="instances of that study",
        action="Send it to its own study, or to /studies.",
    )


def reason_of(error: Exception) -> int:
    """Failure Reason of an instance that was not kept."""
    if isinstance(error, PeerUnavailable):
        return OUT_OF_RESOURCES
    if isinstance(error, InputRefused):
        return REASON_OF.get(error.code, CANNOT_UNDERSTAND)
    return PROCESSING_FAILURE


def _no_instances() -> InputRefused:
    return refused(
        "malformed_multipart",
        found="a body without any instance",
        expected="at least one part",
        action="Send at least one instance.",
    )


def _unreadable() -> InputRefused:
    return refused(
        "unreadable_header",
        found="a DICOM header that cannot be parsed",
        expected="a dataset in its stated transfer syntax",
        action="Export the image again.",
    )
