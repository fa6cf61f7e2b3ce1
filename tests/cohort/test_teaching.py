"""Decisions as a table to learn from: only with consent, without a name, and in the format that our own tools read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_engine
from installation_cases import House
from PIL import Image
from pydicom.dataset import Dataset
from test_store_cohort import film, finding, kept_study
from typer.testing import CliRunner

from radiolucent.cli.main import app
from radiolucent.cohort.teaching import box_of
from radiolucent.cohort.truth import read_boxes, read_table
from radiolucent.cohort.validation.roster import digest_of, patient_digest, read_roster
from radiolucent.engines.manifest import parse
from radiolucent.errors import SettingsError
from radiolucent.records.engine import EngineSpec
from radiolucent.records.study import Assessed, InstanceRef, PersonFinding, Region
from radiolucent.settings import Settings, read
from radiolucent.wiring.store_cohort import store_roster

BASIS = "Vote 7"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def spec(tmp_path: Path) -> EngineSpec:
    return parse((tiny_engine.write(tmp_path / "engines") / "engine.toml").read_bytes())


def settings(house: House, *rows: str) -> Settings:
    config = house.root.parent / "radiolucent.toml"
    head = f'data = "{house.root}"\ndatabase_url = "sqlite:///{house.root / "store.sqlite"}"\n'
    config.write_text(head + "".join(f"[[training_consent]]\n{row}\n" for row in rows))
    return read(config)


def for_training(house: House, tmp_path: Path, spec: EngineSpec) -> tuple[int, str]:
    engine, config = str(tmp_path / "engines" / "tiny"), str(house.root.parent / "radiolucent.toml")
    words = ["studies", "for-training", "--engine", engine, "--config", config, "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    return done.exit_code, done.output


def drawn(image: Dataset, kind: str = "box", points: tuple[tuple[float, float], ...] = ((16, 8), (48, 40))) -> Region:
    ref = InstanceRef(sop_class_uid="1", sop_instance_uid=image.SOPInstanceUID, series_instance_uid="1")
    return Region(image_key=0, image=ref, kind=kind, points=points)  # type: ignore[arg-type]


def modified(*regions: Region, key: str = "bright") -> Assessed:
    changed = PersonFinding(key=key, display=key, code=None, confidence=None, comment="", regions=regions)
    return Assessed(assessment="modified", reason=None, comment="", changed=changed)


def test_a_corrected_region_becomes_a_box_without_a_name(house: House, tmp_path: Path, spec: EngineSpec) -> None:
    settings(house, f'site = "main"\nbasis = "{BASIS}"')
    one = film(1, PatientID="SECRET1", PatientName="Secret^Anna", AccessionNumber="ACC1")
    two = film(2, PatientID="SECRET2", AccessionNumber="ACC2")
    corrected = finding("bright", positive=True, assessed=modified(drawn(one)))
    kept_study(house, [one], [corrected, finding("dark", positive=False)], state="final")
    instead = finding("bright", positive=True, assessed=modified(drawn(two), key="dark"))
    kept_study(house, [two], [instead, finding("dark", positive=False)], state="verified")
    kept_study(house, [film(3)], [finding("bright", positive=True)], state="preliminary")
    code, said = for_training(house, tmp_path, spec)
    assert (code, "2 images and 2 boxes" in said, "1 studies not signed" in said) == (0, True, True), said

    out = tmp_path / "out"
    rows = {row["group"]: row for _, row in read_table(out / "cohort.csv")[1]}
    first, second = (rows[patient_digest(name, "")] for name in ("SECRET1", "SECRET2"))
    assert [(r["bright"], r["dark"], r["consent"], r["source"]) for r in (first, second)] == [
        ("1", "0", BASIS, "main"),
        ("0", "1", BASIS, "main"),
    ]
    images = {row["image"] for row in rows.values()}
    boxes = read_boxes(out / "boxes.csv", keys=("bright", "dark"), images=images)
    assert boxes == {
        first["image"]: {"bright": ((0.125, 0.25, 0.5, 0.5),)},
        second["image"]: {"dark": ((0.125, 0.25, 0.5, 0.5),)},
    }
    with Image.open(out / first["image"]) as picture:
        assert (picture.size, picture.mode, picture.info) == ((64, 64), "L", {})
        assert np.asarray(picture)[4:24, :20].min() > 200, "the picture is the film"
    written = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert not any(word in written for word in (b"SECRET", b"Anna", b"ACC1", one.SOPInstanceUID.encode()))

    roster = read_roster(out / "cohort.csv", spec=spec, split={}, boxes=out / "boxes.csv")
    assert [len(case.boxes) for case in roster.cases] == [1, 1]
    told = [e for e in house.events() if e.details.get("kind") == "training_export"]
    assert {(e.actor, e.patient_id, e.details["basis"]) for e in told} == {
        ("command line", "SECRET1", BASIS),
        ("command line", "SECRET2", BASIS),
    }


def test_without_consent_nothing_leaves_and_nothing_is_said_to_have(
    house: House, tmp_path: Path, spec: EngineSpec
) -> None:
    kept_study(house, [film(1, AccessionNumber="ACC1")], [finding("bright", positive=True)], state="final")
    (tmp_path / "consented.txt").write_text("ACC2\n\n")
    for rows, found in (
        ((), "no row"),
        (('site = "main"\nbasis = "x"\nstudies = "consented.txt"',), "no signed study with consent (1 without)"),
        (('site = "main"\nbasis = "x"\nstudies = "missing.txt"',), "cannot be read"),
    ):
        settings(house, *rows)
        with pytest.raises(SettingsError) as caught:
            for_training(house, tmp_path, spec)
        assert caught.value.code == "training_consent"
        assert found in caught.value.found
    assert not (tmp_path / "out").exists()
    assert not [e for e in house.events() if e.action == "access"]


def test_consent_may_be_recorded_study_by_study(house: House, tmp_path: Path, spec: EngineSpec) -> None:
    (tmp_path / "consented.txt").write_text("ACC2\nACC9\n")
    settings(house, f'site = "main"\nbasis = "{BASIS}"\nstudies = "consented.txt"')
    for number in (1, 2):
        given = film(number, PatientID=f"P{number}", AccessionNumber=f"ACC{number}")
        kept_study(house, [given], [finding("bright", positive=True)], state="final")
    code, said = for_training(house, tmp_path, spec)
    assert (code, "Left out: 1 studies without consent." in said) == (0, True), said
    (row,) = [row for _, row in read_table(tmp_path / "out" / "cohort.csv")[1]]
    assert row["group"] == patient_digest("P2", "")


def test_what_was_learnt_is_not_measured_on(house: House, tmp_path: Path, spec: EngineSpec) -> None:
    there = settings(house)
    for number in (1, 2):
        kept_study(house, [film(number, PatientID=f"P{number}")], [finding("bright", positive=True)], state="final")
    found = store_roster(there, spec, split={digest_of(patient_digest("P1", "")): "train"})
    assert [case.group for case in found.cases] == [patient_digest("P2", "")]
    assert found.left_out == {"in part train of the engine's split list": 1}


def test_a_polygon_is_the_box_around_it() -> None:
    region = drawn(film(1), kind="polygon", points=((10, 5), (30, -2), (20, 60)))
    assert box_of(region, (40, 50)) == (0.0, 0.25, 1.0, 0.5)
    assert box_of(replace(region, points=((0, 0), (40, 50))), (40, 50)) == (0.0, 0.0, 1.0, 1.0)
