"""From the parameters of a search to a `Query` (PS3.18 8.3.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from radiolucent.prepare.header import UID_PATTERN
from radiolucent.web.dicomweb.archive import Condition, Level, Query
from radiolucent.web.dicomweb.attributes import ATTRIBUTES, BY_NAME, LEVELS, UIDS, Attribute
from radiolucent.web.dicomweb.problems import bad_parameter

TAG = re.compile(r"[0-9A-Fa-f]{8}")
DATE, TIME = re.compile(r"[0-9]{8}"), re.compile(r"[0-9]{2}([0-9]{2}([0-9]{2}(\.[0-9]{1,6})?)?)?")
NUMBER = re.compile(r"-?[0-9]{1,10}")
MAX_PARAMETERS, MAX_VALUE, MAX_LIST = 64, 1024, 1000
HANDLED = ("limit", "offset", "fuzzymatching", "includefield", "accept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A query, the attributes that its answer shows, and whether fuzzy matching was asked for."""

    query: Query
    shown: frozenset[str]
    wants_fuzzy: bool


def read_search(
    parameters: Iterable[tuple[str, str]],
    *,
    level: Level,
    study: str | None = None,
    series: str | None = None,
    max_results: int,
) -> Search:
    """Read the parameters of a search.

    Parameters
    ----------
    parameters
        Names and values, decoded.
    study, series
        UIDs of the path, which narrow the search.

    Raises
    ------
    InputRefused
        ``request_parameter`` for a parameter that is unknown, doubled, malformed or not of this level: leaving a
        condition out would list other patients' studies.
    """
    pairs = list(parameters)
    if len(pairs) > MAX_PARAMETERS or any(len(value) > MAX_VALUE * 64 for _, value in pairs):
        raise bad_parameter("too many or too long parameters", f"at most {MAX_PARAMETERS}")
    options = {name: value for name, value in pairs if name in HANDLED}
    conditions = [
        Condition(keyword=keyword, kind="exact", values=(uid,))
        for keyword, uid in (("StudyInstanceUID", study), ("SeriesInstanceUID", series))
        if uid is not None
    ]
    seen: set[str] = set()
    for name, value in pairs:
        if name in HANDLED:
            continue
        attribute = _attribute(name, level)
        if attribute.keyword in seen:
            raise bad_parameter(f"{attribute.keyword} twice", "each matching key once")
        seen.add(attribute.keyword)
        condition = _condition(attribute, value.strip())
        if condition is not None:
            conditions.append(condition)
    query = Query(
        conditions=tuple(conditions),
        limit=min(_count("limit", options.get("limit")) or max_results, max_results),
        offset=_count("offset", options.get("offset")) or 0,
    )
    wanted = [value for name, value in pairs if name == "includefield"]
    return Search(
        query=query,
        shown=_shown(wanted, level=level, above=(study is not None, series is not None)),
        wants_fuzzy=_flag("fuzzymatching", options.get("fuzzymatching")),
    )


def _attribute(name: str, level: Level) -> Attribute:
    known = BY_NAME.get(name.upper() if TAG.fullmatch(name) else name)
    if known is None:
        # A name that is no keyword may be anything, so it is not repeated.
        keyword = keyword_for_tag(int(name, 16)) if TAG.fullmatch(name) else name if tag_for_keyword(name) else ""
        what = f"{keyword}, which cannot be searched for here" if keyword else "an unknown parameter"
        raise bad_parameter(what, "keywords or tags that docs/dicomweb.md lists")
    if LEVELS.index(known.level) > LEVELS.index(level):
        raise bad_parameter(f"{known.keyword} in a search for {level} level", "attributes of this level or above")
    if known.matching == "none":
        raise bad_parameter(f"{known.keyword} as a matching key", "attributes that are not counted by us")
    return known


