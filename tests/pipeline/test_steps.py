"""The steps of a study where something is not as usual."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import store_cases as cases
from installation_cases import House

from radiolucent.errors import InvariantBroken, PeerUnavailable
from radiolucent.pipeline.faults import Faults
from radiolucent.pipeline.meters import Meters
from radiolucent.pipeline.read_job import ReadDone, ReadJob
from radiolucent.pipeline.reader import ReaderCrashed
from radiolucent.pipeline.steps import Steps
from radiolucent.settings import Rule
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID
from radiolucent.store import intake, outbox, upkeep, work
from radiolucent.store.work import Job


class Desk:
    """A reader that notes what it is asked, and answers as told."""

    def __init__(self, answer: ReadDone | Exception) -> None:
        self.answer, self.asked = answer, list[ReadJob]()

    def read(self, job: ReadJob) -> ReadDone:
        self.asked.append(job)
        if isinstance(self.answer, Exception):
            raise self.answer
        for image in job.paths if self.answer.code is None else ():
            write(job.out / image.stem)
        return self.answer


def write(folder: Path, text: str = "{}") -> None:
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(text, encoding="utf-8")


DONE = ReadDone(processed=1, refused=0, milliseconds=1.0)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "data")
    made.clock.now = made.clock.now.fromtimestamp(cases.NOW + 60, made.clock.now.tzinfo)
    yield made
    made.close()


def steps(house: House, *readers: Desk, urgent: Desk | None = None, rules: tuple[Rule, ...] = ()) -> Steps:
    return Steps(
        house.journal,
        house.blobs,
        Meters(),
        Faults(),
        rules=rules,
        readers=readers,  # type: ignore[arg-type]
        urgent=urgent,  # type: ignore[arg-type]
        guards="refuse",
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
    )


def ready(house: House, *, priority: str = "routine") -> Job:
    cases.take(house.database, cases.received(is_stat=priority == "stat"))
    with house.journal.entry() as entry:
        (job,) = work.claim_due(entry.connection, now=entry.at)
    return job


def test_a_study_takes_the_first_rule_that_holds(house: House) -> None:
    rules = (
        Rule(name="ct", modality=("CT",)),
        Rule(name="cr", modality=("CR",), engine="tiny", destinations=("pacs",)),
    )
    job = ready(house)
    routed = steps(house, rules=rules).route(job, by="w")
    assert routed is not None
    assert (routed.rule, routed.engine, routed.destinations) == ("cr", "tiny", ("pacs",))
    assert cases.standing(house.database, job.study_key).rule == "cr"
    assert steps(house, rules=rules).route(job, by="another") is None


def test_without_a_rule_nothing_runs_and_nothing_leaves(house: House) -> None:
    job = ready(house)
    routed = steps(house, rules=(Rule(name="ct", modality=("CT",)),)).route(job, by="w")
    assert routed is not None
    assert (routed.rule, routed.destinations) == (None, ())
    row = cases.standing(house.database, job.study_key)
    assert (row.state, row.code) == ("unrouted", "no_rule")
    assert [e.details["code"] for e in house.events()] == ["no_rule"]


def test_urgent_studies_have_a_reader_of_their_own(house: House) -> None:
    usual, urgent = Desk(DONE), Desk(DONE)
    assert steps(house, usual, urgent=urgent).read(ready(house, priority="stat"), None)[0] == "read"
    assert (len(usual.asked), len(urgent.asked)) == (0, 1)
    assert urgent.asked[0].paths == (house.root / "instances/x.dcm",)


class Paused(Desk):
    """While it is at its job, another attempt is made and comes to its end."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__(DONE)
        self._meanwhile = meanwhile

    def read(self, job: ReadJob) -> ReadDone:
        for image in job.paths:
            write(job.out / image.stem, "half")
        self._meanwhile()
        return self.answer


