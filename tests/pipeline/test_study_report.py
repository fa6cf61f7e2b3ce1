"""From received films to a study's report: the real way, with an engine small enough to know every number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import tiny_engine
from dicom_factory import CR, MARKER_NAME, cr, lit
from installation_cases import QUIET_S, House, offered
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from report.dicom import dicom_sources as sources

from radiolucent.deliver.image_folder import write_dicom
from radiolucent.engines.registry import Registry
from radiolucent.phantoms import build_phantom
from radiolucent.pipeline.analyze import Analyzer
from radiolucent.pipeline.options import Options, Summary
from radiolucent.pipeline.study_context import study_context
from radiolucent.pipeline.study_report import Source, build_report, not_processed, object_rows, report_id
from radiolucent.records.result import Reason
from radiolucent.records.study import Order, StudyReport
from radiolucent.report.dicom import build_objects
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID
from radiolucent.store import work
from radiolucent.store.kept import ObjectRow
from radiolucent.store.work import Job, SourceRow

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STUDY, SERIES = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"


@dataclass(frozen=True)
class Read:
    """A study that came in and was read."""

    job: Job
    folder: Path
    source: Source
    rows: list[ObjectRow]
    report: StudyReport


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def analyzer(tmp_path: Path) -> Analyzer:
    tiny_engine.write(tmp_path / "engines")
    tiny_engine.write(tmp_path / "engines", engine_id="tiny-ct", modalities=("CT",), views=(), zones="head")
    return Analyzer(Registry([tmp_path / "engines"]), clock=lambda: NOW)


def film(pixels: np.ndarray, **changes: object) -> Dataset:
    return cr(pixels, **({"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES} | changes))


def read(house: House, analyzer: Analyzer, *films: Dataset, order: Order | None = None) -> Read:
    """What the steps do: take in, read into the study's folder, put together."""
    for one in films:
        house.intake(most_bytes=2**26).keep(offered(one))
    house.clock.forward(QUIET_S)
    with house.journal.entry() as entry:
        (job,) = work.claim_due(entry.connection, now=entry.at)
    with house.journal.reading() as connection:
        study, sources = work.study(connection, job.study_key), work.sources(connection, job.study_key)
    folder = house.root / "results" / job.study_key / f"{job.revision:04d}"
    options = Options(out=folder)
    list(analyzer.run([house.blobs.path(row.path) for row in sources], options, Summary()))
    source = Source(images=sources, context=study_context(study, order), revision=job.revision, replaces=None)
    rows = object_rows(folder, house.root, implementation_class_uid=IMPLEMENTATION_CLASS_UID)
    return Read(job, folder, source, rows, build_report(folder, source, objects=rows, now=NOW))


def uids(rows: list[SourceRow]) -> list[str]:
    return [row.sop_instance_uid for row in rows]


def test_a_film_becomes_a_report_with_its_explanation(house: House, analyzer: Analyzer) -> None:
    one = film(lit(at=(150, 110)), StudyDescription="Thorax")
    found = read(house, analyzer, one)
    report = found.report
    assert (report.status, report.state, report.revision, report.modality) == ("positive", "preliminary", 1, "CR")
    assert (report.context.patient.name, report.context.accession_number) == (MARKER_NAME, "ACC1")
    assert report.context.started == datetime(2024, 1, 2, 10, 10, 10, tzinfo=UTC)
    assert report.context.description == "Thorax"
    assert [e.id for e in report.engines] == ["tiny"]
    bright, dark = report.findings
    assert (bright.key, bright.positive, bright.critical) == ("bright", True, True)
    assert (bright.zone, dark.positive) == ("left lower zone", False)
    (ref,) = report.images
    assert (ref.sop_class_uid, ref.sop_instance_uid, ref.series_instance_uid) == (CR, one.SOPInstanceUID, SERIES)
    assert bright.images == (ref,)
    assert report.refusals == ()
    captures = [o.instance for o in report.objects if o.kind == "secondary_capture"]
    assert bright.explanation in captures
    assert dark.explanation is None
    assert "bright" in report.impression.lower()


