"""A kept instance as Explicit VR Little Endian, frame by frame: memory for one frame, whatever the object's size."""

from __future__ import annotations

import io
from collections.abc import Iterator
from struct import pack
from typing import cast

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO, DicomIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

from radiolucent.errors import InputRefused
from radiolucent.prepare.boundary import refused, refusing
from radiolucent.prepare.element import text
from radiolucent.prepare.header import NATIVE, cannot_decode
from radiolucent.web.dicomweb.part10 import Opened
from radiolucent.web.dicomweb.pixels import DECODABLE, OFFSETS, Pixels, header_without, little_endian, pixels_of

CHUNK = 2**20
MAX_VALUE = 0xFFFFFFFE


def is_transcodable(transfer_syntax_uid: str) -> bool:
    """Whether `explicit_little_endian` knows this transfer syntax."""
    return transfer_syntax_uid in NATIVE or transfer_syntax_uid in DECODABLE


def explicit_little_endian(source: Opened) -> Iterator[bytes]:
    """Part 10 bytes of an instance in Explicit VR Little Endian.

    Compressed colour comes as RGB (PS3.5 8.2), and Lossy Image Compression stays as it is. Elements behind the pixel
    data (padding, digital signatures over the former encoding) are left out.

    Raises
    ------
    InputRefused
        ``cannot_decode`` and the like, before the first byte where the header already says so.
    """
    syntax = source.transfer_syntax
    if not is_transcodable(syntax):
        raise cannot_decode(syntax)
    with refusing(_cannot_write):
        header = header_without(source.dataset, *OFFSETS)
    if source.pixels is None:
        yield _head(source, header)
        return
    if not source.is_encapsulated:
        yield _head(source, header) + _tag(source.pixels.keyword, source.pixels.vr, source.pixels.length)
        yield from native_bytes(source)
        return
    pixels = pixels_of(source)
    encoded = pixels.all_encoded()
    first = pixels.samples_of(1, next(encoded))
    if first.ndim == 3:
        header.PhotometricInterpretation, header.PlanarConfiguration = "RGB", 0
    yield _head(source, header) + _tag("PixelData", "OB" if pixels.bits == 8 else "OW", _length(pixels, first.nbytes))
    yield first.tobytes()
    for frame, data in enumerate(encoded, start=2):
        yield pixels.samples_of(frame, data).tobytes()
    if first.nbytes * pixels.frames % 2:
        yield b"\x00"


def native_bytes(source: Opened) -> Iterator[bytes]:
    """Native pixel data in little endian order, in pieces."""
    assert source.pixels is not None
    left = source.pixels.length
    source.file.seek(source.pixels.offset)
    while left:
        data = source.file.read(min(CHUNK, left))
        if not data:
            raise refused(
                "truncated_file",
                found="a file that ends before its data does",
                expected="the complete file",
                action="Transfer it again.",
            )
        left -= len(data)
        yield little_endian(data, source.pixels, source)


def _length(pixels: Pixels, frame_bytes: int) -> int:
    total = frame_bytes * pixels.frames
    if total > MAX_VALUE:
        raise cannot_decode(pixels.source.transfer_syntax, "uncompressed it is longer than an element can be")
    return total + total % 2


def _tag(keyword: str, vr: str | None, length: int) -> bytes:
    """Tag, VR and length of the pixel data (PS3.5 7.1.2)."""
    element = {"FloatPixelData": 0x0008, "DoubleFloatPixelData": 0x0009, "PixelData": 0x0010}[keyword]
    default = {"FloatPixelData": "OF", "DoubleFloatPixelData": "OD", "PixelData": "OW"}[keyword]
    return pack("<HH2sHL", 0x7FE0, element, (vr or default).encode(), 0, length)


def _head(source: Opened, header: Dataset) -> bytes:
    meta = FileMetaDataset()
    out, body = io.BytesIO(), DicomBytesIO()
    body.is_little_endian, body.is_implicit_VR = True, False
    with refusing(_cannot_write):
        meta.FileMetaInformationVersion = b"\x00\x01"
        meta.MediaStorageSOPClassUID = UID(text(source.dataset, "SOPClassUID") or "")
        meta.MediaStorageSOPInstanceUID = UID(text(source.dataset, "SOPInstanceUID") or "")
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        for keyword in ("ImplementationClassUID", "ImplementationVersionName"):
            if keyword in source.meta:
                setattr(meta, keyword, source.meta[keyword].value)
        out.write(b"\x00" * 128 + b"DICM")
        write_file_meta_info(cast(DicomIO, out), meta)
        write_dataset(body, header)
    return out.getvalue() + body.getvalue()


def _cannot_write() -> InputRefused:
    return refused(
        "unreadable_element",
        found="an element whose value contradicts its type",
        expected="a dataset that can be written in another transfer syntax",
        action="Ask for it as it is kept (transfer-syntax=*).",
    )
