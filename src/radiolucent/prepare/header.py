"""Read and check the header of a DICOM instance without reading its pixels."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset, read_partial
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from radiolucent.errors import InputRefused
from radiolucent.prepare.boundary import refused, refusing, tolerant, too_deeply_nested
from radiolucent.prepare.bounded import MAX_HEADER_BYTES, BoundedFile, inflate, open_bounded
from radiolucent.prepare.codestream import check_items, truncated
from radiolucent.prepare.element import text, texts
from radiolucent.prepare.layout import MAX_FRAMES, MAX_PIXELS, PixelLayout, pixel_layout
from radiolucent.prepare.source_image import is_media_directory, refuse_unless_source

MAX_NESTING = 32
UNDEFINED = 0xFFFFFFFF
PIXEL_TAGS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
#: Trailing bytes of pixel data that are taken for padding and ignored.
MAX_EXCESS_BYTES = 4096
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
#: PS3.5 9.1, except that leading zeros in a component are let pass: they are frequent and harmless.
UID_PATTERN = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelElement:
    """Where the pixel data element's value stands."""

    keyword: str
    vr: str | None
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A checked SOP Instance: its header, and where its pixels are.

    Parameters
    ----------
    path
        The file.
    dataset
        Everything before the pixel data, ``file_meta`` included. Elements convert lazily.
    transfer_syntax
        As stated, or guessed from the encoding when ``notes`` has ``transfer_syntax_guessed``.
    layout
        The Image Pixel module.
    inflated
        The unpacked dataset of a deflated file, ``None`` otherwise; offsets then count in it.
    """

    path: Path
    dataset: Dataset
    transfer_syntax: UID
    layout: PixelLayout
    pixels: PixelElement
    inflated: bytes | None = None
    notes: tuple[str, ...] = ()

    def open_pixels(self) -> BoundedFile:
        """The file (or unpacked dataset), open at the first byte of the pixel data's value."""
        if self.inflated is not None:
            file = BoundedFile(io.BytesIO(self.inflated), size=len(self.inflated))
        else:
            file = open_bounded(self.path)
        file.seek(self.pixels.offset)
        return file


class _Watch:
    """Stops reading at the pixel data and refuses values that reach beyond the end (PS3.5 7.1)."""

    def __init__(self, file: BoundedFile) -> None:
        self._file = file
        self.pixels: PixelElement | None = None

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        offset = self._file.tell()
        keyword = PIXEL_TAGS.get(tag)
        if keyword is not None:
            self.pixels = PixelElement(keyword=keyword, vr=vr, offset=offset, length=length)
            return True
        if length != UNDEFINED and offset + length > self._file.size:
            raise truncated()
        return False


def not_dicom() -> InputRefused:
    """Refusal of anything else."""
    return refused(
        "not_dicom",
        found="a file that is not DICOM",
        expected="a DICOM instance",
        action="Send the image as DICOM, or as PNG or JPEG with an engine named.",
    )


def _unreadable_header() -> InputRefused:
    return refused(
        "unreadable_header",
        found="a DICOM header that cannot be parsed",
        expected="a dataset in its stated transfer syntax",
        action="Export the image again.",
    )


def _outside_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag >> 16 != 2


