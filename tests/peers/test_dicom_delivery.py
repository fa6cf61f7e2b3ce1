"""Our objects on their way to programs of others and priors on their way back: Orthanc and DCMTK.

Needs the Debian packages ``dcmtk orthanc orthanc-dicomweb``; run by ``make test-peers``.
"""

import contextlib
import io
import queue
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import delivery_peers as peers
import pydicom
import pytest
from peers import dicom_peers
from pynetdicom import AE, evt
from report.dicom import dicom_sources as sources
from report.dicom.test_rejection import KINDS, report

from radiolucent.deliver import cstore, dicom, stow
from radiolucent.deliver.association import opened
from radiolucent.deliver.commitment import accept_reports, report_handler, request_commitment
from radiolucent.errors import PeerRefused, PeerUnavailable
from radiolucent.ingest.pull import Current, Pace, PriorQuery, PullLimits, pull_priors
from radiolucent.ingest.pull_dimse import DimseArchive
from radiolucent.ingest.pull_web import WebArchive
from radiolucent.records.destination import DicomDestination
from radiolucent.records.study import InstanceRef
from radiolucent.report.dicom import DicomOptions, build_objects
from radiolucent.report.dicom.rejection import build_rejection

pytestmark = pytest.mark.peers
LIMITS = PullLimits()


@dataclass(frozen=True)
class Thing:
    kind: str
    sop_instance_uid: str
    path: Path


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    with dicom_peers.orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return peers.certificates(tmp_path_factory.mktemp("certificates"))


def things(folder, *, name="cr", last="1"):
    """Every kind of object of one source, as files."""
    source = sources.SOURCES[name]()
    source.SOPInstanceUID = f"{source.SOPInstanceUID}.{last}"
    options = DicomOptions(fractional_segmentation=True)
    built = build_objects(source, sources.processed(source), sources.overlays(), now=sources.NOW, options=options)
    made = []
    for number, each in enumerate(built.objects):
        path = folder / f"{number}.dcm"
        each.dataset.save_as(path, enforce_file_format=True)
        made.append(Thing(KINDS[each.kind], str(each.dataset.SOPInstanceUID), path))
    assert {each.kind for each in made} == set(KINDS.values())
    return made


def same_pixels_and_header(ours, theirs):
    assert pydicom.dcmread(io.BytesIO(theirs)).to_json() == pydicom.dcmread(ours).to_json()


@pytest.mark.parametrize("way", ["dimse", "stow"])
def test_orthanc_keeps_every_object_as_it_was_sent(way, orthanc, tmp_path):
    made = things(tmp_path, last=f"9{len(way)}")
    peer = orthanc.peer() if way == "dimse" else orthanc.web
    sent = dicom.send(made, DicomDestination(name="orthanc", peer=peer))
    assert sent.error is None
    assert set(sent.stored) == {each.sop_instance_uid for each in made}
    for each in made:
        same_pixels_and_header(each.path, orthanc.file(each.sop_instance_uid))


@pytest.mark.parametrize("way", ["dimse", "stow"])
def test_sending_again_stores_nothing_twice(way, orthanc, tmp_path):
    made = [each.path for each in things(tmp_path, last=f"8{len(way)}")]
    send = (lambda: cstore.store(made, orthanc.peer())) if way == "dimse" else (lambda: stow.store(made, orthanc.web))
    first, second = send(), send()
    assert first.is_complete
    assert second.is_complete
    assert second.stored == first.stored


def test_an_old_pacs_gets_pictures_alone(orthanc, tmp_path):
    made = things(tmp_path, last="71")
    sent = dicom.send(made, DicomDestination(name="old", peer=orthanc.peer(), profile="old-pacs"))
    captures = [each.sop_instance_uid for each in made if each.kind == "secondary_capture"]
    assert captures
    assert list(sent.stored) == captures
    for each in made:
        assert orthanc.has(each.sop_instance_uid) is (each.kind == "secondary_capture")


