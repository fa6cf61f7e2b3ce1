"""A whole validation: what it finds, that it resumes to the same result, and what it says of bad input."""

from __future__ import annotations

import json
import re
import sys
import zlib
from importlib import resources
from pathlib import Path

import dicom_factory
import jsonschema
import numpy as np
import pytest
import tiny_engine
import validation_cases
from PIL import Image
from typer.testing import CliRunner

from radiolucent.cli.main import app
from radiolucent.cohort.validation import gathering, shards
from radiolucent.cohort.validation.records import Ask
from radiolucent.cohort.validation.stress import CHANGES
from radiolucent.cohort.validation.validate import Found, validate
from radiolucent.cohort.validation.writing import dumps, json_schema, write
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import SettingsError


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    return tiny_engine.write(tmp_path / "engines")


def run(engine: Path, source: Path, out: Path, **more: object) -> Found:
    out.mkdir(exist_ok=True)
    ask = Ask(**{"source": source, "resamples": 30, "permutations": 99, **more})  # type: ignore[arg-type]
    return validate(PackageFiles(engine), ask, out=out)


def test_a_moved_map_is_found_in_the_group_where_it_moved(engine: Path, tmp_path: Path) -> None:
    found = run(engine, validation_cases.write(tmp_path / "c", moved=True), tmp_path / "out")
    cells = {(c.by, c.value): c for c in found.validation.atlas if c.key == "bright"}
    half = cells["half", "h1"]
    assert half.distance == pytest.approx(0.237, abs=0.02), "what the block holds over the body, of everything"
    assert half.by_chance < 0.1
    assert half.q < 0.05
    assert half.images == half.reached == 30
    assert len(half.cases) > 0
    assert all(found.observed.strata[i]["half"] == "h1" for i in half.cases)
    still = run(engine, validation_cases.write(tmp_path / "d"), tmp_path / "out2")
    quiet = {(c.by, c.value): c for c in still.validation.atlas if c.key == "bright"}["half", "h1"]
    assert quiet.distance < 0.1
    maps = found.maps[0, 0]
    assert maps.sum() == pytest.approx(1.0, abs=1e-3), "mean maps keep their sum"


def test_the_reference_shows_the_same_shift_without_labels(engine: Path, tmp_path: Path) -> None:
    first = run(engine, validation_cases.write(tmp_path / "a"), tmp_path / "before")
    write(first, tmp_path / "before")
    table = validation_cases.write(tmp_path / "b", moved=True, start=100)
    rows = [line.rsplit(",", 1)[0] for line in table.read_text().splitlines()]
    table.write_text("\n".join(rows))
    found = run(engine, table, tmp_path / "after", reference=tmp_path / "before")
    shift = found.validation.shift
    assert shift is not None
    assert found.validation.findings == ()
    assert shift.cells[0].distance == pytest.approx(0.237 / 2, abs=0.02), "half of the images moved"
    assert shift.cells[0].q < 0.05
    write(found, tmp_path / "after")
    assert "Against the reference" in (tmp_path / "after" / "report.html").read_text()


