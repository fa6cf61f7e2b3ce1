"""The frames of a kept instance, one at a time: as encoded, as plain bytes, or as a small `Instance` to be decoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames, get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import ExplicitVRBigEndian, JPEGLSLossless, JPEGLSNearLossless, RLELossless

from radiolucent.errors import InputRefused
from radiolucent.prepare.boundary import refused, refusing
from radiolucent.prepare.codestream import check_declared_size, check_items
from radiolucent.prepare.element import integer, items, text, value
from radiolucent.prepare.header import UNDEFINED, Instance, PixelElement, cannot_decode
from radiolucent.prepare.layout import MAX_FRAMES, MAX_PIXELS, bad_dimensions, pixel_layout, too_large
from radiolucent.prepare.stored import GDCM_ONLY, PLUGINS, stored_values
from radiolucent.web.dicomweb.part10 import Opened

PER_FRAME = 0x52009230
OFFSETS = (0x7FE00001, 0x7FE00002)
#: Codecs that know of no colour space and give what was put in (PS3.5 8.2.2, 8.2.3).
UNTRANSFORMED = (RLELossless, JPEGLSLossless, JPEGLSNearLossless)
#: Compressed transfer syntaxes whose frames can be given uncompressed.
DECODABLE = frozenset((*map(str, PLUGINS), *map(str, GDCM_ONLY)))
ITEM_BYTES = {"OB": 1, "OW": 2, "OF": 4, "OD": 8}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """Pixel data of an opened instance; frames count from 1."""

    source: Opened
    element: PixelElement
    rows: int
    columns: int
    samples: int
    bits: int
    frames: int

    @property
    def frame_bits(self) -> int:
        """Bits of one native frame; a bit map (PS3.5 8.1.1) need not end at a byte."""
        is_halved = text(self.source.dataset, "PhotometricInterpretation") in ("YBR_FULL_422", "YBR_PARTIAL_422")
        samples = 2 if is_halved and self.samples == 3 else self.samples
        return self.rows * self.columns * samples * self.bits

    def check(self, frame: int) -> None:
        """Refuse a frame that the object does not have.

        Raises
        ------
        InputRefused
            ``no_such_frame``.
        """
        if not 1 <= frame <= self.frames:
            raise refused(
                "no_such_frame",
                found="a frame number beyond the image",
                expected=f"1 to {self.frames}",
                action="Ask for a frame the object has.",
            )

    def native(self, frame: int) -> bytes:
        """Bytes of a native frame as they stand in the file."""
        self.check(frame)
        first = (frame - 1) * self.frame_bits
        start, end = first // 8, -(-(first + self.frame_bits) // 8)
        if end > self.element.length:
            raise _too_short()
        file = self.source.file
        file.seek(self.element.offset + start)
        data = file.read(end - start)
        if len(data) != end - start:
            raise _too_short()
        if self.frame_bits % 8 == 0:
            return data
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return np.packbits(bits[first % 8 :][: self.frame_bits], bitorder="little").tobytes()

    def encoded(self, frame: int) -> bytes:
        """Bytes of a compressed frame as they stand in the file, its fragments joined."""
        self.check(frame)
        with refusing(_damaged):
            self.source.file.seek(self.element.offset)
            return get_frame(
                self.source.file,
                frame - 1,
                number_of_frames=self.frames,
                extended_offsets=self._extended_offsets(),
            )

    def all_encoded(self) -> Iterator[bytes]:
        """Every compressed frame in order, walking the fragments once."""
        self.source.file.seek(self.element.offset)
        found = generate_frames(
            self.source.file, number_of_frames=self.frames, extended_offsets=self._extended_offsets()
        )
        for _ in range(self.frames):
            with refusing(_damaged):
                frame = next(found)
            yield frame

    def _extended_offsets(self) -> tuple[bytes, bytes] | None:
        keywords = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
        offsets, lengths = (value(self.source.dataset, keyword) for keyword in keywords)
        if not isinstance(offsets, bytes) or not isinstance(lengths, bytes) or len(offsets) != len(lengths):
            return None
        return offsets, lengths

    def single(self, frame: int, encoded: bytes | None = None) -> Instance:
        """One frame as an instance of its own, for the decoders of `prepare`."""
        layout = replace(pixel_layout(self.source.dataset), frames=1)
        if self.source.is_encapsulated:
            data = encapsulate([self.encoded(frame) if encoded is None else encoded], has_bot=False)
        else:
            data = self.native(frame)
        length = UNDEFINED if self.source.is_encapsulated else len(data)
        return Instance(
            path=Path(),
            dataset=_header_of_frame(self.source.dataset, frame),
            transfer_syntax=self.source.transfer_syntax,
            layout=layout,
            pixels=PixelElement(keyword=self.element.keyword, vr=self.element.vr, offset=0, length=length),
            inflated=data,
            notes=layout.notes,
        )

    def samples_of(self, frame: int, encoded: bytes | None = None) -> NDArray[np.generic]:
        """Stored values of a compressed frame, ``[rows, columns]`` or ``[rows, columns, 3]`` RGB.

        Raises
        ------
        InputRefused
            ``cannot_decode``, ``pixel_data_mismatch``, ``unsupported_pixel_format``.
        """
        array = stored_values(self.single(frame, encoded))
        signs = "i" if array.dtype.kind == "i" else "u"
        return array.astype(np.dtype(f"<{signs}{self.bits // 8}"), copy=False)

    def plain(self, frame: int) -> bytes:
        """A frame as Explicit VR Little Endian would hold it, in the colour space that the header names.

        Raises
        ------
        InputRefused
            As `samples_of`.
        """
        if not self.source.is_encapsulated:
            return little_endian(self.native(frame), self.element, self.source)
        photometric = text(self.source.dataset, "PhotometricInterpretation") or ""
        if photometric.startswith("YBR_FULL") and self.source.transfer_syntax in UNTRANSFORMED:
            array = self._as_coded(frame)
            photometric = ""
        else:
            array = self.samples_of(frame)
        if array.ndim == 3 and photometric in ("YBR_FULL", "YBR_FULL_422"):
            with refusing(_damaged):
                array = convert_color_space(array.astype(np.uint8), "RGB", "YBR_FULL")
            if photometric == "YBR_FULL_422":
                return _halved(array)
        if array.ndim == 3 and integer(self.source.dataset, "PlanarConfiguration") == 1:
            array = np.moveaxis(array, 2, 0)
        return np.ascontiguousarray(array).tobytes()

    def _as_coded(self, frame: int) -> NDArray[np.generic]:
        """Colour samples as the codec gives them, without a change of colour space."""
        single = self.single(frame)
        layout, syntax = single.layout, single.transfer_syntax
        assert single.inflated is not None
        with refusing(_damaged):
            check_declared_size(self.encoded(frame), rows=self.rows, columns=self.columns, samples=self.samples)
            options: dict[str, Any] = dict(  # noqa: C408
                transfer_syntax_uid=syntax,
                rows=layout.rows,
                columns=layout.columns,
                samples_per_pixel=layout.samples,
                photometric_interpretation="YBR_FULL",
                bits_allocated=layout.bits_allocated,
                bits_stored=layout.bits_stored,
                pixel_representation=0,
                planar_configuration=layout.planar,
                number_of_frames=1,
                pixel_keyword="PixelData",
            )
            plugin = PLUGINS[syntax][0]
            array, _ = get_decoder(syntax).as_array(
                single.inflated, index=0, raw=True, decoding_plugin=plugin, **options
            )
        return array


def pixels_of(source: Opened) -> Pixels:
    """The pixel data of an opened instance.

    Raises
    ------
    InputRefused
        ``no_pixel_data``, ``bad_dimensions``, ``image_too_large``.
    """
    if source.pixels is None or source.pixels.length == 0:
        raise refused(
            "no_pixel_data",
            found="an object without pixel data",
            expected="an image",
            action="Ask for its metadata or for the object itself.",
        )
    header = source.dataset
    default = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(source.pixels.keyword, 0)
    rows, columns = integer(header, "Rows") or 0, integer(header, "Columns") or 0
    samples, bits = integer(header, "SamplesPerPixel") or 1, integer(header, "BitsAllocated") or default
    frames = max(1, integer(header, "NumberOfFrames") or 1)
    if rows < 1 or columns < 1 or bits not in (1, 8, 16, 32, 64) or not 1 <= samples <= 4:
        raise bad_dimensions()
    if rows * columns > MAX_PIXELS or frames > MAX_FRAMES:
        raise too_large(rows, columns)
    if source.is_encapsulated:
        check_items(source.file, source.pixels.offset)
    return Pixels(
        source=source,
        element=source.pixels,
        rows=rows,
        columns=columns,
        samples=samples,
        bits=bits,
        frames=frames,
    )


def little_endian(data: bytes, element: PixelElement, source: Opened) -> bytes:
    """Pixel bytes of a Big Endian file turned round, by the words of their VR (PS3.5 7.3); others as they are."""
    if source.transfer_syntax != ExplicitVRBigEndian:
        return data
    bits = integer(source.dataset, "BitsAllocated") or 8
    # OW is swapped in words of two bytes, whatever the size of a sample; 32-bit samples are then still in file order.
    size = max(ITEM_BYTES.get(element.vr or "OW", 2), bits // 8 if bits > 16 else 1)
    whole = len(data) - len(data) % size
    return np.frombuffer(data[:whole], np.uint8).reshape(-1, size)[:, ::-1].tobytes() + data[whole:]


def header_without(header: Dataset, *tags: int) -> Dataset:
    """A header of its own with the same elements but for some tags; `Dataset.copy` would share its table."""
    kept = {tag: header.get_item(tag) for tag in header.keys() if tag not in tags}  # noqa: SIM118
    made = Dataset(kept)  # type: ignore[arg-type]
    implicit, little = header.original_encoding
    made.set_original_encoding(implicit, little, header.original_character_set)
    return made


def _header_of_frame(header: Dataset, frame: int) -> Dataset:
    """The header with that frame's functional groups alone, as the first frame's."""
    single = header_without(header, *OFFSETS, PER_FRAME)
    per_frame = items(header, "PerFrameFunctionalGroupsSequence")
    if frame <= len(per_frame):
        single[PER_FRAME] = DataElement(PER_FRAME, "SQ", [per_frame[frame - 1]])
    return single


def _halved(ybr: NDArray[np.generic]) -> bytes:
    """YBR_FULL_422 as native pixel data have it: two luma samples, the first one's chroma (PS3.3 C.7.6.3.1.2)."""
    if ybr.shape[1] % 2:
        raise cannot_decode("", "its colour is halved but its columns are odd")
    luma = ybr[..., 0].reshape(ybr.shape[0], -1, 2)
    return np.ascontiguousarray(np.concatenate([luma, ybr[:, ::2, 1:]], axis=2)).tobytes()


def _too_short() -> InputRefused:
    return refused(
        "pixel_data_mismatch",
        found="pixel data shorter than rows, columns, frames and bits say",
        expected="all frames",
        action="Export the image again.",
    )


def _damaged() -> InputRefused:
    return cannot_decode("", "its fragments are damaged")
