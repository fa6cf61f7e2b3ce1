"""Earlier studies of the same patient, pulled from an archive: which to want, and the order of the steps."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Protocol

from radiolucent.errors import InputRefused, RadiolucentError
from radiolucent.records.door import Offered

Keep = Callable[[Offered], None]
"""Returns when an instance is kept, or raises: the door that received images come through."""
UID_PATTERN = re.compile(r"[0-9]+(\.[0-9]+)*")
MOST_UID_CHARACTERS = 64
_WILDCARDS = re.compile(r"[*?\\]")
_AGE = re.compile(r"([0-9]{3})([DWMY])")
_A_YEAR = {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorQuery:
    """Whose studies to look for.

    Parameters
    ----------
    modalities
        Any of these; empty is any.
    since, until
        Study dates, both included; ``None`` is without end.
    """

    patient_id: str
    issuer: str = ""
    modalities: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None

    @property
    def is_askable(self) -> bool:
        """Whether one patient is meant: an empty identifier matches everybody, a wildcard others (PS3.4 C.2.2.2)."""
        return bool(self.patient_id.strip()) and not _WILDCARDS.search(self.patient_id)

    @property
    def date_range(self) -> str:
        """PS3.4 C.2.2.2.5; empty where both ends are open."""
        ends = [each.strftime("%Y%m%d") if each is not None else "" for each in (self.since, self.until)]
        return "-".join(ends) if any(ends) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A study that an archive has of a patient.

    Parameters
    ----------
    started
        Study date and time as digits, ``YYYYMMDDHHMMSS`` or a beginning of it; empty where not stated.
    modalities, body_parts
        Of its series, upper case; ``body_parts`` is empty where the archive does not say.
    instances
        How many it has, where the archive says so.
    description, age_years
        Of the study, and of the patient at its time; only where studies of many patients are listed.
    """

    study_instance_uid: str
    patient_id: str
    issuer: str = ""
    started: str = ""
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    instances: int | None = None
    description: str = ""
    age_years: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The study that wants priors; ``started`` as in `Candidate`."""

    study_instance_uid: str
    modality: str
    body_part: str = ""
    started: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came of one study. ``is_complete``: the archive says that it gave everything, and all of it was kept."""

    study_instance_uid: str
    instances: int
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PullLimits:
    """How much is asked for at most.

    Parameters
    ----------
    candidates
        Studies looked at, most recent first.
    studies
        Studies fetched.
    instances
        Instances of one study; a study that is said to have more is passed over.
    instance_bytes
        Bytes of one instance.
    is_over
        Whether the time for it is over: nothing more is asked for, and what is under way is broken off.
    """

    candidates: int = 50
    studies: int = 2
    instances: int = 2000
    instance_bytes: int = 2 * 1024**3
    is_over: Callable[[], bool] = lambda: False


class Archive(Protocol):
    """An archive that can be asked."""

    def find(self, query: PriorQuery, *, limits: PullLimits) -> Sequence[Candidate]:
        """Studies that match, in any order."""

    def fetch(self, study_instance_uid: str, keep: Keep, *, limits: PullLimits) -> Fetched:
        """Get one study; each instance goes to ``keep``, or comes through our own door."""


