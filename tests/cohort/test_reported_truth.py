"""What coded reports make of a cohort's truth: versions, contradictions, codes that nobody knows, and the join."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import dicom_factory
import pytest
import tiny_engine

from radiolucent.cohort.reported_truth import codes_of, reported_truth
from radiolucent.cohort.validation.records import Ask
from radiolucent.cohort.validation.roster import Roster, read_roster
from radiolucent.cohort.validation.validate import validate
from radiolucent.engines.manifest import parse
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import SettingsError
from radiolucent.records.engine import Code, EngineSpec
from radiolucent.records.reported import Reported, Statement

OURS = "99RADIOLUCENT"


def statement(value: str = "bright", is_present: bool | None = True, scheme: str = OURS) -> Statement:
    return Statement(codes=(Code(scheme=scheme, value=value, meaning=""),), is_present=is_present)


FINAL = Reported(
    report="", at="20260301", standing="final", study_instance_uids=("1.2.1",), accession_numbers=("A1",),
    statements=(statement(),),
)  # fmt: skip
KNOWN = {(OURS, "bright"): ("bright",), (OURS, "dark"): ("dark",)}


def labels(*reports: Reported) -> list[dict[str, float]]:
    return [dict(each) for each in reported_truth(reports, KNOWN).labels]


@pytest.fixture
def spec(tmp_path: Path) -> EngineSpec:
    return parse((tiny_engine.write(tmp_path / "engines") / "engine.toml").read_bytes())


def test_what_is_named_is_present_what_is_denied_absent_and_the_rest_unknown() -> None:
    assert labels(replace(FINAL, statements=(statement(), statement("dark", False)))) == [{"bright": 1, "dark": 0}]
    assert labels(FINAL) == [{"bright": 1}]
    assert labels(replace(FINAL, statements=(statement(is_present=None),))) == [{}]


def test_present_on_one_side_is_present() -> None:
    assert labels(replace(FINAL, statements=(statement(), statement(is_present=False)))) == [{"bright": 1}]


def test_the_latest_final_version_counts_whatever_the_order_of_files() -> None:
    corrected = replace(FINAL, at="20260302", statements=(statement(is_present=False),))
    later_but_open = replace(FINAL, at="20260303", standing="open", statements=(statement(),))
    for order in ((FINAL, corrected, later_but_open), (later_but_open, corrected, FINAL)):
        found = reported_truth(order, KNOWN)
        assert [dict(each) for each in found.labels] == [{"bright": 0}]
        assert found.left_out == {"versions of reports that are not final": 1}
    same_time = replace(FINAL, statements=(statement(is_present=False),))
    assert labels(FINAL, same_time) == [{"bright": 0}], "of equal times the later one in the files"


def test_a_report_that_was_taken_back_says_nothing() -> None:
    back = replace(FINAL, at="20260302", standing="withdrawn")
    found = reported_truth([FINAL, back], KNOWN)
    assert ([dict(each) for each in found.labels], found.left_out) == ([{}], {"reports that were taken back": 1})


def test_two_reports_of_one_study_that_contradict_one_another_say_nothing() -> None:
    second = replace(FINAL, report="other", statements=(statement(is_present=False), statement("dark", False)))
    found = reported_truth([replace(FINAL, report="one"), second], KNOWN)
    assert ([dict(each) for each in found.labels], found.contradictions) == ([{"dark": 0}], 1)


def test_a_study_is_known_by_its_uid_or_by_its_accession_number() -> None:
    by_number = replace(FINAL, study_instance_uids=(), at="20260302", statements=(statement("dark", False),))
    joined = reported_truth([FINAL, by_number], KNOWN)
    assert [dict(each) for each in joined.labels] == [{"dark": 0}], "one report, told twice"
    assert joined.study_of("1.2.1", "") == joined.study_of("", "A1") == 0
    assert joined.study_of("9.9", "A1") == 0, "an archive may give another UID; the number still holds"
    assert joined.study_of("9.9", "") is None
    other = reported_truth([FINAL, replace(FINAL, study_instance_uids=("1.2.2",))], KNOWN)
    assert len(other.labels) == 2, "two UIDs are two studies, whatever number they share"
    nameless = reported_truth([replace(FINAL, study_instance_uids=(), accession_numbers=())], KNOWN)
    assert (nameless.labels, nameless.left_out) == ((), {"reports that name no study": 1})


def test_codes_that_no_finding_has_are_counted() -> None:
    odd = replace(FINAL, statements=(statement("X9"), statement("X9"), statement("J18", scheme="I10")))
    found = reported_truth([odd], KNOWN)
    assert found.unknown_codes == {f"{OURS} X9": 2, "I10 J18": 1}
    assert list(found.words()) == [
        f"2 codes of the reports belong to no finding of the engine: {OURS} X9 (2), I10 J18 (1)"
    ]


def test_a_site_names_its_own_codes(spec: EngineSpec, tmp_path: Path) -> None:
    table = tmp_path / "codes.csv"
    table.write_text("scheme,code,finding\nhttp://hl7.org/fhir/sid/icd-10,J93,bright\n99HOUSE,D,dark\n")
    known = codes_of([spec], table)
    assert known[("I10", "J93")] == known[(OURS, "bright")] == ("bright",)
    assert known[("99HOUSE", "D")] == ("dark",)
    table.write_text("scheme,code,finding\n99HOUSE,D,unknown\n")
    with pytest.raises(SettingsError, match="finding 'unknown'"):
        codes_of([spec], table)


def test_a_finding_is_known_by_snomed_and_by_radlex() -> None:
    chest = parse((Path(__file__).parents[2] / "engines/chest-film/engine.toml").read_bytes())
    known = codes_of([chest])
    assert known[("SCT", "36118008")] == known[("RADLEX", "RID5352")] == ("pneumothorax",)
    assert known[("RADLEX", "RID28530")] == ("lung_opacity",)
    assert {key for (scheme, _), keys in known.items() for key in keys if scheme == "RADLEX"} == {
        *("pneumothorax", "effusion", "atelectasis", "consolidation", "pneumonia", "edema", "emphysema", "nodule"),
        "lung_opacity",
    }


# --- onto images ---


def films(folder: Path, *studies: tuple[str, str, int]) -> Path:
    """DICOM films: study UID, accession number, number of images."""
    number = 0
    for uid, accession, count in studies:
        for _ in range(count):
            number += 1
            made = dicom_factory.cr(
                dicom_factory.lit(side=20 + number), StudyInstanceUID=uid, AccessionNumber=accession
            )
            dicom_factory.save(made, folder / f"{number}.dcm")
    return folder


def fhir(path: Path, **present: bool) -> Path:
    """One final report for each accession number: the tiny engine's finding is there or not."""
    code = {"coding": [{"system": "urn:radiolucent:code:finding", "code": "bright"}]}
    lines = [
        {"resourceType": "Observation", "id": number, "status": "final", "code": code, "valueBoolean": is_there}
        | {"identifier": [{"type": {"coding": [{"code": "ACSN"}]}, "value": number}]}
        for number, is_there in present.items()
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def read(source: Path, spec: EngineSpec, truth: Path) -> Roster:
    return read_roster(source, spec=spec, split={}, truth=truth)


def test_reports_are_joined_by_study_and_what_is_not_known_of_an_image_is_said(
    spec: EngineSpec, tmp_path: Path
) -> None:
    source = films(tmp_path / "c", ("1.2.1", "A1", 1), ("1.2.2", "A2", 1), ("1.2.3", "A3", 2), ("1.2.4", "A4", 2))
    films(tmp_path / "c" / "deep", ("1.2.9", "", 1))
    found = read(source, spec, fhir(tmp_path / "t.ndjson", A1=True, A2=False, A3=True, A4=False, A9=True))
    said = [case.labels["bright"] for case in found.cases]
    assert [None if label != label else label for label in said] == [1, 0, None, None, 0, 0, None]
    assert (found.unmatched, found.unmatched_count, found.without_truth) == ((), 1, 3)
    assert found.notes == ("of 2 images a finding of their study is not known, because the study has several images",)


def test_reports_of_other_studies_are_refused(spec: EngineSpec, tmp_path: Path) -> None:
    source = films(tmp_path / "c", ("1.2.1", "A1", 1))
    with pytest.raises(SettingsError, match="no study that has an image in the folder") as raised:
        read(source, spec, fhir(tmp_path / "t.ndjson", A9=True))
    assert raised.value.code == "truth_table"
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(SettingsError, match=r"bad\.json"):
        read(source, spec, tmp_path / "bad.json")


def test_a_table_may_name_studies_too(spec: EngineSpec, tmp_path: Path) -> None:
    source = films(tmp_path / "c", ("1.2.1", "A1", 1), ("1.2.2", "A2", 1), ("1.2.3", "A3", 2))
    table = tmp_path / "t.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(
            [("image", "bright", "dark"), ("A1", 1, 0), ("1.2.2", 0, ""), ("A3", 1, 0), ("A9", 1, 1)]
        )
    found = read(source, spec, table)
    assert [found.cases[0].labels[key] for key in ("bright", "dark")] == [1, 0]
    assert [case.labels["dark"] for case in found.cases[2:]] == [0, 0]
    assert all(case.labels["bright"] != case.labels["bright"] for case in found.cases[2:])
    assert (found.unmatched, found.unmatched_count) == (("A9",), 1)


def test_a_validation_tells_of_its_reports(tmp_path: Path) -> None:
    source = films(tmp_path / "c", *((f"1.2.{n}", f"A{n}", 1) for n in range(6)))
    truth = fhir(tmp_path / "t.ndjson", **{f"A{n}": n % 2 == 0 for n in range(7)})
    package = PackageFiles(tiny_engine.write(tmp_path / "engines"))
    found = validate(package, Ask(source=source, truth=truth, resamples=9, permutations=9), out=tmp_path)
    assert (found.validation.findings[0].positives, found.validation.findings[0].images) == (3, 6)
    assert "1 rows of truth name no image that is here" in found.validation.cohort.remarks
    with pytest.raises(SettingsError, match="codes of findings without coded reports"):
        validate(package, Ask(source=source, codes=truth), out=tmp_path)
