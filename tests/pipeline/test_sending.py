"""Attempts at deliveries: what was stored is not sent again, what fails is tried again, and then is dead but kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import store_cases as cases
from installation_cases import House

from radiolucent.deliver.fhir import FhirUnavailable
from radiolucent.errors import InvariantBroken, PeerRefused, PeerUnavailable
from radiolucent.pipeline.sending import MOST_ASKED_S, Dispatch, ObjectFile, PartlySent, Patience
from radiolucent.records.study import Patient, StudyReport
from radiolucent.store import hospital, outbox, work
from radiolucent.store.outbox import Delivery
from radiolucent.store.work import Job

FIRST, SECOND = cases.object_row(1), cases.object_row(2)
PATIENCE = Patience(first_wait_s=2.0, longest_wait_s=10.0, max_attempts=3)


def away(code: str = "peer_no_answer") -> PeerUnavailable:
    return PeerUnavailable(code, found="f", expected="e", action="a")


def no() -> PeerRefused:
    return PeerRefused("object_refused", found="f", expected="e", action="a")


@dataclass
class Pacs:
    """A sender that fails as told, then stores everything."""

    failures: list[Exception] = field(default_factory=list)
    interface: str = "dimse"
    address: str = "pacs.example"
    seen: list[tuple[StudyReport, list[str], list[int], str]] = field(default_factory=list)

    def send(
        self, report: StudyReport, files: Sequence[ObjectFile], *, earlier: Sequence[StudyReport], delivery_id: str
    ) -> Sequence[str]:
        uids = [file.sop_instance_uid for file in files]
        self.seen.append((report, uids, [one.revision for one in earlier], delivery_id))
        if self.failures:
            raise self.failures.pop(0)
        return uids


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "data")
    made.clock.now = made.clock.now.fromtimestamp(cases.NOW, made.clock.now.tzinfo)
    yield made
    made.close()


def recorded(house: House, *names: str) -> Job:
    job = cases.in_work(house.database)
    assert cases.record(house.database, job, objects=[FIRST, SECOND], destinations=names, now=cases.NOW)
    return job


def deliveries(house: House, job: Job) -> dict[str, Delivery]:
    with house.journal.reading() as connection:
        return {d.destination: d for d in outbox.of_study(connection, job.study_key)}


def dispatch(house: House, **senders: Pacs) -> Dispatch:
    return Dispatch(house.journal, house.blobs, senders, PATIENCE)


def attempt(house: House, job: Job, pacs: Pacs, name: str = "pacs") -> tuple[str, Delivery]:
    state = dispatch(house, **{name: pacs}).attempt(deliveries(house, job)[name].delivery_id)
    return state, deliveries(house, job)[name]


def test_what_is_sent_is_noted_and_on_record(house: House) -> None:
    job, pacs = recorded(house, "pacs"), Pacs()
    state, noted = attempt(house, job, pacs)
    assert state == noted.state == "sent"
    assert (noted.attempts, noted.code) == (1, None)
    assert noted.done == (FIRST.sop_instance_uid, SECOND.sop_instance_uid)
    ((report, uids, earlier, identity),) = pacs.seen
    assert (report, uids, earlier) == (
        cases.report(job, objects=[FIRST, SECOND]),
        [FIRST.sop_instance_uid, SECOND.sop_instance_uid],
        [],
    )
    assert identity == noted.delivery_id
    (event,) = house.events()
    assert (event.action, event.outcome, event.peer) == ("send", "success", "pacs.example")
    assert event.details == {
        **{"interface": "dimse", "destination": "pacs", "state": "sent", "revision": "1", "stored": "2"},
    }


def test_what_is_done_is_not_attempted_again(house: House) -> None:
    job, pacs = recorded(house, "pacs"), Pacs()
    attempt(house, job, pacs)
    assert attempt(house, job, pacs)[0] == "nothing"
    assert dispatch(house, pacs=pacs).attempt("no such delivery") == "nothing"
    assert len(pacs.seen) == 1


def test_partial_success_is_kept_and_only_the_rest_is_sent_again(house: House) -> None:
    job, pacs = recorded(house, "pacs"), Pacs(failures=[PartlySent([FIRST.sop_instance_uid], away())])
    state, noted = attempt(house, job, pacs)
    assert (state, noted.done, noted.code) == ("waiting", (FIRST.sop_instance_uid,), "peer_no_answer")
    state, noted = attempt(house, job, pacs)
    assert state == "sent"
    assert [uids for _, uids, _, _ in pacs.seen] == [
        [FIRST.sop_instance_uid, SECOND.sop_instance_uid],
        [SECOND.sop_instance_uid],
    ]
    assert noted.done == (FIRST.sop_instance_uid, SECOND.sop_instance_uid)


def test_what_was_stored_before_a_refusal_is_kept_too(house: House) -> None:
    job, pacs = recorded(house, "pacs"), Pacs(failures=[PartlySent([FIRST.sop_instance_uid], no())])
    state, noted = attempt(house, job, pacs)
    assert (state, noted.done, noted.code) == ("refused", (FIRST.sop_instance_uid,), "object_refused")
    with house.journal.entry() as entry:
        assert outbox.retry(entry.connection, now=entry.at) == 1
    attempt(house, job, pacs)
    assert pacs.seen[-1][1] == [SECOND.sop_instance_uid]


def test_waits_double_and_after_the_last_attempt_the_delivery_is_dead(house: House) -> None:
    job, pacs = recorded(house, "pacs"), Pacs(failures=[away() for _ in range(9)])
    waits = []
    for _ in range(2):
        state, noted = attempt(house, job, pacs)
        assert state == "waiting"
        waits.append(noted.next_at - house.clock().timestamp())
        house.clock.forward(60)
    assert waits == pytest.approx([2.0, 4.0])
    state, noted = attempt(house, job, pacs)
    assert (state, noted.attempts, noted.code) == ("dead", 3, "peer_no_answer")
    assert attempt(house, job, pacs)[0] == "nothing"
    with house.journal.entry() as entry:
        assert outbox.retry(entry.connection, now=entry.at) == 1
    assert attempt(house, job, Pacs())[0] == "sent"


def test_a_server_is_not_tried_before_it_asked_to_be_nor_made_to_wait_for_ever(house: House) -> None:
    asked = [
        FhirUnavailable("fhir_busy", found="f", expected="e", action="a", retry_after_s=wait_s)
        for wait_s in (90.0, 1e9)
    ]
    job, pacs = recorded(house, "pacs"), Pacs(failures=list(asked))
    waits = []
    for _ in asked:
        state, noted = attempt(house, job, pacs)
        assert state == "waiting"
        waits.append(noted.next_at - house.clock().timestamp())
        house.clock.forward(2 * MOST_ASKED_S)
    assert waits == pytest.approx([90.0, MOST_ASKED_S])


def test_waits_have_an_end() -> None:
    assert [PATIENCE.wait_s(n) for n in (0, 1, 2, 3, 10_000)] == [2.0, 4.0, 8.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (no, "object_refused"),
        (
            lambda: InvariantBroken("own_object_unreadable", found="f", expected="e", action="a"),
            "own_object_unreadable",
        ),
        (lambda: ZeroDivisionError("Marker^Patient^Name"), "internal_error"),
        (lambda: RuntimeError(), "internal_error"),
    ],
)
def test_a_refusal_and_a_defect_of_one_sender_hold_up_no_other(
    house: House, error: Callable[[], Exception], code: str
) -> None:
    job, broken, sound = recorded(house, "broken", "sound"), Pacs(failures=[error()]), Pacs()
    both = dispatch(house, broken=broken, sound=sound)
    states = {n: both.attempt(d.delivery_id) for n, d in deliveries(house, job).items()}
    assert states == {"broken": "refused", "sound": "sent"}
    assert deliveries(house, job)["broken"].code == code
    outcomes = {e.details["destination"]: (e.outcome, e.details.get("code")) for e in house.events()}
    assert outcomes == {"broken": ("minor_failure", code), "sound": ("success", None)}
    assert "Marker" not in str(house.events())


def test_a_destination_that_the_settings_no_longer_name(house: House) -> None:
    job = recorded(house, "gone")
    assert dispatch(house).attempt(deliveries(house, job)["gone"].delivery_id) == "refused"
    assert deliveries(house, job)["gone"].code == "destination_unknown"


def test_the_identity_of_today_is_sent(house: House) -> None:
    job, pacs = recorded(house, "pacs"), Pacs()
    survivor = Patient(patient_id="NEW", issuer="HOSP", name="New^Name", birth_date="19600102", sex="F")
    with house.journal.entry() as entry:
        hospital.merge_patients(entry.connection, surviving=survivor, retired=cases.PATIENT, now=entry.at)
    attempt(house, job, pacs)
    assert pacs.seen[0][0].context.patient == survivor


def test_a_later_revision_tells_what_was_said_before_and_sends_its_own_objects(house: House) -> None:
    job, pacs = recorded(house, "pacs"), Pacs()
    attempt(house, job, pacs)
    with house.journal.entry() as entry:
        assert work.rerun(entry.connection, job.study_key)
        (again,) = work.ready(entry.connection)
        assert work.claim(entry.connection, again, by="another")
    third = cases.object_row(3)
    assert cases.record(house.database, again, objects=[third])
    with house.journal.reading() as connection:
        (waiting,) = [d for d in outbox.of_study(connection, job.study_key) if d.state == "waiting"]
    assert dispatch(house, pacs=pacs).attempt(waiting.delivery_id) == "sent"
    report, uids, earlier, _ = pacs.seen[-1]
    assert (report.revision, uids, earlier) == (2, [third.sop_instance_uid], [1])


def test_a_retraction_sends_the_rejection_note_alone(house: House) -> None:
    job, pacs = recorded(house, "pacs"), Pacs()
    attempt(house, job, pacs)
    note = cases.object_row(9, kind="rejection")
    told = cases.report(job, objects=[note], state="retracted")
    with house.journal.entry() as entry:
        assert work.retract(entry.connection, job, told, [note], now=entry.at) == ["pacs"]
    with house.journal.reading() as connection:
        (waiting,) = [d for d in outbox.of_study(connection, job.study_key) if d.state == "waiting"]
    assert dispatch(house, pacs=pacs).attempt(waiting.delivery_id) == "sent"
    report, uids, _, _ = pacs.seen[-1]
    assert (report.state, uids) == ("retracted", [note.sop_instance_uid])
    assert house.events()[-1].action == "retract"


def test_two_attempts_at_once_are_noted_as_one(house: House) -> None:
    job, pacs = recorded(house, "pacs"), Pacs()
    both = dispatch(house, pacs=pacs)
    identity = deliveries(house, job)["pacs"].delivery_id
    cases.together(2, lambda _: both.attempt(identity))
    assert deliveries(house, job)["pacs"].attempts == 1
    assert [e.action for e in house.events()] == ["send"]