def _condition(attribute: Attribute, value: str) -> Condition | None:
    """The condition of a value; ``None`` for an empty one or ``*``: universal matching."""
    if not value.strip("*") and attribute.matching in ("text", "name", "code"):
        return None
    if not value:
        return None
    if len(value) > (MAX_VALUE * 64 if attribute.matching == "uid" else MAX_VALUE):
        raise bad_parameter(f"a value of {attribute.keyword} that is too long", f"at most {MAX_VALUE} characters")
    if attribute.matching in ("uid", "code"):
        return _list(attribute, value)
    if attribute.matching in ("date", "time"):
        return _range(attribute, value)
    if attribute.matching == "number":
        if not NUMBER.fullmatch(value):
            raise bad_parameter(f"a value of {attribute.keyword} that is no number", "a whole number")
        return Condition(keyword=attribute.keyword, kind="exact", values=(str(int(value)),))
    kind = "wildcard" if "*" in value or "?" in value else "exact"
    return Condition(keyword=attribute.keyword, kind=kind, values=(value,))  # type: ignore[arg-type]


def _list(attribute: Attribute, value: str) -> Condition:
    """UID list matching (PS3.4 C.2.2.2.2); lists of modalities are read the same way, since viewers send them."""
    parts = tuple(part.strip() for part in re.split(r"[,\\]", value) if part.strip())
    if not parts or len(parts) > MAX_LIST:
        raise bad_parameter(f"a list of {attribute.keyword} without values, or too long", f"1 to {MAX_LIST} values")
    if attribute.matching == "uid":
        if any(len(part) > 64 or not UID_PATTERN.fullmatch(part) for part in parts):
            raise bad_parameter(f"a value of {attribute.keyword} that is no UID", "digits and dots (PS3.5 9.1)")
        return Condition(keyword=attribute.keyword, kind="any_of", values=parts)
    if len(parts) == 1 and ("*" in parts[0] or "?" in parts[0]):
        return Condition(keyword=attribute.keyword, kind="wildcard", values=parts)
    return Condition(keyword=attribute.keyword, kind="any_of", values=parts)


def _range(attribute: Attribute, value: str) -> Condition:
    pattern = DATE if attribute.matching == "date" else TIME
    low, dash, high = value.partition("-")
    if not dash:
        high = low
    if (not low and not high) or any(end and not pattern.fullmatch(end) for end in (low, high)):
        form = "YYYYMMDD" if attribute.matching == "date" else "HHMMSS"
        raise bad_parameter(f"a malformed value of {attribute.keyword}", f"{form}, or a range of two with a hyphen")
    return Condition(keyword=attribute.keyword, kind="range", values=(low, high))


def _count(name: str, value: str | None) -> int | None:
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise bad_parameter(f"a malformed {name}", "a whole number from 0")
    return int(value)


def _flag(name: str, value: str | None) -> bool:
    if value not in (None, "true", "false"):
        raise bad_parameter(f"a malformed {name}", "true or false")
    return value == "true"


def _shown(wanted: Iterable[str], *, level: Level, above: tuple[bool, bool]) -> frozenset[str]:
    """Own level and those above that the path does not fix, identities of all, and what ``includefield`` adds.

    A legal attribute that we do not index is passed over: an archive need not know every attribute (PS3.18 10.6.3.3).
    """
    reach = LEVELS[: LEVELS.index(level) + 1]
    fixed = {name for name, is_given in zip(LEVELS, above, strict=False) if is_given}
    shown = {a.keyword for a in ATTRIBUTES if a.level in reach and (a.level not in fixed or a.keyword in UIDS)}
    for name in (part.strip() for value in wanted for part in value.split(",") if part.strip()):
        if name == "all":
            shown |= {a.keyword for a in ATTRIBUTES if a.level in reach}
            continue
        if not all(TAG.fullmatch(step) or tag_for_keyword(step) for step in name.split(".")):
            raise bad_parameter("an includefield that is neither keyword nor tag", "keywords, tags or all")
        known = BY_NAME.get(name.upper() if TAG.fullmatch(name) else name)
        if known is not None and known.level in reach:
            shown.add(known.keyword)
    return frozenset(shown)
