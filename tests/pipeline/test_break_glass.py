"""A study opened in an emergency: to one person, for an hour, told to everybody without a word of the patient."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from dicom_factory import cr, lit
from installation_cases import House, offered

from radiolucent.errors import InputRefused
from radiolucent.pipeline.break_glass import OPEN_S, BreakGlass
from radiolucent.pipeline.meters import Meters
from radiolucent.pipeline.people import People
from radiolucent.records.person import Person

REASON = "fell from a ladder"


def test_it_ends_after_an_hour_and_says_nothing_of_the_patient(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path)
    people = People(house.journal, idle_s=7200, longest_s=43_200)
    glass = BreakGlass(house.journal, Meters())
    link = people.add(Person(name="ana", display="Ana", roles=("radiologist",), sites=("main",)), by="test")
    shown, signed_in = people.enrol(link, name="", display="", password="seven green lamps", peer="")
    source = cr(lit(16, 16, at=(0, 0), side=4), PatientName="Marker^Name", PatientID="MARKER-ID")
    key = house.intake(sites={"MODALITY": "north"}).keep(offered(source)).study_key
    assert not signed_in.sight.covers("north", key)
    with pytest.raises(InputRefused, match="no_such_study"):
        glass.open("ana", "0" * 32, reason=REASON, peer="")
    with caplog.at_level(logging.INFO, "radiolucent"):
        for _twice in range(2):
            glass.open("ana", key, reason=REASON, peer="10.0.0.3")
    found = people.session(shown)
    assert found is not None
    assert found.sight.covers("north", key)
    assert not found.sight.covers("north", "another")
    assert [record.msg for record in caplog.records] == ["break_glass"] * 2
    assert {record.__dict__["study"] for record in caplog.records} == {key}
    assert not [r for r in caplog.records if any(word in str(r.__dict__) for word in ("MARKER", "Marker", REASON))]
    house.clock.forward(OPEN_S)
    found = people.session(shown)
    assert found is not None
    assert not found.sight.covers("north", key)
    house.close()