def test_every_object_has_its_row_and_is_of_the_study(house: House, analyzer: Analyzer) -> None:
    one = film(lit())
    found = read(house, analyzer, one)
    assert sorted(row.kind for row in found.rows) == [
        *("parametric_map", "presentation_state", "secondary_capture", "segmentation", "structured_report"),
    ]
    for row in found.rows:
        kept = dcmread(house.root / row.path)
        assert (kept.SOPInstanceUID, kept.StudyInstanceUID, kept.PatientName) == (
            row.sop_instance_uid,
            STUDY,
            MARKER_NAME,
        )
        assert (row.source_uid, row.size_bytes) == (one.SOPInstanceUID, (house.root / row.path).stat().st_size)
        assert kept.file_meta.TransferSyntaxUID == row.transfer_syntax_uid
    assert {o.instance.sop_instance_uid for o in found.report.objects} == {r.sop_instance_uid for r in found.rows}


def test_pictures_come_first_and_the_most_critical_before_the_others(tmp_path: Path) -> None:
    source = sources.cr()
    built = build_objects(source, sources.processed(source), sources.overlays(), now=sources.NOW)
    for each in built.objects:
        write_dicom(tmp_path / "0001" / source.SOPInstanceUID, f"{each.kind}-{each.key}", each.encoded)
    rows = object_rows(tmp_path / "0001", tmp_path, implementation_class_uid=IMPLEMENTATION_CLASS_UID)
    captures = built.of_kind("sc")
    assert [each.key for each in captures] == ["pneumothorax", "cardiomegaly"]
    assert uids(rows)[:2] == [each.dataset.SOPInstanceUID for each in captures]
    assert [row.kind for row in rows][-2:] == ["presentation_state", "structured_report"]


def test_reading_again_gives_the_same_report_and_objects(house: House, analyzer: Analyzer, tmp_path: Path) -> None:
    one = film(lit())
    first = read(house, analyzer, one)
    other = House(tmp_path / "other")
    second = read(other, analyzer, one)
    other.close()
    assert second.report == first.report
    assert [r.sop_instance_uid for r in second.rows] == [r.sop_instance_uid for r in first.rows]


def test_a_phantom_is_read_like_a_film(house: House, analyzer: Analyzer) -> None:
    phantom = build_phantom("chest", seed=3)
    for one in phantom.datasets:
        found = read(house, analyzer, one)
    report = found.report
    assert report.status in ("positive", "nothing_found")
    assert [i.sop_instance_uid for i in report.images] == [phantom.datasets[0].SOPInstanceUID]
    assert {f.key for f in report.findings} == {"bright", "dark"}
    assert any(o.kind == "structured_report" for o in report.objects)


def test_a_refused_image_is_named_with_its_reason_beside_the_rest(house: House, analyzer: Analyzer) -> None:
    frontal, lateral = film(lit()), film(lit(), ViewPosition="LATERAL", InstanceNumber=2)
    report = read(house, analyzer, frontal, lateral).report
    assert report.status == "positive"
    assert [reason.code for reason in report.refusals] == ["wrong_view"]
    assert {i.sop_instance_uid for i in report.images} == {frontal.SOPInstanceUID, lateral.SOPInstanceUID}
    assert report.findings[0].images[0].sop_instance_uid == frontal.SOPInstanceUID


def test_a_study_of_refused_images_says_so_and_makes_no_finding(house: House, analyzer: Analyzer) -> None:
    found = read(house, analyzer, film(lit(), Modality="US"), film(lit(), BodyPartExamined="KNEE"))
    report = found.report
    assert (report.status, report.findings, report.engines) == ("refused", (), ())
    assert [reason.code for reason in report.refusals] == ["no_engine"]
    assert found.rows == []


