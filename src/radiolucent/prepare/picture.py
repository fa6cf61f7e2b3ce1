"""Read a PNG, JPEG or AVIF picture as one grayscale frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.Image import DecompressionBombError

from radiolucent.errors import InputRefused
from radiolucent.prepare.boundary import refused, refusing
from radiolucent.prepare.bounded import open_regular
from radiolucent.prepare.colour import grey_of
from radiolucent.prepare.layout import MAX_PIXELS, too_large
from radiolucent.records.image import DecodedFrame, ImageFacts, ImageSide, SourceFile

FORMATS = ("PNG", "JPEG", "AVIF")


def _damaged() -> InputRefused:
    return refused(
        "damaged_picture",
        found="a picture that cannot be decoded completely",
        expected="an undamaged PNG, JPEG or AVIF picture",
        action="Transfer it again.",
    )


def _not_a_picture() -> InputRefused:
    return refused(
        "not_a_picture",
        found="a file that is not a PNG, JPEG or AVIF picture",
        expected="one of these",
        action="Send the image as DICOM, PNG or JPEG.",
    )


def _opened(open_image: Callable[[], Image.Image], max_pixels: int) -> Image.Image:
    try:
        image = open_image()
    except UnidentifiedImageError:
        raise _not_a_picture() from None
    except DecompressionBombError:
        raise refused(
            "image_too_large",
            found="a picture beyond Pillow's safety limit",
            expected=f"at most {max_pixels} pixels",
            action="Send a smaller picture.",
        ) from None
    if image.width * image.height > max_pixels:
        raise too_large(image.height, image.width, limit=max_pixels)
    if image.width < 1 or image.height < 1:
        raise _damaged()
    return image


def _samples(image: Image.Image) -> tuple[NDArray[np.generic], int]:
    """``[rows, columns]`` or ``[rows, columns, 3]`` samples and their full scale; transparent is black."""
    if image.mode.startswith("I;16"):
        return np.asarray(image, dtype=np.uint16), 65535
    if image.mode in ("I", "F"):
        array = np.asarray(image)
        return np.clip(array, 0, 65535).astype(np.uint16), 65535
    if image.mode in ("L", "1"):
        return np.asarray(image.convert("L")), 255
    if image.mode == "LA":
        black = Image.new("LA", image.size, (0, 255))
        return np.asarray(Image.alpha_composite(black.convert("RGBA"), image.convert("RGBA")).convert("L")), 255
    if image.mode in ("RGBA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        rgba = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
        return np.asarray(rgba.convert("RGB")), 255
    return np.asarray(image.convert("RGB")), 255


def decode_picture(
    source: SourceFile,
    *,
    stem: str,
    age_years: float | None = None,
    sex: str | None = None,
    patient_left_at: ImageSide | None = None,
    max_pixels: int = MAX_PIXELS,
) -> DecodedFrame:
    """Decode a picture; its EXIF orientation is applied, so rows and columns are as it is meant to be seen.

    Parameters
    ----------
    stem
        Name of its result folder.
    age_years, sex
        What the caller knows of the patient; a picture says nothing.
    patient_left_at
        ``"right"`` for a frontal chest film by convention (the caller's engine has ``zones = "chest"``).
    max_pixels
        Cap, checked before decoding.

    Returns
    -------
    DecodedFrame
        ``display`` is the picture in [0, 1]; ``values`` are ``display * 255``: a picture has no modality units.
        ``facts.modality`` is ``None``. Notes: ``colour_converted``, ``orientation_applied``,
        ``first_of_several_frames``.

    Raises
    ------
    InputRefused
        ``unreadable``, ``not_a_picture``, ``image_too_large``, ``colour_image`` or ``damaged_picture``.
    """
    notes: list[str] = []
    with open_regular(source.path) as handle, refusing(_damaged):
        with _opened(lambda: Image.open(handle, formats=FORMATS), max_pixels) as image:
            if getattr(image, "n_frames", 1) > 1:
                notes.append("first_of_several_frames")
            image.load()
            if image.getexif().get(0x0112, 1) not in (0, 1):
                notes.append("orientation_applied")
            samples, full_scale = _samples(ImageOps.exif_transpose(image))
        if samples.ndim == 3:
            grey, _ = grey_of(samples, full_scale=full_scale)
            notes.append("colour_converted")
        else:
            grey = samples.astype(np.float32)
        display = np.clip(grey / np.float32(full_scale), 0.0, 1.0)
    facts = ImageFacts(
        stem=stem,
        source_sha256=source.sha256,
        rows=int(display.shape[0]),
        columns=int(display.shape[1]),
        age_years=age_years,
        sex=sex,
        patient_left_at=patient_left_at,
    )
    return DecodedFrame(facts=facts, values=display * np.float32(255.0), display=display, notes=tuple(notes))