def test_an_attempt_that_was_given_up_and_wakes_leaves_the_result_alone(house: House) -> None:
    job, other = ready(house), steps(house, Desk(DONE))

    def taken_over() -> None:
        assert other.read(job, None)[0] == "read"

    assert steps(house, Paused(taken_over)).read(job, None)[0] == "read"
    (result,) = (house.root / "results" / job.study_key).rglob("result.json")
    assert result.relative_to(house.root / "results" / job.study_key).parts == ("0001", "x", "result.json")
    assert result.read_text(encoding="utf-8") == "{}", "of the one that was first"


def test_what_a_dead_attempt_left_is_cleared_away_by_the_next(house: House) -> None:
    job = ready(house)
    folder = house.root / "results" / job.study_key
    for name in (".0001-0011223344556677", ".0002-0011223344556677"):
        write(folder / name / "x")
    assert steps(house, Desk(DONE)).read(job, None)[0] == "read"
    assert sorted(each.name for each in folder.iterdir()) == [".0002-0011223344556677", "0001"]


def test_a_reading_that_is_whole_is_not_made_again(house: House) -> None:
    job, reader = ready(house), Desk(DONE)
    for _ in range(2):
        assert steps(house, reader).read(job, None)[0] == "read"
    assert len(reader.asked) == 1


def test_a_folder_from_which_images_are_gone_is_no_result(house: House) -> None:
    job, made = ready(house), steps(house, Desk(DONE), rules=(Rule(name="all"),))
    assert made.route(job, by="w") is not None
    assert made.read(job, None)[0] == "read"
    (result,) = (house.root / "results").rglob("result.json")
    result.unlink()
    with pytest.raises(InvariantBroken) as raised:
        made.record(job, (), "read", "", "")
    assert raised.value.code == "result_folder_incomplete"
    assert not result.parents[1].exists(), "so that it is read anew"


def test_a_recorded_folder_stays_when_its_step_runs_again_after_a_late_image(house: House) -> None:
    """The process died after the report was kept and before that was known; then another image came."""
    job, made = ready(house), steps(house, Desk(DONE), rules=(Rule(name="all"),))
    assert made.route(job, by="w") is not None
    assert made.read(job, None)[0] == "read"
    assert cases.record(house.database, job, destinations=[])
    cases.take(house.database, cases.received(2))
    assert not made.record(job, (), "read", "", "")
    assert list((house.root / "results").rglob("result.json")), "what was sent is what is kept"


def test_each_retraction_makes_another_issue(house: House) -> None:
    job, reader = ready(house), Desk(DONE)
    made = steps(house, reader, rules=(Rule(name="all"),))
    for issue in range(3):
        assert made.route(job, by=f"w{issue}") is not None
        assert made.read(job, None)[0] == "read"
        assert cases.record(house.database, job, destinations=[])
        with house.journal.entry() as entry:
            told = cases.report(job, state="retracted")
            assert work.retract(entry.connection, job, told, [], now=entry.at) == []
            assert work.rerun(entry.connection, job.study_key)
            (job,) = work.ready(entry.connection)
    assert [asked.issue for asked in reader.asked] == [0, 1, 2]


def test_images_that_were_cleared_are_never_taken_for_the_whole_data_folder(house: House) -> None:
    job = ready(house)
    assert steps(house, rules=(Rule(name="all"),)).route(job, by="w") is not None
    cases.record(house.database, job, destinations=[])
    with house.journal.entry() as entry:
        upkeep.forget_files(entry.connection, upkeep.old_files(entry.connection, role="source", before=entry.at + 1e9))
        assert work.rerun(entry.connection, job.study_key)
        (again,) = work.ready(entry.connection)
    reader = Desk(DONE)
    outcome, code, text = steps(house, reader).read(again, None)
    assert (outcome, code) == ("not_processed", "images_cleared")
    assert "cleared" in text
    assert reader.asked == []


