"""Which earlier studies are wanted, and the order of asking."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolucent.errors import InputRefused, PeerUnavailable
from radiolucent.ingest.pull import (
    Candidate,
    Current,
    Fetched,
    Intake,
    Pace,
    PriorQuery,
    PullLimits,
    answers,
    choose_priors,
    described,
    is_uid,
    pull_priors,
    same_patient,
)
from radiolucent.records.door import Offered

NOW = Current(study_instance_uid="1.9", modality="CR", body_part="CHEST", started="20260314101112")


def study(number, started="20250101", *, modalities=("CR",), body_parts=("CHEST",), **more):
    return Candidate(
        study_instance_uid=f"1.{number}",
        patient_id=more.pop("patient_id", "P1"),
        started=started,
        modalities=modalities,
        body_parts=body_parts,
        **more,
    )


def chosen(*candidates, of=NOW, limit=10):
    return [each.study_instance_uid for each in choose_priors(candidates, of=of, limit=limit)]


def test_most_recent_first():
    assert chosen(study(1, "20240101"), study(2, "20260101"), study(3, "20250101")) == ["1.2", "1.3", "1.1"]
    assert chosen(study(1, "20240101"), study(2, "20260101"), study(3, "20250101"), limit=1) == ["1.2"]


def test_same_modality_alone():
    assert chosen(study(1, modalities=("CT",)), study(2, modalities=("SR", "CR"))) == ["1.2"]


def test_other_body_parts_never_and_unknown_ones_last():
    found = chosen(
        study(1, "20260101", body_parts=()),
        study(2, "20200101"),
        study(3, body_parts=("HAND",)),
        study(4, "20210101", body_parts=("HAND", "CHEST")),
    )
    assert found == ["1.4", "1.2", "1.1"]


def test_without_a_body_part_of_its_own_any_will_do():
    of = Current(study_instance_uid="1.9", modality="cr", started="2026")
    assert chosen(study(1, "2024", body_parts=("HAND",)), study(2, "2025", body_parts=()), of=of) == ["1.2", "1.1"]


def test_neither_itself_nor_a_later_study():
    assert chosen(study(9), study(1, "20260315"), study(2, "20260314101113"), study(3, "20260314101111")) == ["1.3"]


def test_times_are_compared_as_far_as_both_are_stated():
    assert chosen(study(1, "20260314"), study(2, "2026031411"), study(3, "")) == ["1.1", "1.3"]
    assert chosen(study(1, "20260314101112")) == []  # at the same second
    undated = Current(study_instance_uid="1.9", modality="CR", body_part="CHEST")
    assert chosen(study(1, "20990101"), of=undated) == ["1.1"]


def test_a_study_found_twice_counts_once():
    assert chosen(study(1), study(1)) == ["1.1"]


@given(
    st.lists(
        st.builds(
            study,
            st.integers(0, 12),
            st.sampled_from(["", "2024", "20260314101112", "20270101"]),
            modalities=st.sampled_from([("CR",), ("CT",), ()]),
            body_parts=st.sampled_from([("CHEST",), ("HAND",), ()]),
        )
    ),
    st.integers(0, 5),
)
def test_choice_is_a_bounded_ordered_subset(candidates, limit):
    found = choose_priors(candidates, of=NOW, limit=limit)
    assert len(found) <= limit
    assert set(found) <= set(candidates)
    assert len({each.study_instance_uid for each in found}) == len(found)
    assert all("CR" in each.modalities and "HAND" not in each.body_parts for each in found)
    ranks = [("CHEST" in each.body_parts, each.started) for each in found]
    assert ranks == sorted(ranks, reverse=True)


def test_an_archive_that_answers_with_another_patient_is_not_believed():
    mine, other = study(1), study(2, patient_id="P2")
    assert same_patient([mine, other], PriorQuery(patient_id=" P1 ")) == (mine,)


@pytest.mark.parametrize(
    ("theirs", "ours", "same"), [("", "", True), ("A", "", True), ("", "A", True), ("A", "A", True), ("B", "A", False)]
)
def test_two_issuers_are_two_patients(theirs, ours, same):
    found = same_patient([study(1, issuer=theirs)], PriorQuery(patient_id="P1", issuer=ours))
    assert bool(found) is same


@pytest.mark.parametrize("patient_id", ["", "  ", "P*", "P?", "P1\\P2"])
def test_a_query_that_means_more_than_one_patient_is_not_asked(patient_id):
    assert not PriorQuery(patient_id=patient_id).is_askable
    archive = Archive([study(1)])
    found = pull_priors(
        archive, PriorQuery(patient_id=patient_id), lambda _: None, of=NOW, limits=PullLimits(), pace=pace()
    )
    assert found == ()
    assert archive.asked == []


def test_date_range():
    assert PriorQuery(patient_id="P1").date_range == ""
    assert PriorQuery(patient_id="P1", since=date(2020, 1, 2)).date_range == "20200102-"
    assert PriorQuery(patient_id="P1", until=date(2020, 1, 2)).date_range == "-20200102"
    both = PriorQuery(patient_id="P1", since=date(2020, 1, 2), until=date(2021, 3, 4))
    assert both.date_range == "20200102-20210304"


def test_modalities_that_were_not_asked_for_are_not_wanted():
    query = PriorQuery(patient_id="P1", modalities=("CR", "DX"))
    assert answers(study(1, modalities=("DX", "SR")), query)
    assert not answers(study(1, modalities=("CT",)), query)
    assert answers(study(1, modalities=()), query)
    assert answers(study(1, modalities=("CT",)), PriorQuery(patient_id="P1"))


def test_series_tell_the_body_part():
    found = described(study(1, modalities=(), body_parts=()), modalities=["cr", "CR"], body_parts=["chest", "Chest"])
    assert (found.modalities, found.body_parts) == (("CR",), ("CHEST",))
    assert described(study(1), modalities=["SR"], body_parts=[]).modalities == ("CR",)


@pytest.mark.parametrize("text", ["1.2.840", "2.25.1", "0"])
def test_uids(text):
    assert is_uid(text)


@pytest.mark.parametrize("text", ["", "1..2", "1.2/../3", "1.2 ", ".1", "1.", "1" * 65, "1.2?x=1", "\uff11.\uff12"])
def test_what_is_no_uid(text):
    assert not is_uid(text)


class Archive:
    """Answers from memory and notes what it is asked."""

    def __init__(self, studies, error=None):
        self.studies, self.error, self.asked = studies, error, []

    def find(self, query, *, limits):
        self.asked.append("find")
        return self.studies

    def fetch(self, study_instance_uid, keep, *, limits):
        self.asked.append(study_instance_uid)
        if self.error:
            raise self.error
        keep(Offered(dataset=b"x", transfer_syntax_uid="1.2", sender="test"))
        return Fetched(study_instance_uid=study_instance_uid, instances=1, is_complete=True)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now, self.slept = 100.0, []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def pace(interval_s=0.0):
    time = Time()
    return Pace(interval_s, clock=lambda: time.now, sleep=time.sleep)


def test_find_choose_fetch():
    archive = Archive([study(n, f"202{n}0101", instances=10 * n) for n in range(1, 6)])
    kept = []
    limits = PullLimits(studies=2, instances=45)
    found = pull_priors(archive, PriorQuery(patient_id="P1"), kept.append, of=NOW, limits=limits, pace=pace())
    assert archive.asked == ["find", "1.4", "1.3"]  # 1.5 has too many instances
    assert [each.study_instance_uid for each in found] == ["1.4", "1.3"]
    assert len(kept) == 2


def test_every_request_waits_its_turn():
    time = Time()
    archive = Archive([study(1), study(2)])
    pull_priors(
        archive,
        PriorQuery(patient_id="P1"),
        lambda _: None,
        of=NOW,
        limits=PullLimits(),
        pace=Pace(2.0, clock=lambda: time.now, sleep=time.sleep),
    )
    assert archive.asked == ["find", "1.2", "1.1"]
    assert time.slept == [2.0, 2.0]


def test_an_archive_that_fails_is_told():
    error = PeerUnavailable("x", found="", expected="", action="")
    with pytest.raises(PeerUnavailable) as raised:
        pull_priors(
            Archive([study(1)], error),
            PriorQuery(patient_id="P1"),
            lambda _: None,
            of=NOW,
            limits=PullLimits(),
            pace=pace(),
        )
    assert raised.value is error


def offered(size=1):
    return Offered(dataset=b"x" * size, transfer_syntax_uid="1.2", sender="test")


def test_intake_counts_and_stops_at_its_limit():
    kept = []
    intake = Intake(kept.append, limits=PullLimits(instances=2, instance_bytes=5))
    assert [intake.offer(offered(size)) for size in (1, 6, 5, 1)] == [True, False, True, False]
    assert intake.is_full
    found = intake.result("1.2", is_complete=True)
    assert (found.instances, found.is_complete) == (2, False)


def test_intake_wants_no_more_when_its_time_is_over():
    kept = []
    intake = Intake(kept.append, limits=PullLimits(is_over=lambda: len(kept) == 2))
    assert [intake.offer(offered()) for _ in range(3)] == [True, True, False]
    assert not intake.result("1.2", is_complete=True).is_complete


def test_intake_goes_on_after_a_refused_image_and_stops_at_a_full_store():
    errors = [InputRefused("a", found="", expected="", action=""), None]
    full = PeerUnavailable("b", found="", expected="", action="")

    def keep(_):
        if not errors:
            raise full
        if error := errors.pop(0):
            raise error

    intake = Intake(keep, limits=PullLimits())
    assert [intake.offer(offered()) for _ in range(4)] == [False, True, False, False]
    with pytest.raises(PeerUnavailable) as raised:
        intake.result("1.2", is_complete=False)
    assert raised.value is full
