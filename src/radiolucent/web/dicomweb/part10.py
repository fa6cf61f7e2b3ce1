"""A kept instance, opened: its header, and where its pixels are. Any object, not only images an engine may read."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from radiolucent.errors import InputRefused
from radiolucent.prepare.boundary import refused, refusing
from radiolucent.prepare.bounded import MAX_HEADER_BYTES, BoundedFile, inflate
from radiolucent.prepare.codestream import truncated
from radiolucent.prepare.element import text
from radiolucent.prepare.header import PIXEL_TAGS, UNDEFINED, PixelElement, not_dicom

META_END = 0x00030000


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A kept instance.

    Parameters
    ----------
    dataset
        Everything before the pixel data, elements converted lazily.
    pixels
        Where the pixel data's value stands in ``file``; ``None`` where there is none.
    file
        The file, or the unpacked dataset of a deflated one.
    """

    dataset: Dataset
    meta: FileMetaDataset
    transfer_syntax: UID
    pixels: PixelElement | None
    file: BoundedFile

    @property
    def is_encapsulated(self) -> bool:
        """Whether the pixel data are a sequence of fragments (PS3.5 A.4)."""
        return self.pixels is not None and self.pixels.length == UNDEFINED


@contextmanager
def opened(handle: BinaryIO) -> Iterator[Opened]:
    """Read the header of a kept instance; the file is open until the block ends.

    Raises
    ------
    InputRefused
        ``not_dicom``, ``unreadable_header``, ``truncated_file``, ``header_too_large``, ``image_too_large``.
    """
    with handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(0)
        # Both stay here until the end: a bounded file that is let go closes the file under it.
        budgeted, free = BoundedFile(handle, size=size, budget=MAX_HEADER_BYTES), BoundedFile(handle, size=size)
        with refusing(_unreadable):
            found = _read(budgeted, free)
        yield found


def _read(budgeted: BoundedFile, free: BoundedFile) -> Opened:
    if budgeted.read(132)[128:] != b"DICM":
        raise not_dicom()
    meta = read_dataset(cast(BinaryIO, budgeted), False, True, stop_when=_behind_meta)
    syntax, whole = UID(text(meta, "TransferSyntaxUID") or ""), budgeted
    if syntax == DeflatedExplicitVRLittleEndian:
        free.seek(budgeted.tell())
        plain = inflate(free.read())
        whole = free = BoundedFile(io.BytesIO(plain), size=len(plain))
    watch = _Watch(whole)
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    dataset = read_dataset(cast(BinaryIO, whole), implicit, little, stop_when=watch)
    return Opened(dataset=dataset, meta=FileMetaDataset(meta), transfer_syntax=syntax, pixels=watch.pixels, file=free)


def _behind_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag) >= META_END


class _Watch:
    """Stops at the pixel data and refuses values that reach beyond the end."""

    def __init__(self, file: BoundedFile) -> None:
        self._file = file
        self.pixels: PixelElement | None = None

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        keyword = PIXEL_TAGS.get(tag)
        if keyword is not None:
            self.pixels = PixelElement(keyword=keyword, vr=vr, offset=self._file.tell(), length=length)
            return True
        if length != UNDEFINED and self._file.tell() + length > self._file.size:
            raise truncated()
        return False


def _unreadable() -> InputRefused:
    return refused(
        "unreadable_header",
        found="a DICOM header that cannot be parsed",
        expected="a dataset in its stated transfer syntax",
        action="Export the image again.",
    )