def test_a_study_that_moved_on_is_not_read(house: House) -> None:
    job, reader = ready(house), Desk(DONE)
    cases.take(house.database, cases.received(2))
    assert steps(house, reader).read(job, None) == ("stale", "", "")
    assert reader.asked == []


def test_a_reader_that_dies_is_told_and_after_the_last_time_the_study_is_set_aside(house: House) -> None:
    job, made = ready(house), steps(house, Desk(ReaderCrashed()), rules=(Rule(name="all"),))
    assert made.route(job, by="w") is not None
    for final in (False, True):
        assert made.read(job, None) == ("crashed", "reader_crashed", "")
        made.crashed(job, final=final)
    row = cases.standing(house.database, job.study_key)
    assert (row.state, row.code, row.attempts) == ("quarantined", "reader_crashed", 2)
    assert [e.action for e in house.events()] == ["quarantine"]


def test_a_reader_is_free_again_whatever_became_of_its_job(house: House) -> None:
    job, reader = ready(house), Desk(ReaderCrashed())
    made = steps(house, reader)
    for _ in range(3):
        assert made.read(job, None)[0] == "crashed"
    assert len(reader.asked) == 3


def test_a_full_disk_is_no_outcome_but_tried_again(house: House) -> None:
    full = ReadDone(processed=0, refused=0, milliseconds=0.0, code="disk_full", text="No room.")
    job = ready(house)
    with pytest.raises(PeerUnavailable) as raised:
        steps(house, Desk(full)).read(job, None)
    assert raised.value.code == "storage_full"
    assert list((house.root / "results").rglob("*")) in ([], [house.root / "results" / job.study_key])


def test_engines_that_cannot_run_make_a_report_that_says_so(house: House) -> None:
    broken = ReadDone(processed=0, refused=0, milliseconds=0.0, code="engine_hash", text="Found another graph.")
    job, made = ready(house), steps(house, Desk(broken), rules=(Rule(name="all", destinations=("pacs",)),))
    assert made.route(job, by="w") is not None
    outcome, code, text = made.read(job, None)
    assert made.record(job, ("pacs",), outcome, code, text)
    with house.journal.reading() as connection:
        report = work.report(connection, job.study_key)
        assert [d.destination for d in outbox.of_study(connection, job.study_key)] == ["pacs"]
    assert report is not None
    assert (report.status, [r.code for r in report.refusals]) == ("not_processed", ["engine_hash"])
    assert [(e.action, e.details["status"]) for e in house.events()] == [("result", "not_processed")]


def test_an_image_that_comes_while_a_study_is_read_leaves_no_report_of_the_half(house: House) -> None:
    job, made = ready(house), steps(house, rules=(Rule(name="all"),))
    assert made.route(job, by="w") is not None
    cases.take(house.database, cases.received(2))
    assert not made.record(job, (), "not_processed", "engine_hash", "x")
    with house.journal.reading() as connection:
        assert work.report(connection, job.study_key) is None
        assert intake.find_known(connection, cases.received(2)) is not None
    assert [e.action for e in house.events()] == []


def test_a_defect_is_no_crash(house: House) -> None:
    defect = InvariantBroken("reader_answer", found="f", expected="e", action="a")
    with pytest.raises(InvariantBroken):
        steps(house, Desk(defect)).read(ready(house), None)


RULES = (Rule(name="ct", modality=("CT",), priority="stat"), Rule(name="rest", priority="routine"))


@pytest.mark.parametrize(
    ("rules", "priority"),
    [
        (RULES, "routine"),
        ((Rule(name="cr", modality=("CR",), priority="stat"), *RULES), "stat"),
        ((), None),
        ((Rule(name="all"),), None),
        (RULES[:1], None),
    ],
)
def test_a_rule_may_say_the_priority(house: House, rules: tuple[Rule, ...], priority: str | None) -> None:
    job = ready(house)
    with house.journal.reading() as connection:
        found = steps(house, rules=rules).priorities(connection, [job.study_key])
    assert found == ({} if priority is None else {job.study_key: priority})
