"""From a modality's storescu to the signed report in Orthanc, through real Chromium; and how fast and how fit it is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser.conftest import Node
from dicom_factory import save
from flow import hospital
from flow.test_flow import Site, sent_to, site, to_ehr
from peers import orthanc_server
from peers.orthanc_server import ask

from radiolucent.records.person import Person

pytestmark = pytest.mark.peers
PASSWORD = "seven green lamps"
SR = "1.2.840.10008.5.1.4.1.1.88.34"


@contextmanager
def ward(folder: Path, *roles: str, **rows: Any) -> Iterator[tuple[Site, str]]:
    """Two films of one patient, sent by DCMTK, and a reader who may sign in."""
    with site(folder, **rows) as place:
        for number, (day, bright) in enumerate((("20250301", False), ("20260301", True))):
            film = hospital.film(
                bright=bright,
                StudyDate=day,
                StudyTime="080000",
                NumberOfStudyRelatedInstances=1,
                AccessionNumber=f"ACC{number}",
            )
            path = save(film, folder / f"film-{number}.dcm")
            command = ["storescu", "-aec", "RADIOLUCENT", "127.0.0.1", str(place.port), str(path)]
            subprocess.run(command, check=True, capture_output=True, timeout=60)
            hospital.eventually(place.done)
        people, http = place.running.installation.people, place.running.http
        assert http is not None
        link = people.add(Person(name="ana", display="Dr Ana", roles=roles), by="test")
        people.enrol(link, name="", display="", password=PASSWORD, peer="")
        yield place, f"http://127.0.0.1:{http.port}"


def test_a_radiologist_signs_and_it_is_everywhere(node: Node, tmp_path: Path) -> None:
    shelf = tmp_path / "orthanc"
    shelf.mkdir()
    with orthanc_server.running(shelf) as (address, port), hospital.listener() as ehr:
        pacs = {"name": "pacs", "kind": "dimse", "host": "127.0.0.1", "port": port, "ae_title": "ORTHANC"}
        with ward(tmp_path, "radiologist", **sent_to(pacs, to_ehr(ehr))) as (place, url):
            seen = node("flow", address=url, user="ana", password=PASSWORD)
            hospital.eventually(place.done)
            audit = place.running.installation.journal.log.verify()
            signed = [e for e in place.audited("decision") if e.details.get("kind") == "signed"]
        documents = [_header(address, each) for each in json.loads(ask(f"{address}/instances"))]

    assert seen["wrong"] == []
    assert seen["hasPrior"]
    assert seen["drawn"] != seen["nudged"], "a region can be moved by keys"
    assert seen["told"].startswith("modified\nana · "), "the worklist says what was decided, and by whom"
    verified = [d for d in documents if d.get("0040,a493") == "VERIFIED"]
    assert len(verified) == 1
    assert verified[0]["0008,0016"] == SR
    before = verified[0]["0040,a360"][0]["0008,1115"][0]["0008,1199"][0]["0008,1155"]
    (preliminary,) = [d for d in documents if d["0008,0018"] == before]
    assert preliminary["0040,a493"] == "UNVERIFIED"
    last = ehr.of("ACC1")[-1]
    assert (last["OBR"][0][25], {row[11] for row in last["OBX"]}) == ("F", {"F"})
    assert audit.verified
    assert [(e.actor, e.details["decision"]) for e in signed] == [("ana", seen["decision"]["decision_id"])]


def _header(address: str, instance: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask(f"{address}/instances/{instance}/tags?short"))
    return found


def test_every_room_is_fit_for_whoever_reads_it(node: Node, tmp_path: Path) -> None:
    roles = ("senior", "qa", "auditor", "administrator")
    with ward(tmp_path, *roles) as (_, url):
        seen = node("axe", address=url, user="ana", password=PASSWORD)
    assert (seen["found"], seen["wrong"]) == ([], [])
