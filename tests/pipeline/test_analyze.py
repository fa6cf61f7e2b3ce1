"""The main job on real files, with an engine small enough to know every number."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import numpy as np
import pydicom
import pytest
import tiny_engine
from dicom_factory import MARKER_NAME, cr, lit, save
from PIL import Image

from radiolucent.engines.registry import Registry
from radiolucent.errors import SettingsError
from radiolucent.pipeline import finishing
from radiolucent.pipeline.analyze import Analyzer
from radiolucent.pipeline.options import Options, Outcome, Summary
from radiolucent.report.result_json import schema

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def analyzer(tmp_path: Path) -> Analyzer:
    tiny_engine.write(tmp_path / "engines")
    tiny_engine.write(tmp_path / "engines", engine_id="tiny-ct", modalities=("CT",), views=(), zones="head")
    return Analyzer(Registry([tmp_path / "engines"]), clock=lambda: NOW)


def run(analyzer: Analyzer, *paths: Path, out: Path, **options: object) -> tuple[list[Outcome], Summary]:
    summary = Summary()
    chosen = Options(out=out, **options)  # type: ignore[arg-type]
    return list(analyzer.run(paths, chosen, summary)), summary


def result_of(out: Path, outcome: Outcome) -> dict:
    loaded = json.loads((out / outcome.folder / "result.json").read_text())
    jsonschema.validate(loaded, schema("result"))
    return loaded


def test_a_film_is_read_explained_and_written(analyzer: Analyzer, tmp_path: Path) -> None:
    source = cr(lit(at=(150, 110)))
    file = save(source, tmp_path / "in" / "film.dcm")
    out = tmp_path / "out"
    outcomes, summary = run(analyzer, file.parent, out=out)
    assert (summary.processed, summary.refused) == (1, 0)
    result = result_of(out, outcomes[0])
    assert outcomes[0].folder == source.SOPInstanceUID
    assert result["primary"] == "bright"
    bright = result["findings"][0]
    explanation = bright["explanation"]
    row, column = explanation["peak_row_col"]
    assert 150 <= row < 190
    assert 110 <= column < 150
    assert explanation["zone"] == "left lower zone"
    assert explanation["completeness_error"] < 1e-4
    evidence = np.load(out / outcomes[0].folder / explanation["map"])
    assert evidence.shape == (200, 160)
    assert evidence.dtype == np.float32
    assert evidence[row, column] == pytest.approx(evidence.max())
    assert evidence[0:100, 0:80].max() < 0.3 * evidence.max()
    with Image.open(out / outcomes[0].folder / explanation["overlay"]) as overlay:
        assert overlay.mode == "RGB"
    kinds = {Path(o).stem.split("-")[0] for o in result["objects"]}
    assert kinds == {"sr", "sc", "pm", "seg", "gsps"}
    for name in result["objects"]:
        written = pydicom.dcmread(out / outcomes[0].folder / name)
        assert written.PatientName == MARKER_NAME
        assert written.StudyInstanceUID == source.StudyInstanceUID
    assert (out / "index.html").read_text().count("report.html") == 1
    assert not list(out.glob(".partial*"))


def test_patient_values_stay_out_of_everything_but_dicom(analyzer: Analyzer, tmp_path: Path) -> None:
    save(cr(lit()), tmp_path / "in" / "a.dcm")
    save(cr(lit(), ViewPosition="LL"), tmp_path / "in" / "b.dcm")
    out = tmp_path / "out"
    run(analyzer, tmp_path / "in", out=out)
    texts = [p for p in out.rglob("*") if p.suffix in {".json", ".html"}]
    assert len(texts) == 5
    for path in texts:
        text = path.read_text()
        assert "Marker" not in text
        assert "MARKER-ID" not in text
        assert "19600102" not in text


def test_same_input_same_uids_and_a_rerun_replaces(analyzer: Analyzer, tmp_path: Path) -> None:
    file = save(cr(lit()), tmp_path / "a.dcm")
    out = tmp_path / "out"

    def uids() -> list[str]:
        return sorted(str(pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID) for p in out.rglob("*.dcm"))

    run(analyzer, file, out=out)
    first = uids()
    run(analyzer, file, out=out)
    assert uids() == first
    assert len(first) == 5
    assert not list(out.glob(".old*"))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ViewPosition": "LATERAL"}, "wrong_view"),
        ({"PatientAge": "004Y"}, "outside_population"),
        ({"BodyPartExamined": "KNEE"}, "no_engine"),
        ({"Modality": "US"}, "no_engine"),
        ({"Rows": 0}, "bad_dimensions"),
        ({"Rows": 201}, "pixel_data_mismatch"),
        ({"PixelData": None}, "no_pixel_data"),
    ],
)
def test_refusals_are_results(analyzer: Analyzer, tmp_path: Path, changes: dict, code: str) -> None:
    file = save(cr(lit(), **changes), tmp_path / "a.dcm")
    outcomes, summary = run(analyzer, file, out=tmp_path / "out")
    result = result_of(tmp_path / "out", outcomes[0])
    assert result["status"] == "refused"
    assert result["reason"]["code"] == code
    assert "expected" in result["reason"]["text"]
    assert summary.reasons == {code: 1}
    assert (tmp_path / "out" / outcomes[0].folder / "report.html").is_file()


def test_guards_may_flag_instead(analyzer: Analyzer, tmp_path: Path) -> None:
    file = save(cr(lit(), PatientAge="004Y"), tmp_path / "a.dcm")
    outcomes, _ = run(analyzer, file, out=tmp_path / "out", guards="flag")
    finding = result_of(tmp_path / "out", outcomes[0])["findings"][0]
    assert "outside_population" in finding["flags"]
    assert finding["confidence"] != "high"


def test_age_told_on_the_command_line_wins(analyzer: Analyzer, tmp_path: Path) -> None:
    file = save(cr(lit(), PatientAge="004Y"), tmp_path / "a.dcm")
    outcomes, _ = run(analyzer, file, out=tmp_path / "out", age_years=50.0, sex="M")
    image = result_of(tmp_path / "out", outcomes[0])["image"]
    assert (image["age_years"], image["sex"]) == (50.0, "M")


def test_one_bad_file_never_stops_the_rest(analyzer: Analyzer, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    good = [save(cr(lit()), folder / f"{n}.dcm") for n in range(7)]
    (folder / "3b.dcm").write_bytes(good[0].read_bytes()[:700])
    (folder / "4b.dcm").write_text("<html>not an image</html>")
    (folder / "5b.dcm").write_bytes(b"")
    (folder / "notes.txt").write_text("not an image")
    outcomes, summary = run(analyzer, folder, out=tmp_path / "out")
    assert (summary.processed, summary.refused, summary.skipped) == (7, 3, 1)
    assert [o.label.split("/")[-1] for o in outcomes] == sorted(p.name for p in folder.glob("*.dcm"))


def test_a_hostile_uid_writes_nothing_outside(analyzer: Analyzer, tmp_path: Path) -> None:
    file = save(cr(lit(), SOPInstanceUID="1.2.3.4.5.678"), tmp_path / "in" / "a.dcm")
    file.write_bytes(file.read_bytes().replace(b"1.2.3.4.5.678", b"../../../evil"))
    out = tmp_path / "deep" / "er" / "out"
    before = {p for p in tmp_path.rglob("*") if out not in p.parents}
    outcomes, _ = run(analyzer, tmp_path / "in", out=out)
    assert outcomes[0].reason_code == "invalid_uid"
    after = {p for p in tmp_path.rglob("*") if out not in p.parents}
    assert {p.name for p in after - before} <= {"deep", "er", "out"}


def test_the_same_uid_with_other_content_is_refused_and_kept_apart(analyzer: Analyzer, tmp_path: Path) -> None:
    first = cr(lit())
    save(first, tmp_path / "in" / "a.dcm")
    save(first, tmp_path / "in" / "b.dcm")
    save(cr(lit(at=(10, 10)), SOPInstanceUID=first.SOPInstanceUID), tmp_path / "in" / "c.dcm")
    outcomes, summary = run(analyzer, tmp_path / "in", out=tmp_path / "out")
    assert [o.status for o in outcomes] == ["processed", "repeated", "refused"]
    assert outcomes[2].reason_code == "duplicate_uid"
    assert outcomes[2].folder != outcomes[0].folder
    assert result_of(tmp_path / "out", outcomes[0])["status"] == "processed"
    assert summary.repeated == 1


def test_pictures_need_an_engine_and_get_no_dicom(analyzer: Analyzer, tmp_path: Path) -> None:
    Image.fromarray((lit() >> 4).astype(np.uint8)).save(tmp_path / "x.png")
    outcomes, _ = run(analyzer, tmp_path / "x.png", out=tmp_path / "a")
    assert outcomes[0].reason_code == "engine_needed"
    outcomes, _ = run(analyzer, tmp_path / "x.png", out=tmp_path / "b", engine="tiny", age_years=44.0)
    result = result_of(tmp_path / "b", outcomes[0])
    assert (outcomes[0].folder, result["objects"], result["image"]["rows"]) == ("x", [], 200)
    assert result["findings"][0]["explanation"]["zone"] == "right lower zone"


def test_all_maps_or_none(analyzer: Analyzer, tmp_path: Path) -> None:
    file = save(cr(lit()), tmp_path / "a.dcm")
    for maps, count in (("all", 2), ("positive", 1), ("none", 0)):
        out = tmp_path / maps
        outcomes, _ = run(analyzer, file, out=out, maps=maps)
        result = result_of(out, outcomes[0])
        assert len(list((out / outcomes[0].folder).glob("evidence/*.npy"))) == count
        assert sum(f["explanation"] is not None for f in result["findings"]) == count
        assert any("sr" in o for o in result["objects"])


def test_nothing_found_is_processed_and_has_a_report(analyzer: Analyzer, tmp_path: Path) -> None:
    file = save(cr(np.full((64, 64), 100, dtype=np.uint16)), tmp_path / "a.dcm")
    outcomes, _ = run(analyzer, file, out=tmp_path / "out")
    result = result_of(tmp_path / "out", outcomes[0])
    assert [f["key"] for f in result["findings"] if f["positive"]] == []
    assert result["primary"] is None
    assert "dicom/sr.dcm" in result["objects"]


def test_a_notify_only_finding_is_located_nowhere(tmp_path: Path) -> None:
    tiny_engine.write(tmp_path / "engines", display_class="notify-only")
    analyzer = Analyzer(Registry([tmp_path / "engines"]), clock=lambda: NOW)
    file = save(cr(lit()), tmp_path / "a.dcm")
    outcomes, _ = run(analyzer, file, out=tmp_path / "out", maps="all")
    folder = tmp_path / "out" / outcomes[0].folder
    result = result_of(tmp_path / "out", outcomes[0])
    assert result["findings"][0]["positive"]
    assert result["findings"][0]["explanation"] is None
    assert not list(folder.rglob("*bright*"))
    assert {Path(o).stem for o in result["objects"]} == {"sr"}
    report = pydicom.dcmread(folder / "dicom" / "sr.dcm")
    assert "SCOORD" not in str(report)


def test_a_multiframe_image_has_a_result_per_frame_and_one_for_all(analyzer: Analyzer, tmp_path: Path) -> None:
    frames = np.stack([np.full((80, 80), 100, np.uint16), lit(80, 80, at=(10, 10)), lit(80, 80, at=(30, 30), side=49)])
    source = cr(frames[0], NumberOfFrames=3, PixelData=frames.astype("<u2").tobytes())
    file = save(source, tmp_path / "a.dcm")
    outcomes, summary = run(analyzer, file, out=tmp_path / "out")
    assert [Path(o.folder).name for o in outcomes] == ["frame-0001", "frame-0002", "frame-0003"]
    whole = json.loads((tmp_path / "out" / source.SOPInstanceUID / "result.json").read_text())
    jsonschema.validate(whole, schema("result"))
    assert (whole["image"]["frame"], whole["image"]["frames"], whole["primary"]) == (3, 3, "bright")
    for name in whole["objects"]:
        assert (tmp_path / "out" / source.SOPInstanceUID / name).is_file()
    assert summary.series == 1


def test_a_stack_has_its_own_result(analyzer: Analyzer, tmp_path: Path) -> None:
    series = "1.2.826.0.1.3680043.8.498.77"
    for number, value in enumerate((100, 4000, 3000), start=1):
        pixels = np.full((64, 64), value, np.uint16)
        ds = cr(pixels, Modality="CT", SeriesInstanceUID=series, InstanceNumber=number, ViewPosition=None)
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 5.0 * number], [1, 0, 0, 0, 1, 0]
        save(ds, tmp_path / "in" / f"{number}.dcm")
    _, summary = run(analyzer, tmp_path / "in", out=tmp_path / "out")
    stack = json.loads((tmp_path / "out" / series / "series.json").read_text())
    jsonschema.validate(stack, schema("series"))
    assert summary.series == 1
    assert stack["primary"] == "bright"
    bright = stack["findings"][0]
    assert bright["positive_slices"] == 2
    assert [s["instance_number"] for s in bright["key_slices"]] == [2, 3]


def test_a_full_disk_stops_with_a_clear_word_and_nothing_half_written(
    analyzer: Analyzer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = save(cr(lit()), tmp_path / "a.dcm")

    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(finishing, "write_evidence", full)
    with pytest.raises(SettingsError, match="disk_full"):
        run(analyzer, file, out=tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir() if p.is_dir()] == []


def test_an_output_that_is_a_file_is_a_configuration_error(analyzer: Analyzer, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(SettingsError, match="output_folder"):
        run(analyzer, tmp_path, out=tmp_path / "out")


def test_an_unknown_engine_is_a_configuration_error(analyzer: Analyzer, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unknown_engine"):
        run(analyzer, tmp_path, out=tmp_path / "out", engine="nonesuch")


def test_a_defect_of_ours_is_told_without_a_traceback(
    analyzer: Analyzer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError(MARKER_NAME)

    monkeypatch.setattr(finishing, "explain", broken)
    file = save(cr(lit()), tmp_path / "a.dcm")
    outcomes, _ = run(analyzer, file, out=tmp_path / "out")
    assert outcomes[0].reason_code == "internal_error"
    assert "ZeroDivisionError" in (outcomes[0].reason_text or "")
    assert "Marker" not in (outcomes[0].reason_text or "")
