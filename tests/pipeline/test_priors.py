"""The earlier study that is compared with, and what a report says of it."""

from __future__ import annotations

import json
from pathlib import Path

import postgres_server
import pytest
from flow import hospital
from flow.test_flow import Site, site

from radiolucent.pipeline.priors import COMPARISON, prior_of
from radiolucent.records.study import Patient
from radiolucent.report.hl7 import words
from radiolucent.store import priors, work
from radiolucent.store.hospital import merge_patients
from radiolucent.store.priors import KeptStudy
from radiolucent.store.work import StudyRow


def header(date: str, time: str = "") -> str:
    return json.dumps({"00080020": {"vr": "DA", "Value": [date]}, "00080030": {"vr": "TM", "Value": [time]}})


def image(modality: str, part: str) -> str:
    return json.dumps({"00080060": {"vr": "CS", "Value": [modality]}, "00180015": {"vr": "CS", "Value": [part]}})


def kept(uid: str, date: str, *, modality: str = "CR", part: str = "CHEST") -> KeptStudy:
    return KeptStudy(
        study_key=f"key-{uid}",
        study_instance_uid=uid,
        revision=2,
        header=header(date),
        headers=(image(modality, part),),
    )


def asking(date: str = "20260110") -> StudyRow:
    fields = dict.fromkeys(StudyRow.__dataclass_fields__, "") | {
        "study_key": "now",
        "study_instance_uid": "1.9",
        "header": header(date, "101500"),
    }
    return StudyRow(**fields)  # type: ignore[arg-type]


def test_the_most_recent_study_of_the_kind_is_the_prior(tmp_path: Path) -> None:
    found = [
        kept("1.1", "20240101"),
        kept("1.2", "20251231"),
        kept("1.3", "20260109", part="KNEE"),
        kept("1.4", "20260109", modality="CT"),
        kept("1.5", "20260111"),
    ]

    prior = prior_of(found, asking(), [image("CR", "CHEST")], root=tmp_path)

    assert prior is not None
    assert (prior.study_instance_uid, prior.date) == ("1.2", "2025-12-31")
    assert prior.folder == tmp_path / "results" / "key-1.2" / "0002"


def test_no_prior_among_none(tmp_path: Path) -> None:
    assert prior_of([], asking(), [image("CR", "CHEST")], root=tmp_path) is None
    assert prior_of([kept("1.5", "20260111")], asking(), [image("CR", "CHEST")], root=tmp_path) is None


def films(place: Site, *, date: str, bright: bool, **changes: object) -> dict[str, object]:
    """Send a film and wait for its report; its row."""
    known = set(place.studies())
    said = {"StudyDate": date, "StudyTime": "080000", "NumberOfStudyRelatedInstances": 1} | changes
    hospital.send(place.port, [hospital.film(bright=bright, **said)])
    hospital.eventually(lambda: len(place.studies()) > len(known) and place.done())
    (new,) = [row for key, row in place.studies().items() if key not in known]
    return new


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest):
    if getattr(request, "param", "sqlite") == "sqlite":
        with site(tmp_path) as running:
            yield running
        return
    if not postgres_server.is_installed():
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    with postgres_server.running() as server, site(tmp_path, database_url=server.new_database()) as running:
        yield running


BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.peers)]


def report_of(place: Site, row: dict[str, object]):
    with place.running.installation.journal.reading() as connection:
        return work.report(connection, str(row["study_key"]))


@pytest.mark.parametrize("place", BOTH, indirect=True)
def test_a_finding_is_new_since_the_study_before(place: Site) -> None:
    first = films(place, date="20250301", bright=False)
    second = films(place, date="20260301", bright=True)

    finding = report_of(place, second).findings[0]

    assert all(was.change is None for was in report_of(place, first).findings)
    assert finding.change is not None
    assert (finding.change.change, finding.change.prior_date) == ("new", "2025-03-01")
    assert "New since 2025-03-01" in words.remarks(finding)
    folder = place.running.installation.blobs.root / "results" / str(second["study_key"]) / "0001"
    written = json.loads((folder / COMPARISON).read_text(encoding="utf-8"))
    assert written["prior"] == {"study_key": first["study_key"], "date": "2025-03-01"}
    assert "new" in {each["change"] for each in written["comparisons"][0]["findings"]}


def test_another_patient_is_no_prior(place: Site) -> None:
    films(place, date="20250301", bright=False, PatientID="OTHER")
    second = films(place, date="20260301", bright=True)

    finding = report_of(place, second).findings[0]

    assert finding.change is None


def test_nobody_has_no_prior(place: Site) -> None:
    films(place, date="20250301", bright=False, PatientID="")
    second = films(place, date="20260301", bright=True, PatientID="")

    assert report_of(place, second).findings[0].change is None


def test_a_merged_patient_keeps_the_studies_of_both(place: Site) -> None:
    films(place, date="20250301", bright=False, PatientID="OLD")
    with place.running.installation.journal.entry() as entry:
        merge_patients(
            entry.connection, surviving=Patient(patient_id="NEW"), retired=Patient(patient_id="OLD"), now=entry.at
        )
        assert priors.identities(entry.connection, Patient(patient_id="NEW")) == [("NEW", ""), ("OLD", "")]
    second = films(place, date="20260301", bright=True, PatientID="NEW")

    change = report_of(place, second).findings[0].change

    assert change is not None
    assert change.change == "new"


def test_a_retracted_result_is_no_prior(place: Site) -> None:
    first = films(place, date="20250301", bright=True)
    place.running.installation.retraction.retract(str(first["study_key"]), reason="quality")
    hospital.eventually(place.done)
    second = films(place, date="20260301", bright=True)

    assert report_of(place, second).findings[0].change is None
