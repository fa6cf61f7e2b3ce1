"""Which studies of an archive make a cohort, how hard it is pressed, and what is known the next time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from radiolucent.errors import PeerRefused, PeerUnavailable
from radiolucent.ingest.pull import Candidate, Pace, PullLimits
from radiolucent.ingest.pull_cohort import (
    MOST_LISTED,
    WAITS_S,
    Harvest,
    Manners,
    Pulled,
    StudyQuery,
    Wanted,
    pull_cohort,
)

WANTED = Wanted(modalities=("CR",), since=date(2026, 1, 1), until=date(2026, 1, 3))


def study(number: int, **more: object) -> Candidate:
    base = Candidate(study_instance_uid=f"1.2.{number}", patient_id=f"P{number}", modalities=("CR",), instances=1)
    return replace(base, started="20260103", description="Chest PA", age_years=40.0, **more)  # type: ignore[arg-type]


class Archive:
    """Answers every question with the same studies, and remembers what it was asked."""

    def __init__(self, *studies: Candidate, body_part: str = "") -> None:
        self.studies, self.body_part = studies, body_part
        self.asked: list[StudyQuery] = []
        self.described: list[str] = []
        self.fetched: list[str] = []
        self.waits: list[float] = []
        self.now = 0.0

    def list_studies(self, query: StudyQuery, *, most: int) -> tuple[Candidate, ...]:
        assert most == MOST_LISTED
        self.asked.append(query)
        return self.studies

    def describe(self, candidate: Candidate) -> Candidate:
        self.described.append(candidate.study_instance_uid)
        return replace(candidate, body_parts=(self.body_part,) if self.body_part else ())

    def fetch(self, *_: object, **__: object) -> object:
        raise AssertionError("the cohort is fetched by whoever keeps the images")

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def pull(
        self, wanted: Wanted = WANTED, *, known: tuple[Pulled, ...] = (), rate: float = 5.0, failing: str = ""
    ) -> Harvest:
        def fetch(uid: str) -> Pulled:
            self.fetched.append(uid)
            if uid == failing:
                raise PeerRefused("request_refused", found="", expected="", action="")
            return Pulled(study_instance_uid=uid, images=2, is_whole=True)

        manners = Manners(
            pace=Pace(0.5, clock=lambda: self.now, sleep=self.sleep), images_per_second=rate, sleep=self.sleep
        )
        return pull_cohort(
            self,  # type: ignore[arg-type]
            wanted,
            fetch,
            known={each.study_instance_uid: each for each in known},
            limits=PullLimits(instances=50),
            manners=manners,
        )


def test_one_day_and_one_modality_at_a_time_most_recent_first() -> None:
    archive = Archive()
    archive.pull(replace(WANTED, modalities=("CR", "DX")))
    assert [(q.date_range, q.modality) for q in archive.asked] == [
        (f"2026010{day}-2026010{day}", modality) for day in (3, 2, 1) for modality in ("CR", "DX")
    ]


def test_without_a_first_day_it_is_asked_once() -> None:
    archive = Archive()
    archive.pull(Wanted(modalities=("CR",), until=date(2026, 1, 3)))
    assert [q.date_range for q in archive.asked] == ["-20260103"]
    archive.pull(Wanted(modalities=("CR",)))
    assert archive.asked[-1].date_range == ""


@pytest.mark.parametrize(
    ("wanted", "other", "why"),
    [
        (replace(WANTED, description="chest"), {"description": "Knee"}, "of another description"),
        (replace(WANTED, ages=(18.0, 60.0)), {"age_years": 17.9}, "of another age"),
        (replace(WANTED, ages=(18.0, 60.0)), {"age_years": None}, "without an age"),
        (WANTED, {"instances": 51}, "with more than 50 instances"),
    ],
)
def test_what_does_not_match_is_counted_by_why(wanted: Wanted, other: dict[str, object], why: str) -> None:
    odd = replace(study(2), **other)  # type: ignore[arg-type]
    archive = Archive(study(1), odd)
    found = archive.pull(replace(wanted, since=date(2026, 1, 3)))
    assert (archive.fetched, dict(found.left_out)) == (["1.2.1"], {why: 1})


def test_series_are_asked_for_only_where_the_body_part_decides() -> None:
    archive = Archive(study(1), body_part="HAND")
    assert archive.pull(replace(WANTED, body_part="chest")).studies == ()
    assert archive.described
    quiet = Archive(study(1), body_part="HAND")
    assert len(quiet.pull().studies) == 1
    assert not quiet.described
    silent = Archive(study(1))
    assert len(silent.pull(replace(WANTED, body_part="CHEST")).studies) == 1, "what states none may be one"


def test_it_stops_at_the_limit_and_takes_a_study_once() -> None:
    archive = Archive(*(study(n) for n in range(9)))
    found = archive.pull(replace(WANTED, studies=3))
    assert archive.fetched == ["1.2.0", "1.2.1", "1.2.2"]
    assert len(found.studies) == 3
    assert len(archive.asked) == 1, "no further day is asked for"
    assert Archive(study(1)).pull().studies[0].images == 2


def test_no_more_images_a_second_than_said() -> None:
    archive = Archive(*(study(n) for n in range(10)))
    found = archive.pull(replace(WANTED, since=date(2026, 1, 3)), rate=4.0)
    images = sum(each.images for each in found.studies)
    assert images / archive.now <= 4.0
    assert archive.waits == [0.5] * 11, "two images at four a second; the pace between requests is within that"


def test_what_the_archive_refuses_is_counted_and_the_rest_goes_on() -> None:
    archive = Archive(study(1), study(2))
    found = archive.pull(failing="1.2.1")
    assert [(s.study_instance_uid, s.code, s.images) for s in found.studies] == [
        ("1.2.1", "request_refused", 0),
        ("1.2.2", None, 2),
    ]


def test_what_is_whole_is_not_asked_for_again_and_what_is_not_is() -> None:
    archive = Archive(study(1), study(2))
    known = (
        Pulled(study_instance_uid="1.2.1", images=1, is_whole=True),
        Pulled(study_instance_uid="1.2.2", images=1, is_whole=False),
    )
    found = archive.pull(known=known)
    assert archive.fetched == ["1.2.2"]
    assert [each.images for each in found.studies] == [1, 2]


def test_an_archive_that_is_away_is_asked_again_and_in_the_end_ends_the_run() -> None:
    archive = Archive(study(1))
    answers = archive.list_studies
    left = [2]

    def away(query: StudyQuery, *, most: int) -> tuple[Candidate, ...]:
        left[0] -= 1
        if left[0] >= 0:
            raise PeerUnavailable("peer_unreachable", found="", expected="", action="")
        return answers(query, most=most)

    archive.list_studies = away  # type: ignore[method-assign]
    assert len(archive.pull(replace(WANTED, since=date(2026, 1, 3))).studies) == 1
    assert archive.waits[:2] == [*WAITS_S[:2]]
    left[0] = 99
    with pytest.raises(PeerUnavailable):
        archive.pull()


def test_a_full_disk_ends_the_run_at_once() -> None:
    archive = Archive(study(1))

    def full(query: StudyQuery, *, most: int) -> tuple[Candidate, ...]:
        raise PeerUnavailable("storage_full", found="", expected="", action="")

    archive.list_studies = full  # type: ignore[method-assign]
    with pytest.raises(PeerUnavailable):
        archive.pull()
    assert archive.waits == []


def test_an_answer_that_is_cut_off_is_said() -> None:
    archive = Archive(*(study(n) for n in range(MOST_LISTED)))
    found = archive.pull(replace(WANTED, studies=1, since=date(2026, 1, 3)))
    assert dict(found.left_out) == {f"beyond {MOST_LISTED} studies of one answer (at least)": 1}