def test_orthanc_refuses_a_wrong_called_title(orthanc, tmp_path):
    sent = cstore.store([each.path for each in things(tmp_path)], orthanc.peer(called_ae_title="ELSEWHERE"))
    assert isinstance(sent.error, PeerRefused)
    assert sent.error.code == "association_refused"
    assert "called application entity title" in sent.error.found


def test_orthanc_refuses_what_is_no_dicom_web_address(orthanc, tmp_path):
    peer = dicom_peers.WebPeer(url=f"{orthanc.http}/no-such-root")
    sent = stow.store([each.path for each in things(tmp_path)], peer)
    assert isinstance(sent.error, PeerRefused)
    assert sent.error.code == "dicomweb_refused"


def test_orthanc_over_tls_with_certificates_on_both_sides(certificates, tmp_path):
    (tmp_path / "store").mkdir()
    made = things(tmp_path)
    with dicom_peers.orthanc(tmp_path / "store", tls=certificates) as server:
        sent = cstore.store([each.path for each in made], server.peer(tls=certificates.caller()))
        without = cstore.store([made[0].path], server.peer(tls=certificates.caller(shows_certificate=False)))
        plain = cstore.store([made[0].path], server.peer(acse_timeout_s=5.0))
        assert sent.is_complete
        assert all(server.has(each.sop_instance_uid) for each in made)
    assert isinstance(without.error, PeerUnavailable)
    assert isinstance(plain.error, PeerUnavailable)


@contextlib.contextmanager
def receiving(tmp_path, *options, **more):
    folder = tmp_path / "received"
    folder.mkdir()
    with dicom_peers.storescp(folder, *options, **more) as peer:
        yield peer, folder


def test_storescp_writes_what_we_sent(tmp_path):
    made = things(tmp_path)
    with receiving(tmp_path, "--promiscuous") as (peer, folder):
        sent = cstore.store([each.path for each in made], peer)
    assert sent.is_complete
    found = {pydicom.dcmread(path).SOPInstanceUID: path for path in folder.iterdir()}
    assert found.keys() == {each.sop_instance_uid for each in made}
    for each in made:
        same_pixels_and_header(each.path, found[each.sop_instance_uid].read_bytes())


def test_storescp_over_tls_with_certificates_on_both_sides(certificates, tmp_path):
    made = things(tmp_path)
    with receiving(tmp_path, "--promiscuous", tls=certificates) as (peer, folder):
        secured = dicom_peers.DimsePeer(
            host=peer.host, port=peer.port, called_ae_title="STORESCP", tls=certificates.caller()
        )
        sent = cstore.store([each.path for each in made], secured)
    assert sent.is_complete
    assert len(list(folder.iterdir())) == len(made)


def test_storescp_that_takes_the_default_syntax_alone(tmp_path):
    made = things(tmp_path)
    with receiving(tmp_path, "--promiscuous", "--implicit") as (peer, folder):
        sent = cstore.store([each.path for each in made], peer)
    assert sent.is_complete
    found = {pydicom.dcmread(path).SOPInstanceUID: pydicom.dcmread(path) for path in folder.iterdir()}
    for each in made:
        theirs, ours = found[each.sop_instance_uid], pydicom.dcmread(each.path)
        assert theirs.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
        for keyword in ("PixelData", "FloatPixelData"):
            if keyword in ours:
                assert theirs.pop(keyword).value == ours.pop(keyword).value
        assert theirs.to_json() == ours.to_json()


@pytest.mark.parametrize(
    ("option", "kind", "code"),
    [
        ("--refuse", PeerRefused, "association_refused"),
        ("--abort-after", PeerUnavailable, "peer_no_answer"),
        ("--abort-during", PeerUnavailable, "peer_no_answer"),
    ],
)
def test_storescp_that_misbehaves(option, kind, code, tmp_path):
    made = things(tmp_path)
    with receiving(tmp_path, "--promiscuous", option) as (peer, _):
        sent = cstore.store([each.path for each in made], peer)
    assert sent.stored == ()
    assert isinstance(sent.error, kind)
    assert sent.error.code == code