def test_what_was_stopped_goes_on_to_the_same_result(
    engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD", 16)
    monkeypatch.setattr(gathering, "SHARD", 16)
    table = validation_cases.write(tmp_path / "c")
    for number in (3, 20):
        (tmp_path / "c" / f"i{number}.png").write_bytes(b"no picture")
    whole = dumps(run(engine, table, tmp_path / "whole").validation)
    assert json.loads(whole)["cohort"]["refused"] == {"not_dicom": 2}, "refused in what was read before and after"
    seen = 0

    def stop(folder: Path, shard: int, made: object) -> None:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise KeyboardInterrupt
        shards.write_shard(folder, shard, made)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(gathering, "write_shard", stop)
        with pytest.raises(KeyboardInterrupt):
            run(engine, table, tmp_path / "broken")
    kept = sorted((tmp_path / "broken").rglob("*.npz"))
    assert [p.name for p in kept] == ["000000.npz", "000001.npz"]
    times = [p.stat().st_mtime_ns for p in kept]
    assert dumps(run(engine, table, tmp_path / "broken").validation) == whole
    assert [p.stat().st_mtime_ns for p in kept] == times, "read once"


def test_refused_images_are_told_and_change_the_exit_code(engine: Path, tmp_path: Path) -> None:
    table = validation_cases.write(tmp_path / "c")
    for number in range(0, 18):
        (tmp_path / "c" / f"i{number}.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app,
        [
            "validate",
            str(table),
            "--engine",
            str(engine),
            "--out",
            str(out),
            "--resamples",
            "20",
            "--permutations",
            "20",
        ],
    )
    assert done.exit_code == 1, done.output
    said = json.loads((out / "validation.json").read_text())
    assert said["cohort"]["refused"] == {"not_dicom": 18}
    assert said["cohort"]["read"] == 42
    assert "18 of 60 images were refused" in said["cohort"]["remarks"][0]
    assert "18 of 60 images were refused" in (out / "report.html").read_text()


def test_copies_count_once_and_are_named(engine: Path, tmp_path: Path) -> None:
    table = validation_cases.write(tmp_path / "c")
    (tmp_path / "c" / "i4.png").write_bytes((tmp_path / "c" / "i0.png").read_bytes())
    cohort = run(engine, table, tmp_path / "out").validation.cohort
    assert (cohort.read, cohort.twice, cohort.twice_count) == (59, (("i0.png", "i4.png"),), 1)
    assert "1 images stand under two patients, so groups may be wrong: i0.png and i4.png" in cohort.remarks


@pytest.mark.parametrize("label", ["0", "1"])
def test_a_cohort_of_one_class_still_has_its_atlas(label: str, engine: Path, tmp_path: Path) -> None:
    found = run(engine, validation_cases.write(tmp_path / "c", images=24, more={"bright": label}), tmp_path / "out")
    assert found.validation.findings[0].saying.startswith("one class")
    write(found, tmp_path / "out")
    assert "one class" in (tmp_path / "out" / "report.html").read_text()
    assert all(f.here.value != f.here.value for g in found.validation.subgroups for f in g.figures[:1])


def test_json_keeps_its_schema_and_the_schema_is_current(engine: Path, tmp_path: Path) -> None:
    kept = resources.files("radiolucent.cohort.validation").joinpath("validation.schema.json").read_text("utf-8")
    assert json.loads(kept) == json_schema(), "write it anew: python -m radiolucent.cohort.validation.writing"
    found = run(engine, validation_cases.write(tmp_path / "c"), tmp_path / "out")
    jsonschema.validate(json.loads(dumps(found.validation)), json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(dumps(found.validation)) | {"cohort": 3}, json_schema())


def test_the_page_is_whole_and_every_chart_has_a_name_and_a_table(engine: Path, tmp_path: Path) -> None:
    found = run(engine, validation_cases.write(tmp_path / "c", moved=True), tmp_path / "out")
    write(found, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert not re.search(r"https?://|<script|\sstyle=", page)
    charts = re.findall(r'<svg class="(?:chart|map)"[^>]*>', page)
    assert charts
    assert all('role="img"' in chart and re.search('aria-label="[^"]+"', chart) for chart in charts)
    assert page.count("<table>") >= page.count('class="chart"')
    links = set(re.findall(r'href="cases\.html#(\w+)"', page))
    cases = (tmp_path / "out" / "cases.html").read_text()
    assert links
    assert all(f'id="{link}"' in cases for link in links)
    assert "i2.png" in cases


def test_subgroups_with_few_patients_are_not_judged(engine: Path, tmp_path: Path) -> None:
    table = validation_cases.write(tmp_path / "c")
    rows = [line.split(",") for line in table.read_text().splitlines()]
    found = run(engine, table, tmp_path / "out").validation
    by = {(g.by, g.value): g for g in found.subgroups if g.key == "bright"}
    assert by["age_band", "18 to 29"].figures[0].saying == "too few to say"
    assert by["half", "h0"].figures[0].saying == ""
    assert by["half", "h0"].positives == 15
    assert len(rows) == 61


def test_other_images_make_another_folder_and_truth_does_not(engine: Path, tmp_path: Path) -> None:
    table = validation_cases.write(tmp_path / "c")
    first = run(engine, table, tmp_path / "out").validation.observations
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *(line[:-1] + "1" for line in lines[1:])]))
    assert run(engine, table, tmp_path / "out").validation.observations == first
    validation_cases.write(tmp_path / "c", start=5)
    assert run(engine, table, tmp_path / "out").validation.observations != first


