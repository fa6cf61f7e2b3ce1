"""C-FIND, C-GET and C-MOVE with a real query and retrieve SCP on loopback."""

import contextlib
import logging
import socket
from datetime import date

import delivery_peers as peers
import pytest
from pydicom import config
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from radiolucent.deliver.association import opened
from radiolucent.errors import InputRefused, PeerRefused, PeerUnavailable
from radiolucent.ingest import pull_dimse
from radiolucent.ingest.pull import PriorQuery, PullLimits
from radiolucent.ingest.pull_cohort import StudyQuery
from radiolucent.ingest.pull_dimse import FIND, GET, MOVE, DimseArchive
from radiolucent.records.destination import DimsePeer

LIMITS = PullLimits()


def study(number, date="20250101", **more):
    answer = Dataset()
    answer.QueryRetrieveLevel = "STUDY"
    answer.StudyInstanceUID, answer.PatientID = f"1.2.{number}", "P1"
    answer.StudyDate, answer.StudyTime = date, "101112.5"
    answer.ModalitiesInStudy = ["CR", "SR"]
    for keyword, value in more.items():
        setattr(answer, keyword, value)
    return answer


class Archive:
    """Query and retrieve SCP: ``studies`` answer the study level, ``images`` every retrieval."""

    def __init__(self, *, studies=(), images=(), status=0, classes=(FIND, GET, MOVE), move=None):
        self.studies, self.images, self.status, self.move = studies, images, status, move
        self.asked, self.answered = [], []
        ae = AE(ae_title="PACS")
        for each in classes:
            ae.add_supported_context(each)
        for each in (peers.SC, peers.CR):
            ae.add_supported_context(each, scu_role=True, scp_role=True)
            ae.add_requested_context(each)
        self._server = ae.start_server(
            ("127.0.0.1", 0),
            block=False,
            evt_handlers=[(evt.EVT_C_FIND, self.find), (evt.EVT_C_GET, self.get), (evt.EVT_C_MOVE, self.moved)],
        )
        self.peer = DimsePeer(host="127.0.0.1", port=self._server.server_address[1], called_ae_title="PACS")

    def find(self, event):
        self.asked.append(event.identifier)
        if self.status:
            yield self.status, None
            return
        if event.identifier.QueryRetrieveLevel == "SERIES":
            series = Dataset()
            series.QueryRetrieveLevel, series.Modality = "SERIES", "CR"
            with config.disable_value_validation():  # lower case is illegal, and common
                series.BodyPartExamined = "Chest"
            yield 0xFF00, series
            return
        for each in self.studies:
            if event.is_cancelled:
                yield 0xFE00, None
                return
            yield 0xFF00, each

    def get(self, event):
        self.asked.append(event.identifier)
        yield len(self.images)
        for each in self.images:
            if self.status:
                yield self.status, None
                return
            if event.is_cancelled:
                yield 0xFE00, None
                return
            yield 0xFF00, each

    def moved(self, event):
        self.asked.append((event.move_destination, event.identifier))
        if self.move is None:
            yield None, None
            return
        yield self.move
        yield from self.get(event)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()


@contextlib.contextmanager
def archive(**options):
    with Archive(**options) as made:
        yield made, DimseArchive(made.peer, opened)


def test_find_tells_what_is_there_most_recent_first():
    studies = [study(1, "20240101"), study(2, "20260101", NumberOfStudyRelatedInstances=4, IssuerOfPatientID="H")]
    with archive(studies=studies) as (_, ours):
        found = ours.find(PriorQuery(patient_id="P1"), limits=LIMITS)
    assert [each.study_instance_uid for each in found] == ["1.2.2", "1.2.1"]
    assert found[0].started == "20260101101112"
    assert (found[0].instances, found[1].instances) == (4, None)
    assert (found[0].issuer, found[1].issuer) == ("H", "")
    assert found[0].modalities == ("CR", "SR")
    assert found[0].body_parts == ("CHEST",)


def test_the_query_names_one_patient_and_a_range_of_dates():
    query = PriorQuery(patient_id="P1", modalities=("CR",), since=date(2020, 1, 1), until=date(2026, 3, 14))
    with archive(studies=[study(1)]) as (made, ours):
        ours.find(query, limits=LIMITS)
    asked, series = made.asked
    assert asked.QueryRetrieveLevel == "STUDY"
    assert asked.PatientID == "P1"
    assert asked.ModalitiesInStudy == "CR"
    assert str(asked["StudyDate"].value) == "20200101-20260314"
    assert (series.QueryRetrieveLevel, series.StudyInstanceUID) == ("SERIES", "1.2.1")


