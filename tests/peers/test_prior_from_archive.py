"""A prior that only the PACS has: fetched, read, compared with, and reported to nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flow import hospital
from flow.hospital import eventually
from flow.test_flow import Site, site
from peers import orthanc_server

from radiolucent.records.received import PRIOR
from radiolucent.store import work

pytestmark = pytest.mark.peers
PRIOR_DAY, DAY = "20250301", "20260301"


def rows(dicom: int, **archive: Any) -> dict[str, Any]:
    peer = {"kind": "dimse", "host": "127.0.0.1", "port": dicom, "ae_title": "ORTHANC"}
    return {
        "archives": [{"name": "pacs"} | (archive or peer)],
        "destinations": [{"name": "pacs"} | peer],
        "rules": [{"name": "everything", "destinations": ["pacs"]}],
        "completion": {"quiet_s": 6.0},
    }


def study_keys(place: Site) -> dict[str, str]:
    with place.running.installation.journal.reading() as connection:
        known = {key: work.study(connection, key) for key in place.studies()}
    return {row.study_instance_uid: key for key, row in known.items()}


def test_the_prior_is_fetched_read_and_compared_with(tmp_path: Path) -> None:
    (tmp_path / "orthanc").mkdir()
    before = hospital.film(bright=False, StudyDate=PRIOR_DAY, StudyTime="080000")
    now = hospital.film(StudyDate=DAY, StudyTime="080000")
    other = hospital.film(StudyDate=PRIOR_DAY, StudyTime="080000", PatientID="SOMEBODY ELSE")
    with orthanc_server.running(tmp_path / "orthanc") as (http, dicom):
        assert set(hospital.send(dicom, [before, other], called="ORTHANC").values()) == {0}
        with site(tmp_path / "site", **rows(dicom)) as place:
            hospital.send(place.port, [now])
            eventually(lambda: len(place.studies()) == 2 and place.done())
            keys = study_keys(place)
            with place.running.installation.journal.reading() as connection:
                report = work.report(connection, keys[now.StudyInstanceUID])
                prior = work.study(connection, keys[before.StudyInstanceUID])
            asked = [e for e in place.audited("query") if e.details.get("archive") == "pacs"]
        studies = json.loads(orthanc_server.ask(f"{http}/studies?expand"))

    assert report is not None
    assert report.findings[0].change is not None
    assert (report.findings[0].change.change, report.findings[0].change.prior_date) == ("new", "2025-03-01")
    assert (prior.rule, prior.state) == (PRIOR, "done")
    assert [(e.outcome, e.details["fetched"]) for e in asked] == [("success", "1")]
    series = {s["MainDicomTags"]["StudyInstanceUID"]: len(s["Series"]) for s in studies}
    assert series[now.StudyInstanceUID] > 1  # our results; the film itself came to us alone
    assert series[before.StudyInstanceUID] == series[other.StudyInstanceUID] == 1


def test_a_prior_that_a_modality_sends_as_well_is_a_study_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "orthanc").mkdir()
    before = hospital.film(bright=True, StudyDate=PRIOR_DAY, StudyTime="080000")
    now = hospital.film(StudyDate=DAY, StudyTime="080000")
    with orthanc_server.running(tmp_path / "orthanc") as (_, dicom):
        hospital.send(dicom, [before], called="ORTHANC")
        with site(tmp_path / "site", **rows(dicom)) as place:
            hospital.send(place.port, [now])
            eventually(lambda: len(place.studies()) == 2 and place.done())
            hospital.send(place.port, [before])
            key = study_keys(place)[before.StudyInstanceUID]

            def as_any_other() -> bool:
                return bool(place.done() and place.studies()[key]["rule"] == "everything")

            eventually(as_any_other)


def test_an_archive_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    away = {"kind": "dicomweb", "url": "http://127.0.0.1:9/dicom-web", "timeout_s": 1.0}
    given = rows(9, **away) | {"destinations": [], "rules": [{"name": "everything"}], "completion": {"quiet_s": 0.3}}
    with site(tmp_path, **given) as place:
        hospital.send(place.port, [hospital.film(StudyDate=DAY)])
        eventually(place.done)
        (asked,) = eventually(lambda: [e for e in place.audited("query") if e.details.get("archive") == "pacs"])

    assert asked.outcome == "minor_failure"
    assert asked.details["code"] == "dicomweb_unreachable"
