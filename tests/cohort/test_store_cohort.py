"""Our own store as a cohort: the images an engine has read, and what people signed as their truth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import dicom_factory
import fhir_cases
import pytest
import store_cases
import tiny_engine
from installation_cases import House, offered
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from radiolucent.cli.main import app
from radiolucent.engines.manifest import parse
from radiolucent.errors import SettingsError
from radiolucent.records.engine import EngineSpec
from radiolucent.records.result import EngineRef
from radiolucent.records.study import Assessed, InstanceRef, StudyFinding
from radiolucent.settings import Settings, read
from radiolucent.store import kept
from radiolucent.wiring.store_cohort import store_roster
from radiolucent.wiring.validations import Shelf

ENGINE = replace(fhir_cases.ENGINE, id="tiny", version="1.0.0")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def settings(house: House) -> Settings:
    config = house.root.parent / "radiolucent.toml"
    store = house.root / "store.sqlite"
    config.write_text(f'data = "{house.root}"\ndatabase_url = "sqlite:///{store}"\n')
    return read(config)


@pytest.fixture
def spec(tmp_path: Path) -> EngineSpec:
    return parse((tiny_engine.write(tmp_path / "engines") / "engine.toml").read_bytes())


def film(number: int, **changes: object) -> Dataset:
    return dicom_factory.cr(dicom_factory.lit(64, 64, at=(4 * (number % 8), 0), side=20), **changes)


def finding(key: str, images: Sequence[InstanceRef] = (), **changes: object) -> StudyFinding:
    base = replace(fhir_cases.report().findings[0], engine=ENGINE, key=key, assessed=None, images=tuple(images))
    return replace(base, **changes)  # type: ignore[arg-type]


def kept_study(
    house: House, films: Sequence[Dataset], findings: Sequence[StudyFinding], *, state: str, engine: EngineRef = ENGINE
) -> str:
    """Films of one study in the store, with a report; its images are those films."""
    uid = films[0].StudyInstanceUID
    key = ""
    for one in films:
        one.StudyInstanceUID = uid
        key = house.intake().keep(offered(one)).study_key
    refs = tuple(
        InstanceRef(sop_class_uid=f.SOPClassUID, sop_instance_uid=f.SOPInstanceUID, series_instance_uid="1.2")
        for f in films
    )
    place = kept.Place(study_key=key, revision=1, priority="routine")
    job = store_cases.work.Job(study_key=key, revision=1, priority="routine")
    said = store_cases.report(job, engines=(engine,), findings=tuple(findings), images=refs, state=state)
    house.clock.forward(10)
    with house.database.transaction() as connection:
        kept.keep_report(connection, place, said, now=house.clock().timestamp())
    return key


REJECTED = Assessed(assessment="rejected", reason=None, comment="", changed=None)


def test_signed_findings_are_truth_and_unsigned_ones_are_not(
    house: House, settings: Settings, spec: EngineSpec
) -> None:
    bright, dark = finding("bright", positive=True), finding("dark", positive=False)
    kept_study(house, [film(1)], [bright, dark], state="verified")
    kept_study(house, [film(2)], [replace(bright, assessed=REJECTED), dark], state="final")
    kept_study(house, [film(3)], [bright, dark], state="preliminary")
    kept_study(house, [film(4)], [bright], state="preliminary", engine=replace(ENGINE, id="another"))
    kept_study(house, [film(5)], [bright], state="retracted")
    found = store_roster(settings, spec, split={})
    assert [(c.labels["bright"], c.labels["dark"]) for c in found.cases[:2]] == [(1.0, 0.0), (0.0, 0.0)]
    assert len(found.cases) == 3
    assert found.without_truth == 1
    assert {c.subgroups["sent by"] for c in found.cases} == {"MODALITY"}
    assert all(c.image.is_file() for c in found.cases)


def test_of_several_images_only_the_plain_one_is_positive(house: House, settings: Settings, spec: EngineSpec) -> None:
    films = [film(1), film(2)]
    plain = InstanceRef(sop_class_uid="1", sop_instance_uid=films[1].SOPInstanceUID, series_instance_uid="1")
    kept_study(
        house, films, [finding("bright", [plain], positive=True), finding("dark", positive=False)], state="final"
    )
    found = store_roster(settings, spec, split={})
    labels = sorted(str(c.labels["bright"]) for c in found.cases)
    assert labels == ["1.0", "nan"]
    assert [c.labels["dark"] for c in found.cases] == [0.0, 0.0]


def test_what_turned_out_to_be_true_stands_above_what_was_signed(
    house: House, settings: Settings, spec: EngineSpec, tmp_path: Path
) -> None:
    bright, dark = finding("bright", positive=True), finding("dark", positive=False)
    one, two = film(1, AccessionNumber="MINE"), [film(2), film(3)]
    kept_study(house, [one], [bright, dark], state="final")
    kept_study(house, two, [replace(bright, assessed=REJECTED), dark], state="final")
    table = tmp_path / "truth.csv"
    table.write_text(
        f"image,bright,dark\nMINE,0,1\n{two[0].StudyInstanceUID},1,\n{two[1].SOPInstanceUID}.dcm,,1\nACC9,1,1\n"
    )
    command = ["truth", "add", str(table), "--basis", "pathology", "--config", str(tmp_path / "radiolucent.toml")]
    settings_file = tmp_path / "radiolucent.toml"
    settings_file.write_text(settings_file.read_text() + f'[reader]\nengines = ["{tmp_path / "engines"}"]\n')
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, done.output.splitlines()[0]) == (1, "4 labels of 2 studies.")
    assert "row 5" in done.output
    found = {c.image.stem: c.labels for c in store_roster(settings, spec, split={}).cases}
    assert len(found) == 3
    told = sorted(tuple(str(labels[key]) for key in ("bright", "dark")) for labels in found.values())
    assert told == [("0.0", "1.0"), ("nan", "0.0"), ("nan", "1.0")]
    (event,) = [e for e in house.events() if e.action == "truth"]
    assert (event.details["basis"], event.details["labels"]) == ("pathology", "4")
    table.write_text("image,bright\nMINE,1\nMINE.dcm,0\n")
    with pytest.raises(SettingsError) as caught:
        CliRunner().invoke(app, command, catch_exceptions=False)
    assert caught.value.code == "truth_table"


def test_coded_reports_are_truth_that_is_known_later(
    house: House, settings: Settings, spec: EngineSpec, tmp_path: Path
) -> None:
    kept_study(house, [film(1, AccessionNumber="MINE")], [finding("bright", positive=True)], state="preliminary")
    reports = tmp_path / "reports"
    reports.mkdir()
    for name, result in (("a", "bright^^99RADIOLUCENT||272519000^^SCT"), ("b", "X^^99HOUSE||52101004^^SCT")):
        lines = ("MSH|^~\\&|RIS|H|||||ORU^R01|1|P|2.5.1", "OBR|1|||CR" + "|" * 14 + "MINE|||||||F")
        (reports / f"{name}.hl7").write_text("\r".join([*lines, f"OBX|1|CWE|{result}||||||F"]))
    config = tmp_path / "radiolucent.toml"
    config.write_text(config.read_text() + f'[reader]\nengines = ["{tmp_path / "engines"}"]\n')
    own = tmp_path / "codes.csv"
    own.write_text("scheme,code,finding\n99HOUSE,X,dark\n")
    command = ["truth", "add", str(reports), "--basis", "report", "--config", str(config)]
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, done.output.splitlines()[0]) == (0, "0 labels of 0 studies."), "the later message speaks"
    assert "1 codes of the reports belong to no finding of the engine: 99HOUSE X (1)" in done.output
    done = CliRunner().invoke(app, [*command, "--codes", str(own)])
    assert (done.exit_code, done.output.splitlines()[0]) == (0, "1 labels of 1 studies.")
    (case,) = store_roster(settings, spec, split={}).cases
    assert case.labels["dark"] == 1.0


def test_a_store_that_the_engine_never_read(house: House, settings: Settings, spec: EngineSpec) -> None:
    with pytest.raises(SettingsError) as caught:
        store_roster(settings, spec, split={})
    assert caught.value.code == "cohort_empty"


def test_the_command_reads_the_store(house: House, settings: Settings, spec: EngineSpec, tmp_path: Path) -> None:
    for number in range(6):
        key = "verified" if number % 2 else "preliminary"
        given = film(number, PatientID=f"SECRET{number // 2}")
        kept_study(house, [given], [finding("bright", positive=True), finding("dark", positive=False)], state=key)
    command = [
        "validate",
        "--config",
        str(tmp_path / "radiolucent.toml"),
        "--engine",
        str(tmp_path / "engines" / "tiny"),
    ]
    done = CliRunner().invoke(app, [*command, "--resamples", "10", "--permutations", "10"])
    assert done.exit_code == 0, done.output
    (out,) = (house.root / "validations").iterdir()
    text = (out / "validation.json").read_text()
    said = json.loads(text)
    assert (said["cohort"]["read"], said["cohort"]["patients"], said["cohort"]["without_truth"]) == (6, 3, 3)
    assert "SECRET" not in text + (out / "report.html").read_text()
    (listed,) = Shelf(house.root / "validations").all()
    assert (listed["name"], listed["engine"], listed["images"]) == (out.name, "tiny", 6), "where the page looks"


def test_nothing_named_is_told(tmp_path: Path, spec: EngineSpec) -> None:
    engine = str(tmp_path / "engines" / "tiny")
    with pytest.raises(SettingsError) as caught:
        CliRunner().invoke(app, ["validate", "--engine", engine], catch_exceptions=False)
    assert caught.value.code == "validate_option"