def test_several_modalities_are_sorted_out_by_us():
    studies = [study(1), study(2, ModalitiesInStudy="CT")]
    with archive(studies=studies) as (made, ours):
        found = ours.find(PriorQuery(patient_id="P1", modalities=("CR", "DX")), limits=LIMITS)
    assert not made.asked[0].ModalitiesInStudy
    assert [each.study_instance_uid for each in found] == ["1.2.1"]


def test_only_the_most_recent_candidates_are_asked_about():
    with archive(studies=[study(n, f"20{10 + n}0101") for n in range(9)]) as (made, ours):
        found = ours.find(PriorQuery(patient_id="P1"), limits=PullLimits(candidates=2))
    assert [each.study_instance_uid for each in found] == ["1.2.8", "1.2.7"]
    assert len(made.asked) == 3


def test_an_archive_that_finds_too_much_is_asked_to_stop(monkeypatch):
    monkeypatch.setattr(pull_dimse, "MOST_MATCHES", 3)
    with archive(studies=[study(n) for n in range(400)]) as (_, ours):
        found = ours.find(PriorQuery(patient_id="P1"), limits=LIMITS)
    assert len(found) == 3


def test_an_archive_that_answers_and_answers_is_left_when_the_time_is_over():
    looks = []

    def is_over():
        looks.append(True)
        return len(looks) > 3

    with (
        archive(studies=[study(n) for n in range(1, 60)]) as (made, ours),
        pytest.raises(PeerUnavailable) as raised,
    ):
        ours.find(PriorQuery(patient_id="P1"), limits=PullLimits(is_over=is_over))
    assert raised.value.code == "peer_no_answer"
    assert len(looks) == 4
    assert [each.QueryRetrieveLevel for each in made.asked] == ["STUDY"], "what the series say is not asked any more"


def test_a_study_without_a_usable_uid_is_left_out():
    with archive(studies=[study(1, StudyInstanceUID=""), study(2)]) as (_, ours):
        found = ours.find(PriorQuery(patient_id="P1"), limits=LIMITS)
    assert [each.study_instance_uid for each in found] == ["1.2.2"]


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (0xA700, PeerUnavailable, "peer_out_of_resources"),
        (0xA900, PeerRefused, "request_refused"),
        (0xC001, PeerRefused, "request_refused"),
    ],
)
def test_a_query_that_fails(status, kind, code):
    with archive(status=status) as (_, ours), pytest.raises(kind) as raised:
        ours.find(PriorQuery(patient_id="P1"), limits=LIMITS)
    assert raised.value.code == code
    assert f"{status:04X}" in raised.value.found


def test_an_archive_that_does_not_take_queries():
    with archive(classes=(GET,)) as (_, ours), pytest.raises(PeerRefused) as raised:
        ours.find(PriorQuery(patient_id="P1"), limits=LIMITS)
    assert raised.value.code == "no_presentation_context"


def test_an_archive_that_is_not_there():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        peer = DimsePeer(host="127.0.0.1", port=taken.getsockname()[1], called_ae_title="PACS")
        with pytest.raises(PeerUnavailable) as raised:
            DimseArchive(peer, opened).find(PriorQuery(patient_id="P1"), limits=LIMITS)
    assert raised.value.code == "peer_unreachable"


def test_identifiers_are_not_logged(caplog):
    caplog.set_level(logging.DEBUG)
    with archive(studies=[study(1, PatientID="P-MARKER-77")]) as (_, ours):
        ours.find(PriorQuery(patient_id="P-MARKER-77"), limits=LIMITS)
    assert caplog.records
    assert "P-MARKER-77" not in caplog.text


def test_get_passes_every_instance_on():
    kept = []
    with archive(images=[peers.dataset(n) for n in (1, 2, 3)]) as (made, ours):
        found = ours.fetch("1.2.1", kept.append, limits=LIMITS)
    assert made.asked[0].StudyInstanceUID == "1.2.1"
    assert (found.instances, found.is_complete) == (3, True)
    assert [each.sop_instance_uid for each in kept] == [peers.uid(n) for n in (1, 2, 3)]
    assert {each.sop_class_uid for each in kept} == {peers.SC}
    assert {each.sender for each in kept} == {"C-GET"}
    assert {each.peer for each in kept} == {"127.0.0.1"}
    assert all(len(each.dataset) > 300 for each in kept)