def test_orthanc_commits_itself_through_our_door(orthanc, tmp_path):
    made = things(tmp_path, last="61")
    sent = cstore.store([each.path for each in made], orthanc.peer())
    refs = []
    for each in made:
        header = pydicom.dcmread(each.path, stop_before_pixels=True)
        refs.append(
            InstanceRef(
                sop_class_uid=header.SOPClassUID,
                sop_instance_uid=header.SOPInstanceUID,
                series_instance_uid=header.SeriesInstanceUID,
            )
        )
    unknown = InstanceRef(sop_class_uid=peers.SC, sop_instance_uid=f"{peers.ROOT}.99", series_instance_uid="1.2")
    told = queue.Queue()
    ours = AE(ae_title="COMMITTED")
    accept_reports(ours)
    handlers = [(evt.EVT_N_EVENT_REPORT, report_handler(told.put))]
    server = ours.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        orthanc.knows("COMMITTED", server.server_address[1])
        peer = orthanc.peer(calling_ae_title="COMMITTED")
        at_once = request_commitment([*refs, unknown], peer, transaction_uid=f"{peers.ROOT}.6.1")
        found = told.get(timeout=60)
    finally:
        server.shutdown()
    assert at_once is None
    assert found.transaction_uid == f"{peers.ROOT}.6.1"
    assert set(found.committed) == set(sent.stored)
    assert [each.sop_instance_uid for each in found.failed] == [unknown.sop_instance_uid]


def test_a_rejection_note_is_kept_by_orthanc_and_valid(orthanc, tmp_path):
    note = build_rejection(report(), reason="patient_safety", now=sources.NOW)
    note.save_as(tmp_path / "note.dcm", enforce_file_format=True)
    thing = Thing("rejection", str(note.SOPInstanceUID), tmp_path / "note.dcm")
    for peer in (orthanc.peer(), orthanc.web):
        sent = dicom.send([thing], DicomDestination(name="old", peer=peer, profile="old-pacs"))
        assert sent.stored == (note.SOPInstanceUID,)
    (tmp_path / "kept.dcm").write_bytes(orthanc.file(note.SOPInstanceUID))
    said = subprocess.run(
        [Path(sys.executable).with_name("dciodvfy"), tmp_path / "kept.dcm"], capture_output=True, check=False
    )
    lines = (said.stdout + said.stderr).decode("latin-1").splitlines()
    assert "KeyObjectSelectionDocument" in lines
    assert [line for line in lines if line.startswith("Error")] == []
    page = subprocess.run(["dsr2html", "-q", tmp_path / "kept.dcm"], capture_output=True, check=True).stdout
    assert b"Rejected for Patient Safety Reasons" in page


PATIENT = "PRIOR-PATIENT-1"


def prior(number, started, *, modality="CR", body_part="CHEST", patient=PATIENT):
    dataset = sources.cr()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{peers.ROOT}.20.{number}", f"{peers.ROOT}.21.{number}"
    dataset.StudyDate, dataset.PatientID = started, patient
    dataset.Modality, dataset.BodyPartExamined = modality, body_part
    dataset.AccessionNumber = f"A{number}"
    return dataset


@pytest.fixture(scope="module")
def history(orthanc, tmp_path_factory):
    """Studies of one patient, and of another whose identifier begins alike; two images each."""
    folder = tmp_path_factory.mktemp("history")
    studies = [
        prior(1, "20230101"),
        prior(2, "20250101"),
        prior(3, "20240101"),
        prior(4, "20251231", modality="CT", body_part="HEAD"),
        prior(5, "20251230", body_part="HAND"),
        prior(6, "20260314"),
        prior(7, "20251229", patient=PATIENT + "0"),
    ]
    paths = []
    for number, dataset in enumerate(studies, start=1):
        for image in (1, 2):
            dataset.SOPInstanceUID, dataset.InstanceNumber = f"{peers.ROOT}.22.{number}.{image}", image
            paths.append(folder / f"{number}-{image}.dcm")
            dataset.save_as(paths[-1], enforce_file_format=True)
    assert cstore.store(paths, orthanc.peer()).is_complete
    return {pydicom.dcmread(path).SOPInstanceUID: path for path in paths}