@pytest.mark.parametrize("option", [{"resamples": 0}, {"prevalence": 1.0}, {"permutations": 0}])
def test_options_out_of_range(engine: Path, tmp_path: Path, option: dict[str, float]) -> None:
    with pytest.raises(SettingsError) as caught:
        run(engine, validation_cases.write(tmp_path / "c", images=2), tmp_path / "out", **option)
    assert caught.value.code == "validate_option"


def test_a_reference_that_is_none(engine: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        run(engine, validation_cases.write(tmp_path / "c", images=2), tmp_path / "out", reference=tmp_path)
    assert caught.value.code == "reference"


def test_dicom_brings_its_own_patients_and_strata(engine: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dicom"
    folder.mkdir()
    for i in range(4):
        made = dicom_factory.cr(dicom_factory.lit(side=20 + i), PatientID=f"MRN{i // 2}", PatientAge=f"0{30 + 20 * i}Y")
        made.Manufacturer, made.KVP = f"Maker {i % 2}", "117"
        dicom_factory.save(made, folder / f"{i}.dcm")
    found = run(engine, folder, tmp_path / "out")
    assert len(set(found.observed.groups)) == 2
    assert not any("MRN" in group for group in found.observed.groups)
    assert found.validation.cohort.patients_known == 4
    assert [s["manufacturer"] for s in found.observed.strata] == ["Maker 0", "Maker 1"] * 2
    assert found.observed.strata[0] | {"age_band": "30 to 39", "kvp": "120", "view": "PA"} == found.observed.strata[0]
    assert "MRN" not in dumps(found.validation)


def test_files_that_say_nothing_of_patient_and_machine_are_measured_and_it_is_told(
    engine: Path, tmp_path: Path
) -> None:
    for i in range(6):
        made = dicom_factory.cr(dicom_factory.lit(side=20 + i))
        made.Manufacturer, made.KVP = "Maker", ""
        for keyword in ("PatientID", "PatientAge", "PatientBirthDate", "PatientSex", "StudyDate"):
            if keyword in made:
                del made[keyword]
        if i:
            del made.Manufacturer
        dicom_factory.save(made, tmp_path / "dicom" / f"{i}.dcm")
    found = run(engine, tmp_path / "dicom", tmp_path / "out")
    cohort = found.validation.cohort
    assert (cohort.read, cohort.patients, cohort.patients_known, cohort.without_truth) == (6, 6, 0, 6)
    assert {name: cohort.missing[name] for name in ("age_band", "sex", "kvp")} == {"age_band": 1, "sex": 1, "kvp": 1}
    assert cohort.missing["manufacturer"] == pytest.approx(5 / 6)
    assert "the patient of 6 images is not known: each counts as one, intervals may be too narrow" in cohort.remarks
    assert cohort.flags["age_not_stated"] == 6
    write(found, tmp_path / "out")
    assert "not stated" in (tmp_path / "out" / "report.html").read_text()


def test_a_planted_corner_mark_is_found_by_probe_and_atlas(engine: Path, tmp_path: Path) -> None:
    """Positives carry a bright letter in the corner in a copy of the cohort."""
    table = validation_cases.write(tmp_path / "clean", images=80)
    clean = run(engine, table, tmp_path / "before", stress=8)
    write(clean, tmp_path / "before")
    table = validation_cases.write(tmp_path / "marked", images=80, start=200)
    for number in range(200, 280, 2):
        path = tmp_path / "marked" / f"i{number}.png"
        with Image.open(path) as picture:
            pixels = np.array(picture)
        pixels[:8, :2] = pixels[6:8, :8] = 255
        Image.fromarray(pixels).save(path)
    marked = run(engine, table, tmp_path / "after", reference=tmp_path / "before", stress=8)
    before, after = clean.validation, marked.validation
    assert after.baselines[0].corners.value > 0.95
    assert before.baselines[0].corners.value < 0.8
    shift = after.shift
    assert shift is not None
    assert shift.cells[0].margin_gap > 0.02
    assert shift.cells[0].margin_q < 0.05
    assert before.atlas[0].on_markers.value == 0, "nothing of the sort is in the clean pictures"
    assert shift.cells[0].on_markers_gap > 0.01
    assert shift.cells[0].on_markers_q < 0.05
    assert shift.told_apart.value > 0.5
    changes = {name: {s.name: s.change.value for s in v.stress} for name, v in (("b", before), ("a", after))}
    assert changes["a"]["corners black"] > 3 * changes["b"]["corners black"]
    write(marked, tmp_path / "after")
    assert "gives it away" in (tmp_path / "after" / "report.html").read_text()


def test_small_changes_by_hand(engine: Path, tmp_path: Path) -> None:
    found = run(engine, validation_cases.write(tmp_path / "c"), tmp_path / "out", stress=30).validation
    changes = {s.name: s for s in found.stress}
    assert list(changes) == list(CHANGES)
    assert changes["moved by 2 %"].change.value < 0.02, "nothing leaves the picture, so the mean stays"
    assert changes["moved by 2 %"].flips.value == 0
    assert (changes["inverted"].auc_before, changes["inverted"].auc_after) == (1.0, 0.0), "bright is dark now"
    assert changes["inverted"].map_agreement.value < -0.99
    assert changes["noise of 2 %"].map_agreement.value > 0.8
    assert changes["JPEG quality 50"].images == 30


def test_an_attribute_that_can_be_read_and_a_score_that_follows_it(engine: Path, tmp_path: Path) -> None:
    table = validation_cases.write(tmp_path / "c", images=120)
    for number in range(120):
        if number // 2 % 2:
            path = tmp_path / "c" / f"i{number}.png"
            with Image.open(path) as picture:
                Image.fromarray((np.array(picture) * 0.8).astype(np.uint8)).save(path)
    found = run(engine, table, tmp_path / "out").validation
    leaks = {(row.by, row.value): row.readable for row in found.leaks}
    assert leaks["half", "h1"].value > 0.65
    follows = {(f.by, f.value, f.truth): f for f in found.follows if f.key == "bright"}
    assert follows["half", "h1", "absent"].auc.value < 0.1
    assert follows["half", "h1", "absent"].is_suspect


def test_a_cohort_of_refusals_alone_is_refused_with_their_codes(engine: Path, tmp_path: Path) -> None:
    table = validation_cases.write(tmp_path / "c", images=4)
    for path in (tmp_path / "c").glob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(SettingsError, match="4 not_dicom") as caught:
        run(engine, table, tmp_path / "out")
    assert caught.value.code == "cohort_empty"


def test_two_images_are_enough_to_say_that_nothing_can_be_said(engine: Path, tmp_path: Path) -> None:
    found = run(engine, validation_cases.write(tmp_path / "c", images=2), tmp_path / "out", stress=2)
    write(found, tmp_path / "out")
    assert found.validation.findings[0].saying == "too few to say: 1 patients of the rarer class"
    assert all(c.saying == "too few to say" for c in found.validation.atlas)
    jsonschema.validate(json.loads(dumps(found.validation)), json_schema())


def test_the_report_is_printed_without_what_leads_to_patients(engine: Path, tmp_path: Path) -> None:
    found = run(engine, validation_cases.write(tmp_path / "c", moved=True), tmp_path / "out", resamples=10)
    write(found, tmp_path / "out", with_pdf=True)
    content = (tmp_path / "out" / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    streams = re.findall(rb"FlateDecode\s*>>\s*stream\r?\n(.*?)\r?\nendstream", content, flags=re.DOTALL)
    inside = content + b"".join(zlib.decompressobj().decompress(each) for each in streams)
    assert len(re.findall(rb"/Type\s*/Page\b", inside)) >= 4, "a sheet for each section"
    assert b"cases.html" not in inside
    assert b"cases.html" in (tmp_path / "out" / "report.html").read_bytes()


def test_without_the_package_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plutoprint", None)
    with pytest.raises(SettingsError, match=r"pip install 'radiolucent\[pdf\]'"):
        CliRunner().invoke(app, ["validate", str(tmp_path), "--engine", "chest-film", "--pdf"], catch_exceptions=False)