def test_get_says_when_something_was_refused():
    kept = []

    def keep(offered):
        if offered.sop_instance_uid == peers.uid(2):
            raise InputRefused("x", found="", expected="", action="")
        kept.append(offered)

    with archive(images=[peers.dataset(n) for n in (1, 2, 3)]) as (_, ours):
        found = ours.fetch("1.2.1", keep, limits=LIMITS)
    assert (found.instances, found.is_complete) == (2, False)
    assert len(kept) == 2


def test_get_stops_at_its_limit():
    kept = []
    with archive(images=[peers.dataset(n) for n in range(1, 60)]) as (_, ours):
        found = ours.fetch("1.2.1", kept.append, limits=PullLimits(instances=2))
    assert (found.instances, found.is_complete) == (2, False)
    assert len(kept) == 2


def test_a_retrieval_that_takes_too_long_is_broken_off():
    kept = []
    limits = PullLimits(is_over=lambda: len(kept) > 1)
    with (
        archive(images=[peers.dataset(n) for n in range(1, 60)]) as (_, ours),
        pytest.raises(PeerUnavailable) as raised,
    ):
        ours.fetch("1.2.1", kept.append, limits=limits)
    assert raised.value.code == "peer_no_answer"
    assert 2 <= len(kept) < 59


def test_a_full_store_ends_the_retrieval():
    full = PeerUnavailable("full", found="", expected="", action="")

    def keep(_):
        raise full

    with (
        archive(images=[peers.dataset(n) for n in range(1, 30)]) as (_, ours),
        pytest.raises(PeerUnavailable) as raised,
    ):
        ours.fetch("1.2.1", keep, limits=LIMITS)
    assert raised.value is full


def test_get_that_fails():
    with archive(images=[peers.dataset(1)], status=0xA900) as (_, ours), pytest.raises(PeerRefused) as raised:
        ours.fetch("1.2.1", lambda _: None, limits=LIMITS)
    assert raised.value.code == "request_refused"
    assert "C-GET" in raised.value.found


def test_move_goes_to_our_own_door():
    with (
        peers.serving(peers.Storage()) as door,
        Archive(images=[peers.dataset(n) for n in (1, 2)], move=("127.0.0.1", door.port)) as made,
    ):
        ours = DimseArchive(made.peer, opened, move_to="RADIOLUCENT")
        found = ours.fetch("1.2.1", lambda _: None, limits=LIMITS)
    assert made.asked[0][0].strip() == "RADIOLUCENT"
    assert door.received == [peers.uid(1), peers.uid(2)]
    assert (found.instances, found.is_complete) == (2, True)


def test_move_to_a_title_that_the_archive_does_not_know():
    with Archive(images=[peers.dataset(1)]) as made, pytest.raises(PeerRefused) as raised:
        DimseArchive(made.peer, opened, move_to="RADIOLUCENT").fetch("1.2.1", lambda _: None, limits=LIMITS)
    assert raised.value.code == "request_refused"
    assert "A801" in raised.value.found
    assert "our own application entity title" in raised.value.found


def test_studies_of_many_patients_are_listed_with_description_and_age():
    studies = [
        study(1, "20240101", PatientAge="006M", StudyDescription="Chest"),
        study(2, "20260101", PatientBirthDate="19860101"),
        study(3, "20250101"),
    ]
    with archive(studies=studies) as (made, ours):
        found = ours.list_studies(StudyQuery(modality="CR", since=date(2024, 1, 1)), most=9)
        assert len(ours.list_studies(StudyQuery(modality="CR"), most=2)) == 2
        assert ours.describe(found[0]).body_parts == ("CHEST",)
    assert [(each.study_instance_uid, each.age_years, each.description) for each in found] == [
        ("1.2.2", 40.0, ""),
        ("1.2.3", None, ""),
        ("1.2.1", 0.5, "Chest"),
    ]
    asked = made.asked[0]
    assert (str(asked["StudyDate"].value), asked.ModalitiesInStudy, "PatientID" in asked) == ("20240101-", "CR", False)