NOW = Current(study_instance_uid=f"{peers.ROOT}.20.6", modality="CR", body_part="CHEST", started="20260314101112")
WANTED = [f"{peers.ROOT}.20.2", f"{peers.ROOT}.20.3"]


def pace():
    return Pace(0.0, clock=lambda: 0.0, sleep=lambda _: None)


@pytest.mark.parametrize("way", ["C-GET", "WADO-RS"])
def test_priors_come_from_orthanc_as_they_are_kept(way, orthanc, history):
    archive = DimseArchive(orthanc.peer(), opened) if way == "C-GET" else WebArchive(orthanc.web)
    kept = []
    found = pull_priors(
        archive, PriorQuery(patient_id=PATIENT), kept.append, of=NOW, limits=PullLimits(studies=2), pace=pace()
    )
    assert [each.study_instance_uid for each in found] == WANTED
    assert [(each.instances, each.is_complete) for each in found] == [(2, True), (2, True)]
    assert {each.sender for each in kept} == {way}
    assert {each.sop_instance_uid for each in kept} == {f"{peers.ROOT}.22.{n}.{i}" for n in (2, 3) for i in (1, 2)}
    for each in kept:
        implicit = each.transfer_syntax_uid == "1.2.840.10008.1.2"
        back = pydicom.filereader.read_dataset(io.BytesIO(bytes(each.dataset)), implicit, True)
        ours = pydicom.dcmread(history[each.sop_instance_uid])
        assert back.PixelData == ours.PixelData
        assert back.PatientID == PATIENT


def test_orthanc_moves_priors_to_our_door(orthanc, history):
    with peers.serving(peers.Storage(), classes=(peers.CR, peers.SC)) as door:
        orthanc.knows("PACS", door.port)
        archive = DimseArchive(orthanc.peer(), opened, move_to="PACS")
        found = pull_priors(
            archive, PriorQuery(patient_id=PATIENT), lambda _: None, of=NOW, limits=PullLimits(studies=1), pace=pace()
        )
    assert [(each.study_instance_uid, each.is_complete) for each in found] == [(WANTED[0], True)]
    assert set(door.received) == {f"{peers.ROOT}.22.2.1", f"{peers.ROOT}.22.2.2"}


def test_orthanc_does_not_know_where_to_move(orthanc, history):
    archive = DimseArchive(orthanc.peer(), opened, move_to="NOWHERE")
    with pytest.raises(PeerRefused) as raised:
        archive.fetch(WANTED[0], lambda _: None, limits=LIMITS)
    assert raised.value.code == "request_refused"


@pytest.mark.parametrize("way", ["C-FIND", "QIDO-RS"])
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (PriorQuery(patient_id=PATIENT), {1, 2, 3, 4, 5, 6}),
        (PriorQuery(patient_id=PATIENT, modalities=("CT",)), {4}),
        (PriorQuery(patient_id=PATIENT, modalities=("CT", "CR"), since=date(2025, 12, 1)), {4, 5, 6}),
        (PriorQuery(patient_id=PATIENT, since=date(2024, 1, 1), until=date(2025, 1, 1)), {2, 3}),
        (PriorQuery(patient_id="NOBODY"), set()),
    ],
)
def test_orthanc_finds_what_is_asked_for(way, query, numbers, orthanc, history):
    archive = DimseArchive(orthanc.peer(), opened) if way == "C-FIND" else WebArchive(orthanc.web)
    found = archive.find(query, limits=LIMITS)
    assert {each.study_instance_uid for each in found} == {f"{peers.ROOT}.20.{n}" for n in numbers}
    starts = [each.started for each in found]
    assert starts == sorted(starts, reverse=True)
    for each in found:
        number = int(each.study_instance_uid.rpartition(".")[2])
        assert each.body_parts == ({4: "HEAD", 5: "HAND"}.get(number, "CHEST"),)
        assert each.modalities == ("CT" if number == 4 else "CR",)
        assert each.instances == 2
