from dataclasses import dataclass
from pathlib import Path

import delivery_peers as peers
import pytest
from deliver.test_stow import running

from radiolucent.deliver import dicom
from radiolucent.deliver.receipts import Sent
from radiolucent.errors import SettingsError
from radiolucent.records.destination import DicomDestination, WebPeer


@dataclass(frozen=True)
class Thing:
    kind: str
    sop_instance_uid: str
    path: Path


@pytest.fixture
def things(tmp_path):
    kinds = (
        ("structured_report", peers.CR),
        ("segmentation", peers.SEG),
        ("segmentation", peers.SEG),
        ("secondary_capture", peers.SC),
    )
    made = []
    for number, (kind, sop_class) in enumerate(kinds, start=1):
        dataset = peers.dataset(number, sop_class=sop_class)
        if kind == "segmentation":
            dataset.SegmentationType = "FRACTIONAL" if number == 3 else "BINARY"
        dataset.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
        made.append(Thing(kind, peers.uid(number), tmp_path / f"{number}.dcm"))
    return made


@pytest.mark.parametrize(("profile", "numbers"), [("orthanc", [4, 2, 3, 1]), ("ohif", [4, 2, 1]), ("old-pacs", [4])])
def test_a_destination_gets_what_it_can_show(things, profile, numbers):
    with peers.serving(peers.Storage(), classes=(peers.SC, peers.CR, peers.SEG)) as storage:
        sent = dicom.send(things, DicomDestination(name="pacs", peer=storage.peer(), profile=profile))
    assert storage.received == [peers.uid(n) for n in numbers]
    assert sent.is_complete
    assert list(sent.stored) == storage.received


def test_a_web_destination_is_reached_by_stow(things):
    with running() as server:
        sent = dicom.send(things, DicomDestination(name="web", peer=server.peer(), profile="ohif"))
    assert server.sent == [[peers.uid(4), peers.uid(2), peers.uid(1)]]
    assert sent.is_complete


def test_nothing_to_show_opens_no_association(things):
    with peers.serving(peers.Storage()) as storage:
        sent = dicom.send(things[:1], DicomDestination(name="pacs", peer=storage.peer(), profile="old-pacs"))
    assert sent == Sent()
    assert storage.associations == 0


def test_commitment_is_a_wish_for_dimse_alone():
    storage = peers.Storage(port=1)
    dicom.check(DicomDestination(name="pacs", peer=storage.peer(), wants_commitment=True))
    dicom.check(DicomDestination(name="web", peer=WebPeer(url="http://pacs")))
    with pytest.raises(SettingsError) as raised:
        dicom.check(DicomDestination(name="web", peer=WebPeer(url="http://pacs"), wants_commitment=True))
    assert raised.value.code == "commitment_needs_dimse"
