"""A radiologist's way to a finding in real Chromium, over a running installation."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.conftest import Node
from flow import hospital
from flow.test_flow import site

from radiolucent.records.person import Person

pytestmark = pytest.mark.peers
NAME = "Script^<b>bold</b><script>alert(1)</script>"


def test_from_a_link_to_the_map_and_the_prior(node: Node, tmp_path: Path) -> None:
    with site(tmp_path) as place:
        film = {"StudyTime": "080000", "NumberOfStudyRelatedInstances": 1, "PatientName": NAME}
        for day, bright in (("20250301", False), ("20260301", True)):
            hospital.send(place.port, [hospital.film(bright=bright, StudyDate=day, **film)])
            hospital.eventually(place.done)
        people, http = place.running.installation.people, place.running.http
        assert http is not None
        link = people.add(Person(name="ana", display="Dr Ana", roles=("radiologist",)), by="test")
        seen = node(
            "reading",
            address=f"http://127.0.0.1:{http.port}",
            link=f"/#/enrol/{link}",
            password="seven green lamps",
        )
        looked_at = [e for e in place.audited("access") if e.actor == "ana"]

    assert len(seen["rows"]) == 2
    assert "<script>" in seen["rows"][0]  # as text
    assert seen["scripts"] == 0
    assert seen["marked"]
    assert (seen["faults"], seen["wrong"], seen["stored"]) == ([], [], [0, 0])
    assert "Script" not in seen["url"]
    assert looked_at
