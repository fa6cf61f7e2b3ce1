"""Read header values tolerantly, give back only what the standard allows to be written (PS3.5 section 6.2).

Nothing here raises on a damaged header: what cannot be read or is not legal counts as not there.
"""

from __future__ import annotations

import datetime
import math
import re
import warnings
from collections.abc import Iterable

from pydicom import config
from pydicom.charset import convert_encodings, encode_string
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.uid import UID

UNREADABLE = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, NotImplementedError, LookupError,
    BytesLengthException,
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d(([0-5]\d|60)(\.\d{1,6})?)?)?")
_MAX_GROUP = 64
_SINGLE_BYTE = {f"ISO 2022 IR {n}" for n in (13, 100, 101, 109, 110, 126, 127, 138, 144, 148, 166, 203)}
_DEFAULT_REPERTOIRE = {"", "ISO_IR 6", "ISO 2022 IR 6"}


def value(dataset: Dataset, keyword: str) -> object | None:
    """The value of an attribute, or ``None`` where it is absent, empty or cannot be read."""
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")  # pydicom warns about, and logs, illegal values; here they are only read
        try:
            found: object = dataset[keyword].value if keyword in dataset else None
        except UNREADABLE:
            return None
    return None if found is None or found == "" else found


def first(dataset: Dataset, keyword: str) -> object | None:
    """Like `value`, but the first one of several."""
    found = value(dataset, keyword)
    if isinstance(found, MultiValue | list | tuple):
        return found[0] if len(found) else None
    return found


def text(dataset: Dataset, keyword: str, *, limit: int = 64) -> str:
    """A short or long string (SH, LO): no control characters, no backslash, at most ``limit`` characters."""
    found = value(dataset, keyword)
    if isinstance(found, MultiValue | list | tuple):
        found = " ".join(str(part) for part in found)
    return clean(found, limit=limit)


def clean(found: object | None, *, limit: int) -> str:
    """``found`` as one legal line of at most ``limit`` characters."""
    return _CONTROL.sub(" ", str(found if found is not None else "")).strip()[:limit].strip()


def person_name(dataset: Dataset, keyword: str) -> str:
    """A person name: at most three groups of 64 characters and five components (PS3.5 section 6.2.1)."""
    found = first(dataset, keyword)
    groups = _CONTROL.sub(" ", str(found if found is not None else "")).split("=")[:3]
    legal = ["^".join(group.split("^")[:5])[:_MAX_GROUP].strip() for group in groups]
    return "=".join(legal).rstrip("=")


def date(dataset: Dataset, keyword: str) -> str:
    """A date as YYYYMMDD; the ACR-NEMA form YYYY.MM.DD is understood, anything else is empty."""
    found = str(first(dataset, keyword) or "").strip()
    if re.fullmatch(r"\d{4}\.\d{2}\.\d{2}", found):
        found = found.replace(".", "")
    if not re.fullmatch(r"\d{8}", found):
        return ""
    try:
        datetime.date(int(found[:4]), int(found[4:6]), int(found[6:]))
    except ValueError:
        return ""
    return found


def time(dataset: Dataset, keyword: str) -> str:
    """A time as HHMMSS.FFFFFF or a legal beginning of it; anything else is empty."""
    found = str(first(dataset, keyword) or "").strip()
    return found if _TIME.fullmatch(found) else ""


def coded(dataset: Dataset, keyword: str, *, allowed: Iterable[str] | None = None) -> str:
    """A code string (CS): upper case, 16 characters; outside ``allowed`` it is empty."""
    found = str(first(dataset, keyword) or "").strip().upper()
    if allowed is not None:
        return found if found in allowed else ""
    return found if re.fullmatch(r"[A-Z0-9_ ]{1,16}", found) else ""


def age(dataset: Dataset, keyword: str) -> str:
    """An age string (AS) such as 045Y, or empty."""
    found = str(first(dataset, keyword) or "").strip().upper()
    return found if re.fullmatch(r"\d{3}[DWMY]", found) else ""


#: Arcs that exist (X.660): 0.0.1 to 0.0.26, 0.1 to 0.5 and 0.9 of ITU-T, 1.0 to 1.3 of ISO, any joint arc.
_ROOT = re.compile(r"0\.(0\.([1-9]|1\d|2[0-6])|[1-59])(\.|$)|1\.[0-3]\.|2\.\d+\.")


def uid(dataset: Dataset, keyword: str) -> str:
    """A legal UID (PS3.5 section 9.1) under an arc that exists, or empty."""
    found = str(first(dataset, keyword) or "").strip()
    return found if found and UID(found).is_valid and _ROOT.match(found) else ""


def integer(dataset: Dataset, keyword: str, *, low: int = 0, high: int = 2**31 - 1) -> int | None:
    """An integer within bounds, or ``None``."""
    try:
        number = int(str(first(dataset, keyword) or "").strip())
    except ValueError:
        return None
    return number if low <= number <= high else None


def numbers(dataset: Dataset, keyword: str, *, count: int) -> tuple[float, ...] | None:
    """Exactly ``count`` finite numbers, or ``None``."""
    found = value(dataset, keyword)
    parts = list(found) if isinstance(found, MultiValue | list | tuple) else [found]
    if len(parts) != count:
        return None
    try:
        result = tuple(float(str(part)) for part in parts)
    except ValueError:
        return None
    return result if all(math.isfinite(number) for number in result) else None


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; an empty list where it is absent or damaged."""
    found = value(dataset, keyword)
    try:
        return [item for item in found if isinstance(item, Dataset)]  # type: ignore[attr-defined]
    except UNREADABLE:
        return []


def character_set(dataset: Dataset, texts: Iterable[str]) -> tuple[str, ...]:
    """The source's Specific Character Set where it is legal and holds every text, else UTF-8 (PS3.3 C.12.1.1.2)."""
    declared = value(dataset, "SpecificCharacterSet")
    terms = [str(term) for term in declared] if isinstance(declared, MultiValue | list) else [str(declared or "")]
    wanted = "^".join(texts)
    if set(terms) <= _DEFAULT_REPERTOIRE and not wanted.isascii():
        return ("ISO_IR 192",)
    if not any(terms):
        return ()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pydicom only warns about misspelt terms and unencodable text
        try:
            encodings = convert_encodings(terms)
            for part in re.split(r"[\^=\s]", wanted):
                encode_string(part, encodings)
        except (Warning, *UNREADABLE):
            return ("ISO_IR 192",)
    if len(terms) == 1 and terms[0] in _SINGLE_BYTE:
        return (terms[0].replace("ISO 2022 IR ", "ISO_IR "),)  # the same set, without escapes nobody needs
    return tuple(terms)
