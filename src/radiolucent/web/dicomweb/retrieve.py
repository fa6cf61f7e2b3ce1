"""WADO-RS: instances, metadata, frames, bulk data and pictures (PS3.18 10.4)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from radiolucent.errors import InputRefused
from radiolucent.prepare.header import NATIVE
from radiolucent.web.dicomweb.answers import (
    Part,
    accepted_by,
    base_of,
    etag_of,
    is_known,
    part_response,
    parts_response,
    sight_of,
    started,
    target_of,
    unchanged,
)
from radiolucent.web.dicomweb.archive import Archive, InstanceRow
from radiolucent.web.dicomweb.attributes import ATTRIBUTES, to_json
from radiolucent.web.dicomweb.forms import Form, form_of, frame_offers, is_plain
from radiolucent.web.dicomweb.limits import WebLimits
from radiolucent.web.dicomweb.media import DICOM, JSON, LITTLE_ENDIAN, OCTETS, Offer, choose
from radiolucent.web.dicomweb.metadata import PIXELS, bulk_value, metadata_json
from radiolucent.web.dicomweb.part10 import opened
from radiolucent.web.dicomweb.pixels import pixels_of
from radiolucent.web.dicomweb.problems import bad_parameter, not_acceptable, not_in_archive
from radiolucent.web.dicomweb.rendered import read_rendering, render
from radiolucent.web.dicomweb.search import target_of_row
from radiolucent.web.dicomweb.transcode import CHUNK, explicit_little_endian, native_bytes

EVERYTHING = frozenset(attribute.keyword for attribute in ATTRIBUTES)
PIXEL_TAGS = frozenset(tag for tag, _ in PIXELS.values())
PICTURES = (Offer(media_type="image/jpeg"), Offer(media_type="image/png"))


class Retrieving:
    """The retrieve transactions."""

    def __init__(self, archive: Archive, limits: WebLimits, *, public_url: str | None) -> None:
        self._archive, self._limits, self._public_url = archive, limits, public_url

    def _rows(self, request: Request) -> Sequence[InstanceRow]:
        target = target_of(request)
        assert target.study is not None
        rows = self._archive.locate(target.study, target.series, target.instance, sight=sight_of(request))
        if not rows:
            raise not_in_archive()
        return rows

    def instances(self, request: Request) -> Response:
        """Whole instances of a study, a series, or one."""
        rows, accepted = self._rows(request), accepted_by(request)
        forms = [form_of(row, accepted, multipart=True) for row in rows]
        is_single = len(rows) == 1 and forms[0] is None
        if is_single:
            forms = [form_of(rows[0], accepted, multipart=False)]
        given = [(row, form) for row, form in zip(rows, forms, strict=True) if form is not None]
        if not given:
            raise not_acceptable(f"{DICOM} with transfer-syntax=*, or {LITTLE_ENDIAN} where it can be decoded")
        etag = etag_of(*(f"{row.sop_instance_uid} {form}" for row, form in given))
        if is_known(request, etag):
            return unchanged(etag)
        base = base_of(request, self._public_url)
        parts = (self._part10(row, form, base) for row, form in given)
        if is_single:
            return part_response(next(parts), etag=etag)
        return parts_response(parts, DICOM, etag=etag, status=200 if len(given) == len(rows) else 206)

    def _part10(self, row: InstanceRow, form: Form, base: str) -> Part:
        syntax = row.transfer_syntax_uid if form == "kept" else LITTLE_ENDIAN
        chunks = self._kept(row) if form == "kept" else self._transcoded(row)
        location = target_of_row(row).under(base)
        return Part(content_type=f"{DICOM}; transfer-syntax={syntax}", chunks=chunks, location=location)

    def _kept(self, row: InstanceRow) -> Iterator[bytes]:
        with self._archive.open_instance(row.sop_instance_uid) as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def _transcoded(self, row: InstanceRow) -> Iterator[bytes]:
        with opened(self._archive.open_instance(row.sop_instance_uid)) as source:
            yield from explicit_little_endian(source)

    def metadata(self, request: Request) -> Response:
        """DICOM JSON of every instance of a study, a series, or of one."""
        rows = self._rows(request)
        if choose(accepted_by(request), [Offer(media_type=JSON)], multipart=False) is None:
            raise not_acceptable(JSON)
        etag = etag_of("metadata", base_of(request, self._public_url), *(row.sop_instance_uid for row in rows))
        if is_known(request, etag):
            return unchanged(etag)
        body = started(self._metadata(rows, base_of(request, self._public_url)))
        return StreamingResponse(body, media_type=JSON, headers={"ETag": etag})

    def _metadata(self, rows: Iterable[InstanceRow], base: str) -> Iterator[bytes]:
        opening = "["
        for row in rows:
            try:
                with opened(self._archive.open_instance(row.sop_instance_uid)) as source:
                    text = metadata_json(
                        source, address=target_of_row(row).under(base), inline_bytes=self._limits.inline_bytes
                    )
            except InputRefused:
                # One unreadable header must not hide the rest of the study: it is listed as it is indexed.
                text = json.dumps(to_json(row, EVERYTHING), ensure_ascii=False)
            yield (opening + text).encode("utf-8", "replace")
            opening = ","
        yield b"]"

    def frames(self, request: Request) -> Response:
        """Frames of an instance, plain or as they are encoded."""
        row, numbers, accepted = self._rows(request)[0], self._numbers(request), accepted_by(request)
        offers = frame_offers(row.transfer_syntax_uid)
        offer = choose(accepted, offers, multipart=True)
        single = choose(accepted, offers, multipart=False) if offer is None and len(numbers) == 1 else None
        chosen = offer or single
        if chosen is None:
            raise not_acceptable(", ".join(dict.fromkeys(o.media_type for o in offers)) or "the whole instance")
        etag = etag_of("frames", row.sop_instance_uid, chosen.media_type, *numbers)
        if is_known(request, etag):
            return unchanged(etag)
        parts = self._frames(row, numbers, chosen, base_of(request, self._public_url))
        if single is not None:
            return self._alone(parts, etag)
        return parts_response(parts, chosen.media_type, etag=etag)

    def _frames(self, row: InstanceRow, numbers: Sequence[int] | None, offer: Offer, base: str) -> Iterator[Part]:
        """Parts of some frames, or of all."""
        syntax = LITTLE_ENDIAN if is_plain(offer) else row.transfer_syntax_uid
        content_type, address = f"{offer.media_type}; transfer-syntax={syntax}", target_of_row(row).under(base)
        with opened(self._archive.open_instance(row.sop_instance_uid)) as source:
            pixels = pixels_of(source)
            numbers = range(1, pixels.frames + 1) if numbers is None else numbers
            for number in numbers:
                pixels.check(number)
            in_order = not is_plain(offer) and len(numbers) > 1 and list(numbers) == sorted(set(numbers))
            if in_order:
                wanted = set(numbers)
                frames = ((n, f) for n, f in enumerate(pixels.all_encoded(), start=1) if n in wanted)
            else:
                read = pixels.plain if is_plain(offer) else pixels.encoded
                frames = ((number, read(number)) for number in numbers)
            for number, data in frames:
                yield Part(content_type=content_type, chunks=(data,), location=f"{address}/frames/{number}")

    @staticmethod
    def _alone(parts: Iterator[Part], etag: str) -> Response:
        part = next(parts)
        return Response(b"".join(part.chunks), media_type=part.content_type, headers={"ETag": etag, "Vary": "Accept"})

    def _numbers(self, request: Request) -> list[int]:
        parts = str(request.path_params["frames"]).split(",")
        if len(parts) > self._limits.max_frames or not all(p.isascii() and p.isdigit() and len(p) < 9 for p in parts):
            raise bad_parameter("a malformed list of frames", f"1 to {self._limits.max_frames} numbers with commas")
        return [int(part) for part in parts]

    def bulkdata(self, request: Request) -> Response:
        """A value that metadata points to; pixel data plain as one part, or encoded with one part a frame."""
        row, accepted = self._rows(request)[0], accepted_by(request)
        path = str(request.path_params["path"]).upper()
        is_pixels = path in PIXEL_TAGS
        offers = frame_offers(row.transfer_syntax_uid) if is_pixels else [Offer(media_type=OCTETS)]
        offer = choose(accepted, offers, multipart=True)
        is_single = offer is None
        offer = offer or choose(accepted, [o for o in offers if is_plain(o)], multipart=False)
        if offer is None:
            raise not_acceptable(", ".join(dict.fromkeys(o.media_type for o in offers)))
        etag = etag_of("bulkdata", row.sop_instance_uid, path, offer.media_type)
        if is_known(request, etag):
            return unchanged(etag)
        base = base_of(request, self._public_url)
        if is_pixels and not is_plain(offer):
            return parts_response(self._frames(row, None, offer, base), offer.media_type, etag=etag)
        part = Part(
            content_type=OCTETS,
            chunks=self._plain_pixels(row) if is_pixels else self._value(row, path),
            location=f"{target_of_row(row).under(base)}/bulkdata/{path}",
        )
        return part_response(part, etag=etag) if is_single else parts_response(iter([part]), OCTETS, etag=etag)

    def _plain_pixels(self, row: InstanceRow) -> Iterator[bytes]:
        with opened(self._archive.open_instance(row.sop_instance_uid)) as source:
            pixels = pixels_of(source)
            if row.transfer_syntax_uid in NATIVE and not source.is_encapsulated:
                yield from native_bytes(source)
            else:
                for number in range(1, pixels.frames + 1):
                    yield pixels.plain(number)

    def _value(self, row: InstanceRow, path: str) -> Iterator[bytes]:
        with opened(self._archive.open_instance(row.sop_instance_uid)) as source:
            yield bulk_value(source, path)

    def rendered(self, request: Request) -> Response:
        """A picture of an instance (its first frame) or of one frame."""
        row, accepted = self._rows(request)[0], accepted_by(request)
        offer = choose(accepted, PICTURES, multipart=False)
        if offer is None:
            raise not_acceptable("image/jpeg or image/png")
        how = read_rendering(dict(request.query_params), max_pixels=self._limits.max_rendered_pixels)
        numbers = self._numbers(request) if "frames" in request.path_params else [1]
        if len(numbers) != 1:
            raise bad_parameter("several frames for one picture", "one frame")
        etag = etag_of("rendered", row.sop_instance_uid, numbers[0], how, offer.media_type)
        if is_known(request, etag):
            return unchanged(etag)
        with opened(self._archive.open_instance(row.sop_instance_uid)) as source:
            picture = render(pixels_of(source), numbers[0], how, media_type=offer.media_type)
        return Response(picture, media_type=offer.media_type, headers={"ETag": etag, "Vary": "Accept"})
