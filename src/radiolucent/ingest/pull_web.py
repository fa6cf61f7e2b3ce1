"""Studies of an archive by QIDO-RS and WADO-RS (PS3.18 10.6 and 10.4)."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from email.message import Message
from typing import Any, BinaryIO, cast

import httpx
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from radiolucent.errors import PeerUnavailable
from radiolucent.ingest.pull import (
    Candidate,
    Fetched,
    Intake,
    Keep,
    PriorQuery,
    PullLimits,
    age_at,
    answers,
    described,
    is_uid,
)
from radiolucent.ingest.pull_cohort import StudyQuery
from radiolucent.records.destination import WebPeer
from radiolucent.records.door import Offered
from radiolucent.standards import dicomweb_refusals

MOST_MATCHES = 500
MOST_ANSWER_BYTES = 32 * 1024 * 1024
"""Of a search; an instance is bounded by the limits of the pull."""
_PATIENT_ID, _ISSUER = "00100020", "00100021"
_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"
_DATE, _TIME = "00080020", "00080030"
_MODALITIES, _MODALITY, _BODY_PART, _COUNT = "00080061", "00080060", "00180015", "00201208"
_DESCRIPTION, _BORN, _AGE = "00081030", "00100030", "00101010"
_PREAMBLE = 128
_META_END = 0x00030000
Item = Mapping[str, Any]
Asked = list[tuple[str, str | int | float | bool | None]]


class WebArchive:
    """An archive that is asked by DICOMweb."""

    def __init__(self, peer: WebPeer) -> None:
        self._peer = peer

    def find(self, query: PriorQuery, *, limits: PullLimits) -> tuple[Candidate, ...]:
        """Studies that match, with the body parts of the most recent ones.

        Raises
        ------
        PeerUnavailable
            ``dicomweb_unreachable``, ``dicomweb_busy``.
        PeerRefused
            ``dicomweb_refused``, ``dicomweb_answer_unreadable``.
        """
        asked = {"PatientID": query.patient_id, "limit": str(MOST_MATCHES)}
        if query.date_range:
            asked["StudyDate"] = query.date_range
        if len(query.modalities) == 1:
            asked["ModalitiesInStudy"] = query.modalities[0]
        fields: Asked = [("includefield", tag) for tag in (_ISSUER, _MODALITIES, _COUNT)]
        with self._client() as client:
            matches = self._search(client, "studies", [*asked.items(), *fields])
            found = [each for each in map(_candidate, matches) if each is not None and answers(each, query)]
            found.sort(key=lambda each: each.started, reverse=True)
            return tuple(self._described(client, each) for each in found[: limits.candidates])

    def list_studies(self, query: StudyQuery, *, most: int) -> tuple[Candidate, ...]:
        """Studies of many patients, most recent first; raises as `find`."""
        asked: Asked = [("ModalitiesInStudy", query.modality), ("limit", str(most))]
        if query.date_range:
            asked.append(("StudyDate", query.date_range))
        asked += [("includefield", tag) for tag in (_MODALITIES, _COUNT, _DESCRIPTION, _BORN, _AGE)]
        with self._client() as client:
            found = [each for each in map(_candidate, self._search(client, "studies", asked)) if each is not None]
        return tuple(sorted(found, key=lambda each: each.started, reverse=True)[:most])

    def describe(self, candidate: Candidate) -> Candidate:
        """The candidate with what its series say; raises as `find`."""
        with self._client() as client:
            return self._described(client, candidate)

    def fetch(self, study_instance_uid: str, keep: Keep, *, limits: PullLimits) -> Fetched:
        """Get the instances of one study, one by one.

        Raises
        ------
        PeerUnavailable, PeerRefused
            As `find`; and whatever ended ``keep`` other than a refused image.
        """
        intake = Intake(keep, limits=limits)
        most = limits.instance_bytes + 64 * 1024
        with self._client() as client:
            path = f"studies/{study_instance_uid}/instances"
            listed = self._search(client, path, [("limit", str(limits.instances + 1))])
            places = [(_text(each, _SERIES), _text(each, _INSTANCE)) for each in listed]
            for series, instance in places:
                if not (is_uid(series) and is_uid(instance)):
                    raise dicomweb_refusals.answer_unreadable(request="QIDO-RS")
                if intake.is_full:
                    break
                address = f"studies/{study_instance_uid}/series/{series}/instances/{instance}"
                body, media_type = self._get(client, address, most=most)
                if body is None:
                    intake.leave_out()
                else:
                    intake.offer(_offered(_file(body, media_type), instance, self._peer))
        return intake.result(study_instance_uid, is_complete=intake.kept == len(places))

    def _client(self) -> httpx.Client:
        peer = self._peer
        basic = peer.token is None and peer.user is not None
        return httpx.Client(
            verify=True if peer.tls is None else peer.tls,
            auth=httpx.BasicAuth(peer.user or "", peer.password or "") if basic else None,
            headers={"Accept-Encoding": "identity"}
            | ({} if peer.token is None else {"Authorization": f"Bearer {peer.token}"}),
            timeout=httpx.Timeout(peer.timeout_s, connect=peer.connect_timeout_s),
            trust_env=False,  # neither proxies nor passwords out of the environment
        )

    def _described(self, client: httpx.Client, candidate: Candidate) -> Candidate:
        """The candidate with what its series say."""
        fields: Asked = [("includefield", _BODY_PART), ("includefield", _MODALITY)]
        series = self._search(client, f"studies/{candidate.study_instance_uid}/series", fields)
        return described(
            candidate,
            modalities=[text for each in series if (text := _text(each, _MODALITY))],
            body_parts=[text for each in series if (text := _text(each, _BODY_PART))],
        )

    def _search(self, client: httpx.Client, path: str, asked: Asked) -> list[Item]:
        with self._answer(client, path, "application/dicom+json", asked) as answer:
            if answer.status_code == httpx.codes.NO_CONTENT:
                return []
            body = _bounded(answer, MOST_ANSWER_BYTES)
        try:
            found = None if body is None else json.loads(body or b"[]")
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise dicomweb_refusals.answer_unreadable(request="QIDO-RS")
        return found

    def _get(self, client: httpx.Client, path: str, *, most: int) -> tuple[bytes | None, str]:
        """Body and media type of one instance, in the transfer syntax it is stored in; no body where it is larger."""
        accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        with self._answer(client, path, accept, []) as answer:
            return _bounded(answer, most), answer.headers.get("Content-Type", "")

    @contextlib.contextmanager
    def _answer(self, client: httpx.Client, path: str, accept: str, asked: Asked) -> Iterator[httpx.Response]:
        """A successful answer, not yet read. Errors are without their cause, which would quote the address."""
        request = "QIDO-RS" if accept.endswith("json") else "WADO-RS"
        address = f"{self._peer.url.rstrip('/')}/{path}"
        try:
            with client.stream("GET", address, params=httpx.QueryParams(asked), headers={"Accept": accept}) as answer:
                if answer.status_code not in (httpx.codes.OK, httpx.codes.NO_CONTENT, httpx.codes.PARTIAL_CONTENT):
                    raise dicomweb_refusals.http_refused(answer.status_code, request=request)
                yield answer
        except (httpx.HTTPError, httpx.InvalidURL):
            raise dicomweb_refusals.http_unreachable(request=request) from None


def _bounded(answer: httpx.Response, most: int) -> bytes | None:
    """The body, or ``None`` as soon as it is larger."""
    found = bytearray()
    for chunk in answer.iter_bytes():
        found += chunk
        if len(found) > most:
            return None
    return bytes(found)


def _file(body: bytes, media_type: str) -> bytes:
    """The one file of an answer: its first part (RFC 2387), or all of it."""
    header = Message()
    header["Content-Type"] = media_type
    boundary = header.get_boundary()
    if header.get_content_type() == "application/dicom":
        return body
    if header.get_content_type() != "multipart/related" or not boundary:
        raise dicomweb_refusals.answer_unreadable(request="WADO-RS")
    delimiter = b"--" + boundary.encode("ascii", "replace")
    _, _, part = body.partition(delimiter + b"\r\n")
    _, _, content = part.partition(b"\r\n\r\n")
    file, found, _ = content.partition(b"\r\n" + delimiter)
    if not found:
        raise PeerUnavailable(
            "dicomweb_cut_short",
            found="an answer to WADO-RS that ends before its last boundary",
            expected="a whole DICOM file",
            action="It is asked for again.",
        )
    return file


def _offered(file: bytes, instance: str, peer: WebPeer) -> Offered:
    """The dataset of a Part 10 file (PS3.10 7.1)."""
    stream = io.BytesIO(file)
    stream.seek(_PREAMBLE + 4)
    try:
        if file[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
            raise ValueError
        meta = read_dataset(cast(BinaryIO, stream), False, True, stop_when=_behind_meta)
        syntax = str(meta.TransferSyntaxUID)
    except Exception:  # noqa: BLE001  pydicom raises many kinds over damaged bytes, some with the bytes in them
        raise dicomweb_refusals.answer_unreadable(request="WADO-RS") from None
    return Offered(
        dataset=memoryview(file)[stream.tell() :],
        transfer_syntax_uid=syntax,
        sender="WADO-RS",
        peer=httpx.URL(peer.url).host,
        sop_instance_uid=instance,
    )


def _behind_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag) >= _META_END


def _candidate(answer: Item) -> Candidate | None:
    study = _text(answer, _STUDY)
    if not is_uid(study):
        return None
    count = _text(answer, _COUNT)
    started = _text(answer, _DATE) + _text(answer, _TIME)[:6]
    return Candidate(
        study_instance_uid=study,
        patient_id=_text(answer, _PATIENT_ID),
        issuer=_text(answer, _ISSUER),
        started=started,
        description=_text(answer, _DESCRIPTION),
        age_years=age_at(_text(answer, _AGE), _text(answer, _BORN), started),
        modalities=tuple(each.upper() for each in _texts(answer, _MODALITIES)),
        instances=int(count) if count.isdecimal() else None,
    )


def _text(answer: Item, tag: str) -> str:
    return next(iter(_texts(answer, tag)), "")


def _texts(answer: Item, tag: str) -> tuple[str, ...]:
    """Values of an element in DICOM JSON (PS3.18 annex F) as text."""
    element = answer.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    if not isinstance(values, list):
        return ()
    return tuple(text for value in values if isinstance(value, str | int | float) and (text := str(value).strip()))
