"""How the pixels of an instance are laid out, checked before a byte of them is read (PS3.3 C.7.6.3)."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from radiolucent.errors import InputRefused
from radiolucent.prepare.boundary import refused
from radiolucent.prepare.element import integer, text

MAX_PIXELS = 100_000_000
MAX_FRAMES = 20_000
GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT")


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelLayout:
    """The Image Pixel module in plain numbers; ``notes`` says what had to be assumed."""

    rows: int
    columns: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    planar: int
    frames: int
    notes: tuple[str, ...] = ()

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame in a native transfer syntax."""
        sub_sampled = self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422")
        samples = 2 if sub_sampled else self.samples
        return self.rows * self.columns * samples * self.bits_allocated // 8


def bad_dimensions() -> InputRefused:
    """Refusal of an image without rows or columns."""
    return refused(
        "bad_dimensions",
        found="missing or zero rows or columns",
        expected="the size of the image",
        action="Export the image again.",
    )


def too_large(rows: int, columns: int, *, limit: int = MAX_PIXELS) -> InputRefused:
    """Refusal of an image beyond any detector's size."""
    return refused(
        "image_too_large",
        found=f"an image of {rows} x {columns} pixels",
        expected=f"at most {limit} pixels per frame",
        action="Check Rows and Columns, or send a smaller image.",
    )


def unsupported(what: str) -> InputRefused:
    """Refusal of a pixel format that no source image of these modalities has."""
    return refused(
        "unsupported_pixel_format",
        found=what,
        expected="8 to 32 bits per sample, grayscale, palette or three colour samples",
        action="Export the image as grayscale of 8 or 16 bits.",
    )


def _dimensions(dataset: Dataset, *, max_pixels: int, max_frames: int) -> tuple[int, int, int]:
    rows, columns = integer(dataset, "Rows"), integer(dataset, "Columns")
    if rows is None or columns is None or rows <= 0 or columns <= 0:
        raise bad_dimensions()
    if rows * columns > max_pixels:
        raise too_large(rows, columns, limit=max_pixels)
    frames = integer(dataset, "NumberOfFrames")
    frames = 1 if frames is None or frames <= 0 else frames
    if frames > max_frames:
        raise refused(
            "image_too_large",
            found=f"{frames} frames",
            expected=f"at most {max_frames} frames",
            action="Check Number of Frames, or split the object.",
        )
    return rows, columns, frames


def _photometric(dataset: Dataset, samples: int) -> tuple[str, tuple[str, ...]]:
    stated = (text(dataset, "PhotometricInterpretation") or "").upper()
    known = (*GREY, "PALETTE COLOR") if samples == 1 else COLOUR
    if stated in known:
        return stated, ()
    if stated and stated not in (*GREY, "PALETTE COLOR", *COLOUR):
        raise unsupported("an unknown photometric interpretation")
    return ("MONOCHROME2" if samples == 1 else "RGB"), ("photometric_assumed",)


def pixel_layout(dataset: Dataset, *, max_pixels: int = MAX_PIXELS, max_frames: int = MAX_FRAMES) -> PixelLayout:
    """Read the layout from a header.

    Raises
    ------
    InputRefused
        ``bad_dimensions``, ``image_too_large`` or ``unsupported_pixel_format``.
    """
    rows, columns, frames = _dimensions(dataset, max_pixels=max_pixels, max_frames=max_frames)
    samples = integer(dataset, "SamplesPerPixel")
    samples = 1 if samples is None else samples
    allocated = integer(dataset, "BitsAllocated")
    if samples not in (1, 3) or allocated not in (8, 16, 32) or (samples == 3 and allocated == 32):
        raise unsupported(f"{samples} samples of {allocated or 'no stated number of'} bits allocated")
    photometric, notes = _photometric(dataset, samples)
    stored = integer(dataset, "BitsStored")
    if stored is None or not 1 < stored <= allocated:
        stored, notes = allocated, (*notes, "bits_stored_assumed")
    high = integer(dataset, "HighBit")
    high = high if high is not None and stored - 1 <= high < allocated else stored - 1
    return PixelLayout(
        rows=rows,
        columns=columns,
        samples=samples,
        photometric=photometric,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        is_signed=integer(dataset, "PixelRepresentation") == 1,
        planar=1 if integer(dataset, "PlanarConfiguration") == 1 else 0,
        frames=frames,
        notes=notes,
    )
