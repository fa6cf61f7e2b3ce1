"""Metadata as DICOM JSON (PS3.18 annex F), and the binary values that it points to instead of holding them."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from radiolucent.errors import InputRefused
from radiolucent.prepare.boundary import refused, refusing, tolerant
from radiolucent.web.dicomweb.part10 import Opened
from radiolucent.web.dicomweb.problems import not_in_archive

PIXELS = {
    "FloatPixelData": ("7FE00008", "OF"),
    "DoubleFloatPixelData": ("7FE00009", "OD"),
    "PixelData": ("7FE00010", "OW"),
}
MAX_STEPS = 33
TAG = re.compile(r"[0-9A-Fa-f]{8}")


def metadata_json(source: Opened, *, address: str, inline_bytes: int) -> str:
    """DICOM JSON of an instance.

    Elements behind the pixel data are left out; an element that cannot be converted stands without a value. Texts are
    Unicode, so Specific Character Set says ``ISO_IR 192``.

    Parameters
    ----------
    address
        Of the instance; values of more than ``inline_bytes`` are at ``{address}/bulkdata/{path}``.
    """
    with refusing(_unreadable):
        out = _dataset(source.dataset, f"{address}/bulkdata", inline_bytes)
    if "00080005" in out:
        out["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    out["00083002"] = {"vr": "UI", "Value": [str(source.transfer_syntax)]}
    if source.pixels is not None:
        tag, vr = PIXELS[source.pixels.keyword]
        out[tag] = {"vr": source.pixels.vr or vr, "BulkDataURI": f"{address}/bulkdata/{tag}"}
    return json.dumps(dict(sorted(out.items())), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def bulk_value(source: Opened, path: str) -> bytes:
    """The binary value at a path of tags and item numbers, such as ``54000100/1/54001010``.

    Raises
    ------
    InputRefused
        ``not_in_archive`` where there is no such value.
    """
    steps = path.split("/")
    if len(steps) > MAX_STEPS or len(steps) % 2 == 0:
        raise not_in_archive()
    holder: Dataset | None = source.dataset
    for tag, item in zip(steps[:-1:2], steps[1::2], strict=True):
        element = _element(holder, tag)
        number = int(item) if item.isascii() and item.isdigit() and len(item) < 7 else 0
        is_there = element is not None and element.VR == "SQ" and 1 <= number <= len(element.value)
        holder = element.value[number - 1] if is_there and element is not None else None
    element = _element(holder, steps[-1])
    if element is None or not isinstance(element.value, bytes):
        raise not_in_archive()
    return element.value


def _element(holder: Dataset | None, tag: str) -> DataElement | None:
    if holder is None or not TAG.fullmatch(tag) or int(tag, 16) not in holder:
        return None
    return tolerant(lambda: holder[int(tag, 16)])


def _dataset(dataset: Dataset, address: str, inline_bytes: int) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for tag in dataset.keys():  # noqa: SIM118  iterating a dataset converts every element
        if tag.element == 0:
            continue  # group lengths are retired
        element = tolerant(lambda tag=tag: dataset[tag])  # type: ignore[misc]
        if not isinstance(element, DataElement):
            raw = dataset.get_item(tag)
            out[f"{tag:08X}"] = {"vr": getattr(raw, "VR", None) or "UN"}
        else:
            out[f"{tag:08X}"] = _json(element, f"{address}/{tag:08X}", inline_bytes)
    return out


def _json(element: DataElement, address: str, inline_bytes: int) -> dict[str, Any]:
    vr = {"OB or OW": "OW", "US or SS": "US", "US or OW": "OW", "US or SS or OW": "OW"}.get(element.VR, element.VR)
    if element.VR == "SQ":
        items = [_dataset(item, f"{address}/{n}", inline_bytes) for n, item in enumerate(element.value, start=1)]
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
    if isinstance(element.value, bytes) and len(element.value) > inline_bytes:
        return {"vr": vr, "BulkDataURI": address}
    made = tolerant(lambda: element.to_json_dict(None, 0))
    if made is None:
        return {"vr": vr}
    made["vr"] = vr
    if "Value" in made:
        made["Value"] = [_finite(value) for value in made["Value"]]
    return made


def _finite(value: object) -> object:
    """JSON has no NaN and no infinity: they are written as words, as other DICOM software does."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, dict):
        return {key: part for key, part in value.items() if part}
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _unreadable() -> InputRefused:
    return refused(
        "unreadable_header",
        found="a DICOM header that cannot be parsed",
        expected="a dataset in its stated transfer syntax",
        action="Export the image again.",
    )
