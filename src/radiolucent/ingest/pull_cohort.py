"""Studies of many patients, pulled from an archive to measure an engine on: which to want, and how not to press it.

An archive is asked for one day and one modality at a time, most recent first, so that no answer is cut off and no query
is heavy; what it cannot match, such as age, is sorted out by us.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Protocol, TypeVar

from radiolucent.errors import PeerRefused, PeerUnavailable
from radiolucent.ingest.pull import Candidate, Fetched, Keep, Pace, PullLimits

MOST_LISTED = 2000
"""Studies of one day and modality that are listened to."""
WAITS_S = (5.0, 30.0, 120.0)
"""After each failure, before an archive that does not answer is asked again."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyQuery:
    """One question to an archive: studies of one modality within some days, whosever they are.

    Parameters
    ----------
    since, until
        Study dates, both included; ``None`` is without end.
    """

    modality: str
    since: date | None = None
    until: date | None = None

    @property
    def date_range(self) -> str:
        """PS3.4 C.2.2.2.5; empty where both ends are open."""
        ends = [each.strftime("%Y%m%d") if each is not None else "" for each in (self.since, self.until)]
        return "-".join(ends) if any(ends) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which studies make the cohort.

    Parameters
    ----------
    modalities
        Any of these.
    since, until
        Study dates, both included. Without ``since`` the archive is asked once for everything, and may cut it off.
    description
        Regular expression that the study's description must hold, whatever its case.
    body_part
        Of its series, where they state one.
    ages
        Youngest and oldest age in years, both included; a study that states none is left out.
    studies
        At most so many.
    """

    modalities: tuple[str, ...]
    since: date | None = None
    until: date | None = None
    description: str = ""
    body_part: str = ""
    ages: tuple[float, float] | None = None
    studies: int = 200

    def queries(self) -> Iterator[StudyQuery]:
        """The questions, most recent day first."""
        day, first = self.until, self.since
        if day is None or first is None:
            for modality in self.modalities:
                yield StudyQuery(modality=modality, since=first, until=day)
            return
        while day >= first:
            for modality in self.modalities:
                yield StudyQuery(modality=modality, since=day, until=day)
            day -= timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What came of one study.

    Parameters
    ----------
    images
        Images of it that were kept.
    is_whole
        Whether the archive says that it gave everything; such a study is not asked for again.
    code
        Of the refusal, where the archive refused it.
    """

    study_instance_uid: str
    images: int
    is_whole: bool
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """A cohort as it was pulled: studies by what came of them, and how many were left out by why."""

    studies: tuple[Pulled, ...]
    left_out: Mapping[str, int]


class CohortArchive(Protocol):
    """An archive that can be asked for studies of many patients."""

    def list_studies(self, query: StudyQuery, *, most: int) -> Sequence[Candidate]:
        """Studies that match, most recent first, at most so many."""

    def describe(self, candidate: Candidate) -> Candidate:
        """The candidate with the body parts that its series state."""

    def fetch(self, study_instance_uid: str, keep: Keep, *, limits: PullLimits) -> Fetched:
        """Get one study; each instance goes to ``keep``, or comes through our own door."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How hard an archive may be pressed.

    Parameters
    ----------
    pace
        Between two requests.
    images_per_second
        On average: after each study it is left alone for as long as its images are worth.
    """

    pace: Pace
    images_per_second: float
    sleep: Callable[[float], None]

    def after(self, images: int) -> None:
        """Wait for what was just given."""
        self.sleep(images / self.images_per_second)

    def ask(self, request: Callable[[], T]) -> T:
        """The answer to a request, in its turn; an archive that does not answer is asked again a few times.

        Raises
        ------
        PeerUnavailable
            It did not answer, or our disk is full.
        """
        for wait in WAITS_S:
            self.pace.wait()
            try:
                return request()
            except PeerUnavailable as error:
                if error.code == "storage_full":
                    raise
                self.sleep(wait)
        self.pace.wait()
        return request()


def pull_cohort(
    archive: CohortArchive,
    wanted: Wanted,
    fetch: Callable[[str], Pulled],
    *,
    known: Mapping[str, Pulled],
    limits: PullLimits,
    manners: Manners,
) -> Harvest:
    """List, choose and fetch, until enough studies are here.

    Parameters
    ----------
    fetch
        Gets one study and keeps its images.
    known
        What came of studies that were asked for before, by UID: those that are whole are not asked for again.

    Raises
    ------
    PeerUnavailable
        The archive did not answer though it was asked again, or our disk is full. What is here is known the next time.
    PeerRefused
        The archive does not answer such questions. One study that it refuses is counted instead.
    """
    left_out: Counter[str] = Counter()
    done: dict[str, Pulled] = {}
    for candidate in _listed(archive, wanted, left_out, manners):
        if sum(study.images > 0 for study in done.values()) >= wanted.studies:
            break
        uid = candidate.study_instance_uid
        if uid in done:
            continue
        earlier = known.get(uid)
        if earlier is not None and earlier.is_whole:
            done[uid] = earlier
            continue
        why = _unwanted(archive, candidate, wanted, limits, manners)
        if why is not None:
            left_out[why] += 1
            continue
        done[uid] = _fetched(fetch, uid, manners)
        manners.after(done[uid].images)
    return Harvest(studies=tuple(done.values()), left_out=dict(left_out))


def _listed(archive: CohortArchive, wanted: Wanted, left_out: Counter[str], manners: Manners) -> Iterator[Candidate]:
    for query in wanted.queries():
        found = manners.ask(partial(archive.list_studies, query, most=MOST_LISTED))
        if len(found) >= MOST_LISTED:
            left_out[f"beyond {MOST_LISTED} studies of one answer (at least)"] += 1
        yield from (each for each in found if not each.modalities or query.modality in each.modalities)


def _unwanted(
    archive: CohortArchive, candidate: Candidate, wanted: Wanted, limits: PullLimits, manners: Manners
) -> str | None:
    """Why a study is none of the cohort; its series are asked for only where that decides."""
    if wanted.description and not re.search(wanted.description, candidate.description, re.IGNORECASE):
        return "of another description"
    if wanted.ages is not None:
        if candidate.age_years is None:
            return "without an age"
        if not wanted.ages[0] <= candidate.age_years <= wanted.ages[1]:
            return "of another age"
    if candidate.instances is not None and candidate.instances > limits.instances:
        return f"with more than {limits.instances} instances"
    if wanted.body_part:
        parts = manners.ask(partial(archive.describe, candidate)).body_parts
        if parts and wanted.body_part.upper() not in parts:
            return "of another body part"
    return None


def _fetched(fetch: Callable[[str], Pulled], study_instance_uid: str, manners: Manners) -> Pulled:
    try:
        return manners.ask(partial(fetch, study_instance_uid))
    except PeerRefused as error:
        return Pulled(study_instance_uid=study_instance_uid, images=0, is_whole=False, code=error.code)