def _has_prefix(file: BoundedFile) -> bool:
    head = file.read(132)
    file.seek(0)
    if head[128:] == b"DICM":
        return True
    # Without the preamble a dataset begins with group 0002 or 0008; big endian files swap the two bytes.
    if head[:2] not in (b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08"):
        raise not_dicom()
    return False


def _parse(file: BoundedFile) -> tuple[Dataset, PixelElement | None, bytes | None]:
    has_prefix = _has_prefix(file)
    if has_prefix:
        file.seek(132)
        meta = read_dataset(cast(BinaryIO, file), False, True, stop_when=_outside_meta)
        if text(meta, "TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            inflated = inflate(file.read())
            whole = BoundedFile(io.BytesIO(inflated), size=len(inflated))
            watch = _Watch(whole)
            dataset = read_dataset(cast(BinaryIO, whole), False, True, stop_when=watch)
            dataset.file_meta = FileMetaDataset(meta)
            return dataset, watch.pixels, inflated
        file.seek(0)
    watch = _Watch(file)
    try:
        read = read_partial(cast(BinaryIO, file), watch, force=True)
    except InputRefused:
        raise (truncated() if has_prefix else not_dicom()) from None
    # A plain dataset: a FileDataset would keep the file handle.
    dataset = Dataset(read)
    dataset.file_meta = read.file_meta
    is_implicit, is_little_endian = read.original_encoding
    dataset.set_original_encoding(is_implicit, is_little_endian, read.original_character_set)
    return dataset, watch.pixels, None


def _is_sequence(element: object) -> bool:
    if not isinstance(element, RawDataElement):
        return getattr(element, "VR", None) == "SQ"
    if element.VR not in (None, "UN"):
        return element.VR == "SQ"
    return tolerant(lambda: dictionary_VR(element.tag)) == "SQ"


def _check_nesting(dataset: Dataset) -> None:
    level, depth = [dataset], 0
    while level:
        depth += 1
        if depth > MAX_NESTING:
            raise too_deeply_nested(MAX_NESTING)
        below: list[Dataset] = []
        for item in level:
            for element in list(item.values()):
                if _is_sequence(element):
                    below.extend(tolerant(lambda item=item, tag=element.tag: list(item[tag].value)) or [])  # type: ignore[misc]
        level = below


def _check_uids(dataset: Dataset) -> None:
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        found = [part for part in texts(dataset, keyword) if part]
        if not found and keyword != "SOPInstanceUID":
            continue
        if len(found) != 1 or len(found[0]) > 64 or not UID_PATTERN.fullmatch(found[0]):
            raise refused(
                "invalid_uid",
                found=f"a missing or malformed {keyword}",
                expected="at most 64 digits and dots (PS3.5 9.1)",
                action="Export the image again with valid UIDs.",
            )


def cannot_decode(transfer_syntax: str, why: str = "there is no decoder for it") -> InputRefused:
    """Refusal that names the transfer syntax (registered names and dotted numbers only)."""
    stated = transfer_syntax if UID_PATTERN.fullmatch(transfer_syntax[:64]) else "malformed"
    name = UID(stated).name if stated != "malformed" else stated
    return refused(
        "cannot_decode",
        found=f"pixel data in transfer syntax {name} ({stated}): {why}",
        expected="a transfer syntax of the conformance statement, undamaged",
        action="Send it again as Explicit VR Little Endian.",
    )


def _transfer_syntax(dataset: Dataset, pixels: PixelElement) -> tuple[UID, tuple[str, ...]]:
    meta = getattr(dataset, "file_meta", None)
    stated = text(meta, "TransferSyntaxUID") if meta is not None else None
    if stated:
        return UID(stated), ()
    if pixels.length == UNDEFINED:
        raise cannot_decode("", "it is compressed and does not say how")
    is_implicit, is_little_endian = dataset.original_encoding
    if not is_little_endian:
        return ExplicitVRBigEndian, ("transfer_syntax_guessed",)
    return (ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian), ("transfer_syntax_guessed",)


def _check_length(file: BoundedFile, pixels: PixelElement, layout: PixelLayout, syntax: UID) -> tuple[str, ...]:
    if syntax not in NATIVE:
        if pixels.length != UNDEFINED:
            raise cannot_decode(syntax, "it is not encapsulated")
        check_items(file, pixels.offset)
        return ()
    if pixels.length == UNDEFINED:
        raise cannot_decode(syntax, "it is encapsulated")
    needed = layout.frame_bytes * layout.frames
    if pixels.length < needed or pixels.length > needed + MAX_EXCESS_BYTES:
        raise refused(
            "pixel_data_mismatch",
            found=f"{pixels.length} bytes of pixel data",
            expected=f"{needed} bytes for {layout.frames} frame(s) of {layout.rows} x {layout.columns}",
            action="Export the image again.",
        )
    if pixels.offset + needed > file.size:
        raise truncated()
    return ("excess_pixel_data",) if pixels.length > needed + needed % 2 else ()


def read_header(path: Path, *, max_pixels: int = MAX_PIXELS, max_frames: int = MAX_FRAMES) -> Instance:
    """Read a file's header and make sure that its pixels can be decoded safely.

    Safe to call from several threads. No pixel is read and no memory is allocated for any.

    Parameters
    ----------
    path
        A DICOM file; the preamble and File Meta Information may be missing.
    max_pixels, max_frames
        Caps per frame and per object.

    Raises
    ------
    InputRefused
        ``unreadable``, ``not_dicom``, ``truncated_file``, ``unreadable_header``, ``header_too_large``,
        ``too_deeply_nested``, ``not_a_source_image``, ``invalid_uid``, ``no_pixel_data``, ``bad_dimensions``,
        ``image_too_large``, ``unsupported_pixel_format``, ``pixel_data_mismatch`` or ``cannot_decode``.
    """
    with open_bounded(path, budget=MAX_HEADER_BYTES) as file, refusing(_unreadable_header):
        dataset, pixels, inflated = _parse(file)
        _check_nesting(dataset)
        if pixels is not None and pixels.keyword != "PixelData":
            dataset.add_new(pixels.keyword, "OB", b"")  # so that it is refused as what it is
        refuse_unless_source(dataset)
        if is_media_directory(dataset):
            raise not_dicom()
        if pixels is None or pixels.length == 0:
            raise refused(
                "no_pixel_data",
                found="an object without pixel data",
                expected="an image",
                action="Send the image object.",
            )
        _check_uids(dataset)
        layout = pixel_layout(dataset, max_pixels=max_pixels, max_frames=max_frames)
        syntax, notes = _transfer_syntax(dataset, pixels)
        whole = file if inflated is None else BoundedFile(io.BytesIO(inflated), size=len(inflated))
        notes += layout.notes + _check_length(whole, pixels, layout, syntax)
    return Instance(
        path=path,
        dataset=dataset,
        transfer_syntax=syntax,
        layout=layout,
        pixels=pixels,
        inflated=inflated,
        notes=notes,
    )
