"""What people decided as a table to learn from: pictures without a header, labels, regions, and the ground of consent.

The tables are those that ``radiolucent validate``, ``radiolucent engines evaluate`` and ``python -m training train
--add`` take.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from radiolucent.cohort.reading import first_frame
from radiolucent.cohort.truth import BOX_COLUMNS, CONSENT, Box, keys_of
from radiolucent.cohort.validation.roster import digest_of
from radiolucent.deliver.folder import write_bytes
from radiolucent.engines.routing import check_engine
from radiolucent.errors import InputRefused
from radiolucent.prepare.model_input import channel_pictures, pixel_ratio
from radiolucent.records.engine import EngineSpec
from radiolucent.records.image import DecodedFrame
from radiolucent.records.study import Region

TABLE, BOXES, PICTURES = "cohort.csv", "boxes.csv", "images"
SQUARE = 0.01
"""How far the sides of a pixel may differ; a picture cannot say that they do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """One image that people decided on.

    Parameters
    ----------
    image
        The DICOM file; ``uid`` its SOP Instance UID.
    group
        Digest of the patient; never the identifier.
    consent
        On what ground it may be learnt from.
    labels
        1, 0 or ``nan`` by key.
    regions
        What a person drew on it, by key.
    """

    image: Path
    uid: str
    group: str
    source: str
    consent: str
    labels: Mapping[str, float]
    regions: Sequence[tuple[str, Region]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How much was written, and what was not, by why."""

    images: int
    boxes: int
    left_out: Mapping[str, int]


def write(taught: Iterable[Taught], spec: EngineSpec, out: Path) -> Written:
    """Write ``cohort.csv``, ``boxes.csv`` and ``images/*.png`` into ``out``.

    A picture is what the engine's channel shows at the image's own size, 8 bits. Of a polygon the box around it is
    written.
    """
    (out / PICTURES).mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, str]] = []
    boxes: list[dict[str, str]] = []
    left_out: Counter[str] = Counter()
    for each in taught:
        try:
            frame = _frame(each.image, spec)
        except InputRefused as error:
            left_out[error.code] += 1
            continue
        if frame is None:
            left_out["several frames, or pixels that are not square"] += 1
            continue
        names = _pictures(frame, each.uid, spec, out)
        rows.append(_row(each, names, spec))
        boxes += _boxes(each, names[0], frame.display.shape)
    columns = ["image", *(["image2"] if len(spec.input.channels) == 2 else []), "group", "source", CONSENT]
    _csv(out / TABLE, [*columns, *keys_of(spec)], rows)
    _csv(out / BOXES, [*BOX_COLUMNS, CONSENT], boxes)
    return Written(images=len(rows), boxes=len(boxes), left_out=dict(left_out))


def _frame(path: Path, spec: EngineSpec) -> DecodedFrame | None:
    """The image, if it is a single one with square pixels that the engine could read."""
    frame, header = first_frame(path, spec)
    check_engine(frame.facts, spec)
    rows, columns = pixel_ratio(frame)
    is_single = header is None or int(header.get("NumberOfFrames") or 1) == 1
    return frame if is_single and abs(rows / columns - 1) <= SQUARE else None


def _pictures(frame: DecodedFrame, uid: str, spec: EngineSpec, out: Path) -> list[str]:
    """Paths of the written pictures, relative to ``out``, one for each channel."""
    names = []
    for number, pixels in enumerate(channel_pictures(frame, spec.input)):
        name = f"{PICTURES}/{digest_of(uid)}{'' if number == 0 else f'-{number + 1}'}.png"
        held = io.BytesIO()
        Image.fromarray(pixels).save(held, "PNG")
        write_bytes(out / name, held.getvalue())
        names.append(name)
    return names


def _row(each: Taught, names: Sequence[str], spec: EngineSpec) -> dict[str, str]:
    row = dict(zip(("image", "image2"), names, strict=False))
    row |= {"group": each.group, "source": each.source, CONSENT: each.consent}
    known = ((key, each.labels.get(key, float("nan"))) for key in keys_of(spec))
    return row | {key: "" if label != label else str(int(label)) for key, label in known}


def _boxes(each: Taught, image: str, shape: tuple[int, ...]) -> Iterable[dict[str, str]]:
    for key, region in each.regions:
        if each.labels.get(key) == 1:
            where = dict(zip(BOX_COLUMNS[2:], (f"{side:.6f}" for side in box_of(region, shape)), strict=True))
            yield {"image": image, "finding": key, **where, CONSENT: each.consent}


def box_of(region: Region, shape: tuple[int, ...]) -> Box:
    """``(x, y, width, height)`` around a region as fractions of an image of ``(rows, columns)``."""
    down = [min(max(row / shape[0], 0.0), 1.0) for row, _ in region.points]
    across = [min(max(column / shape[1], 0.0), 1.0) for _, column in region.points]
    return min(across), min(down), max(across) - min(across), max(down) - min(down)


def _csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    held = io.StringIO(newline="")
    writer = csv.DictWriter(held, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, held.getvalue().encode("utf-8"))