def test_nothing_found_is_another_thing(house: House, analyzer: Analyzer) -> None:
    report = read(house, analyzer, film(np.full((64, 64), 100, np.uint16))).report
    assert (report.status, report.positives, report.refusals) == ("nothing_found", (), ())
    assert len(report.findings) == 2


def test_not_processed_is_yet_another(house: House, analyzer: Analyzer) -> None:
    found = read(house, analyzer, film(lit()))
    report = not_processed(Reason(code="engine_hash", text="Found another graph."), found.source, now=NOW)
    assert (report.status, report.findings, report.objects) == ("not_processed", (), ())
    assert [reason.code for reason in report.refusals] == ["engine_hash"]
    assert report.impression == "Not processed. Found another graph."
    assert [i.sop_instance_uid for i in report.images] == uids(list(found.source.images))
    assert report.report_id != found.report.report_id


def test_the_frame_that_speaks_is_named_with_its_own_picture(house: House, analyzer: Analyzer) -> None:
    frames = np.stack([np.full((80, 80), 100, np.uint16), lit(80, 80, at=(10, 10)), lit(80, 80, at=(30, 30), side=49)])
    one = film(frames[0], NumberOfFrames=3, PixelData=frames.astype("<u2").tobytes())
    found = read(house, analyzer, one)
    bright = found.report.findings[0]
    assert (bright.positive, [i.frame_number for i in bright.images]) == (True, [3])
    assert bright.explanation is not None
    (path,) = [r.path for r in found.rows if r.sop_instance_uid == bright.explanation.sop_instance_uid]
    assert "/frame-0003/dicom/sc-" in path
    assert {row.source_uid for row in found.rows} == {one.SOPInstanceUID}


def test_a_stack_speaks_as_one(house: House, analyzer: Analyzer) -> None:
    series = generate_uid()
    slices = []
    for number, value in enumerate((100, 4000, 3000), start=1):
        ds = film(
            np.full((64, 64), value, np.uint16),
            **{"Modality": "CT", "SeriesInstanceUID": series, "InstanceNumber": number, "ViewPosition": None},
        )
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 5.0 * number], [1, 0, 0, 0, 1, 0]
        slices.append(ds)
    report = read(house, analyzer, *slices).report
    bright = report.findings[0]
    assert (bright.key, bright.engine.id, bright.positive) == ("bright", "tiny-ct", True)
    assert [i.sop_instance_uid for i in bright.images] == [slices[1].SOPInstanceUID, slices[2].SOPInstanceUID]
    assert report.modality == "CT"


def test_a_later_revision_corrects_the_one_before(house: House, analyzer: Analyzer) -> None:
    found = read(house, analyzer, film(lit()))
    source = replace(found.source, revision=2, replaces=found.report.report_id)
    later = build_report(found.folder, source, objects=found.rows, now=NOW)
    assert (later.state, later.revision, later.replaces) == ("corrected", 2, found.report.report_id)
    assert later.report_id != found.report.report_id


def test_the_order_of_the_study_is_in_its_context(house: House, analyzer: Analyzer) -> None:
    order = Order(accession_number="ACC1", priority="stat", reason="fall")
    assert read(house, analyzer, film(lit()), order=order).report.context.order == order


def test_a_report_comes_out_of_the_store_as_it_went_in(house: House, analyzer: Analyzer) -> None:
    found = read(house, analyzer, film(lit()))
    with house.journal.entry() as entry:
        assert work.claim(entry.connection, found.job, by="w")
        assert work.record(entry.connection, found.job, found.report, found.rows, [], now=entry.at)
        assert work.report(entry.connection, found.job.study_key) == found.report


def test_a_report_has_one_identity_whoever_builds_it() -> None:
    made = report_id(STUDY, 1, (), "preliminary")
    assert made == report_id(STUDY, 1, (), "preliminary")
    assert len(made) == 32
    others = {
        report_id(STUDY, 2, (), "preliminary"),
        report_id(STUDY, 1, (), "retracted"),
        report_id("1.2", 1, (), "preliminary"),
    }
    assert len(others | {made}) == 4