class Pace:
    """Lets one archive be asked at most once per interval, whoever asks.

    Parameters
    ----------
    interval_s
        Between two requests.
    clock, sleep
        Monotonic seconds, and how to wait.
    """

    def __init__(self, interval_s: float, *, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._interval_s, self._clock, self._sleep = interval_s, clock, sleep
        self._next: float | None = None
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may go."""
        with self._lock:
            now = self._clock()
            turn = now if self._next is None else max(now, self._next)
            self._next = turn + self._interval_s
        if turn > now:
            self._sleep(turn - now)


def choose_priors(candidates: Sequence[Candidate], *, of: Current, limit: int) -> tuple[Candidate, ...]:
    """The studies to compare with: earlier, same modality, same body part, most recent first.

    A study whose body part is not stated comes after all that state the same; one that states only others never. The
    same holds for the time: without one, a study comes last. Where the current study has none, no study is too late.
    """
    wanted, modality = of.body_part.upper(), of.modality.upper()
    fitting = {
        each.study_instance_uid: each
        for each in candidates
        if each.study_instance_uid != of.study_instance_uid
        and modality in each.modalities
        and (not wanted or not each.body_parts or wanted in each.body_parts)
        and _is_earlier(each.started, of.started)
    }
    ranked = sorted(
        fitting.values(),
        key=lambda each: (bool(wanted) and wanted in each.body_parts, each.started, each.study_instance_uid),
        reverse=True,
    )
    return tuple(ranked[:limit])


def same_patient(candidates: Sequence[Candidate], query: PriorQuery) -> tuple[Candidate, ...]:
    """Those that are the patient asked for, whatever the archive matched by.

    An archive that does not state the issuer is taken to have one only; two different issuers are two patients.
    """
    return tuple(
        each
        for each in candidates
        if each.patient_id.strip() == query.patient_id.strip()
        and (not each.issuer or not query.issuer or each.issuer.strip() == query.issuer.strip())
    )


def answers(candidate: Candidate, query: PriorQuery) -> bool:
    """Whether its modalities are wanted: a query can name one at most, and an archive may ignore it."""
    return not query.modalities or not candidate.modalities or bool({*candidate.modalities} & {*query.modalities})


def described(candidate: Candidate, *, modalities: Iterable[str], body_parts: Iterable[str]) -> Candidate:
    """The candidate with what its series say: the study level of a search knows no body parts."""
    said = tuple(dict.fromkeys(each.upper() for each in modalities))
    parts = tuple(dict.fromkeys(each.upper() for each in body_parts))
    return replace(candidate, modalities=candidate.modalities or said, body_parts=parts)


def pull_priors(
    archive: Archive, query: PriorQuery, keep: Keep, *, of: Current, limits: PullLimits, pace: Pace
) -> tuple[Fetched, ...]:
    """Find, choose and fetch. A patient without a usable identifier has no priors that could be found.

    Returns
    -------
    tuple[Fetched, ...]
        One per study asked for. One that is not complete may be asked for again: what came is known by its UIDs.

    Raises
    ------
    PeerUnavailable
        The archive did not answer, or our own store cannot take more.
    PeerRefused
        The archive says no.
    """
    if not query.is_askable:
        return ()
    pace.wait()
    found = same_patient(archive.find(query, limits=limits), query)
    small = [each for each in found if each.instances is None or each.instances <= limits.instances]
    fetched = []
    for prior in choose_priors(small, of=of, limit=limits.studies):
        pace.wait()
        fetched.append(archive.fetch(prior.study_instance_uid, keep, limits=limits))
    return tuple(fetched)


class Intake:
    """Passes the instances of one study on, up to a number, and remembers what was not kept.

    A refused instance does not end the study; a store that cannot take more does, and so does any other error.
    """

    def __init__(self, keep: Keep, *, limits: PullLimits) -> None:
        self._keep, self._limits = keep, limits
        self.kept = 0
        self.left_out = 0
        self.error: RadiolucentError | None = None

    @property
    def is_full(self) -> bool:
        """Whether nothing more is wanted."""
        return self.error is not None or self.kept >= self._limits.instances or self._limits.is_over()

    def offer(self, offered: Offered) -> bool:
        """Whether an instance was kept."""
        if self.is_full or len(offered.dataset) > self._limits.instance_bytes:
            self.leave_out()
            return False
        try:
            self._keep(offered)
        except InputRefused:
            self.leave_out()
            return False
        except RadiolucentError as error:
            self.error = error
            return False
        self.kept += 1
        return True

    def leave_out(self) -> None:
        """Note an instance that is not wanted."""
        self.left_out += 1

    def result(self, study_instance_uid: str, *, is_complete: bool) -> Fetched:
        """The sum.

        Raises
        ------
        RadiolucentError
            What ended the study before its end.
        """
        if self.error is not None:
            raise self.error
        return Fetched(
            study_instance_uid=study_instance_uid, instances=self.kept, is_complete=is_complete and not self.left_out
        )


def is_uid(text: str) -> bool:
    """Whether a text may be used as a UID in a request."""
    return len(text) <= MOST_UID_CHARACTERS and UID_PATTERN.fullmatch(text) is not None


def age_at(stated: str, birth_date: str, started: str) -> float | None:
    """Age in years: as stated (PS3.5 AS), else from birth to the study; ``None`` where neither is known.

    Examples
    --------
    >>> age_at("006M", "", ""), age_at("", "20200301", "20260301101500"), age_at("", "", "20260301")
    (0.5, 6.0, None)
    """
    found = _AGE.fullmatch(stated)
    if found is not None:
        return int(found[1]) / _A_YEAR[found[2]]
    try:
        born, then = (datetime.strptime(day[:8], "%Y%m%d").date() for day in (birth_date, started))
    except ValueError:
        return None
    return round((then - born).days / 365.25, 2) if born <= then else None


def _is_earlier(started: str, than: str) -> bool:
    length = min(len(started), len(than))
    is_told_apart = length >= len("YYYYMMDDHHMMSS")
    return started[:length] < than[:length] or (started[:length] == than[:length] and not is_told_apart)
