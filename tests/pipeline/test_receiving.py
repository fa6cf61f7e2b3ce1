"""The door of every image: kept whole and on record, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import store_cases
from dicom_factory import cr, lit
from installation_cases import QUIET_S, Breaks, House, offered
from pydicom import dcmread
from pydicom.dataset import Dataset

from radiolucent.errors import InputRefused, PeerUnavailable
from radiolucent.records.received import Kept
from radiolucent.store import upkeep, work
from radiolucent.store.blobs import Blobs


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "data")
    yield made
    made.close()


def film(**changes: object) -> Dataset:
    return cr(lit(16, 16, at=(0, 0), side=4), **changes)


def test_what_is_kept_is_on_disk_in_the_store_counted_and_on_record(house: House) -> None:
    source = film()
    came = offered(source)
    kept = house.intake().keep(came)
    assert (kept.outcome, kept.reopened) == ("new", False)
    (name,) = house.files()
    assert dcmread(house.root / name).PatientID == source.PatientID
    with house.journal.reading() as connection:
        (row,) = work.sources(connection, kept.study_key)
    assert (row.path, row.sop_instance_uid, row.calling_ae) == (name, source.SOPInstanceUID, "MODALITY")
    (event,) = house.events()
    assert (event.action, event.outcome, event.actor, event.peer) == ("receive", "success", "MODALITY", "10.0.0.7")
    assert (event.study_instance_uid, event.patient_id) == (source.StudyInstanceUID, source.PatientID)
    assert event.details["sop_instance_uid"] == source.SOPInstanceUID
    assert event.details["outcome_of"] == "new"
    assert "reopened" not in event.details
    assert (house.counts.sizes, house.due) == ([len(came.dataset)], [])


def test_the_last_of_the_announced_images_makes_its_study_due(house: House) -> None:
    first = film(NumberOfStudyRelatedInstances=2)
    last = film(StudyInstanceUID=first.StudyInstanceUID, NumberOfStudyRelatedInstances=2)
    assert (house.intake().keep(offered(first)).is_due, house.due) == (False, [])
    assert (house.intake().keep(offered(last)).is_due, house.due) == (True, [1])


def test_the_same_again_is_success_and_on_record_and_changes_nothing(house: House) -> None:
    source = film()
    first = house.intake().keep(offered(source))
    again = house.intake().keep(offered(source, sender="OTHER"))
    assert again == Kept(outcome="same", study_key=first.study_key)
    assert len(house.files()) == 1
    assert [e.details["outcome_of"] for e in house.events()] == ["new", "same"]


def test_another_content_under_a_known_uid_is_refused_and_writes_nothing(house: House) -> None:
    source = film()
    house.intake().keep(offered(source))
    other = film(SOPInstanceUID=source.SOPInstanceUID)
    with pytest.raises(InputRefused, match="duplicate_uid"):
        house.intake().keep(offered(other))
    assert len(house.files()) == 1
    assert [e.action for e in house.events()] == ["receive"]
    assert len(house.counts.sizes) == 1


def test_an_instance_over_the_limit_is_refused(house: House) -> None:
    came = offered(film())
    with pytest.raises(InputRefused, match="instance_too_large"):
        house.intake(most_bytes=len(came.dataset) - 1).keep(came)
    assert house.intake(most_bytes=len(came.dataset)).keep(came).outcome == "new"


def test_what_cannot_be_identified_is_refused(house: House) -> None:
    with pytest.raises(InputRefused):
        house.intake().keep(offered(film(), dataset=b"no dataset at all"))
    with pytest.raises(InputRefused, match="uid_mismatch"):
        house.intake().keep(offered(film(), sop_instance_uid="1.2.3"))
    assert house.files() == []


def test_a_full_disk_keeps_nothing_and_says_try_again(house: House) -> None:
    house.blobs = Blobs(house.root, reserve_bytes=2**62)
    with pytest.raises(PeerUnavailable, match="storage_full"):
        house.intake().keep(offered(film()))
    assert house.files() == []
    assert house.events() == []


def test_an_image_we_have_is_success_even_when_the_disk_is_full(house: House) -> None:
    source = film()
    house.intake().keep(offered(source))
    house.blobs = Blobs(house.root, reserve_bytes=2**62)
    assert house.intake().keep(offered(source)).outcome == "same"


def test_a_failure_between_disk_and_database_leaves_no_row_and_the_next_try_succeeds(house: House) -> None:
    source = film()
    with pytest.raises(ZeroDivisionError):
        house.intake(faults=Breaks("stored", ZeroDivisionError)).keep(offered(source))
    assert (len(house.files()), house.events(), house.counts.sizes) == (1, [], [])
    assert house.intake().keep(offered(source)).outcome == "new"
    assert len(house.files()) == 1


def test_a_failure_after_the_commit_keeps_the_image_and_the_next_try_is_the_same(house: House) -> None:
    source = film()
    with pytest.raises(ZeroDivisionError):
        house.intake(faults=Breaks("kept", ZeroDivisionError)).keep(offered(source))
    assert house.intake().keep(offered(source)).outcome == "same"


def test_an_image_that_retention_cleared_is_stored_again(house: House) -> None:
    source = film()
    house.intake().keep(offered(source))
    (path,) = house.files()
    house.clock.forward(QUIET_S)
    with house.journal.entry() as entry:
        (job,) = work.claim_due(entry.connection, now=entry.at)
        assert work.move(entry.connection, job, to="unrouted", code="no_rule")
        upkeep.forget_files(entry.connection, upkeep.old_files(entry.connection, role="source", before=entry.at + 1))
    (house.root / path).unlink()
    house.clock.forward(QUIET_S)
    again = house.intake().keep(offered(source))
    assert (again.outcome, again.reopened) == ("restored", False)
    assert house.files() == [path]
    assert house.events()[-1].details["outcome_of"] == "restored"
    assert house.intake().keep(offered(source)).outcome == "same"


def test_a_late_image_opens_the_study_again_and_that_is_on_record(house: House) -> None:
    source = film()
    kept = house.intake().keep(offered(source))
    house.clock.forward(QUIET_S)
    with house.journal.entry() as entry:
        (job,) = work.claim_due(entry.connection, now=entry.at)
        assert work.move(entry.connection, job, to="unrouted", code="no_rule")
    late = film(StudyInstanceUID=source.StudyInstanceUID, SeriesInstanceUID=source.SeriesInstanceUID)
    assert house.intake().keep(offered(late)) == Kept(outcome="new", study_key=kept.study_key, reopened=True)
    assert house.events()[-1].details["reopened"] == "yes"


def test_eight_senders_of_one_image_keep_it_once_and_each_is_on_record(house: House) -> None:
    came = offered(film())
    kept = store_cases.together(8, lambda _: house.intake().keep(came))
    assert sorted(k.outcome for k in kept) == ["new", *["same"] * 7]
    assert len(house.files()) == 1
    assert len(house.events()) == 8


def test_a_refusal_is_counted_and_on_record_without_the_patient(house: House) -> None:
    house.intake().refuse("uid_mismatch", "MODALITY", "10.0.0.7")
    house.intake().refuse("association_rejected", "", "10.0.0.8")
    first, second = house.events()
    assert (first.action, first.outcome, first.details) == ("refuse", "minor_failure", {"code": "uid_mismatch"})
    assert (second.actor, second.peer, second.patient_id) == ("unknown", "10.0.0.8", "")
    assert house.counts.codes == ["uid_mismatch", "association_rejected"]


def site_of(house: House, kept: Kept) -> str | None:
    with house.journal.reading() as connection:
        return work.site_of(connection, kept.study_key)


def test_a_study_is_of_the_site_of_whoever_sent_it_first(house: House) -> None:
    door = house.intake(sites={"NORTH_CR": "north"})
    first, second = film(), film()
    second.StudyInstanceUID = first.StudyInstanceUID
    north = door.keep(offered(first, sender="NORTH_CR"))
    assert site_of(house, north) == "north"
    assert door.keep(offered(second, sender="OTHER")).study_key == north.study_key
    assert site_of(house, north) == "north"
    assert site_of(house, door.keep(offered(film(), sender="OTHER"))) == "main"


def test_a_prior_is_of_the_site_that_asked_until_it_comes_unasked(house: House) -> None:
    door = house.intake(sites={"NORTH_CR": "north", "SOUTH_CR": "south"})
    known, further = film(), film()
    for source, later in ((known, known), (further, film(StudyInstanceUID=further.StudyInstanceUID))):
        with door.expecting(str(source.StudyInstanceUID), site="north"):
            kept = door.keep(offered(source, sender="C-GET"))
        assert site_of(house, kept) == "north"
        door.keep(offered(later, sender="SOUTH_CR"))
        assert site_of(house, kept) == "south"
