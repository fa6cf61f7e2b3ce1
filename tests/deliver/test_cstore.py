"""Sending by C-STORE to real peers that take, refuse, abort, dawdle, or are not there."""

import io
import socket

import delivery_peers as peers
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit
from pynetdicom import AE, evt

from radiolucent.deliver import cstore
from radiolucent.errors import InvariantBroken, PeerRefused, PeerUnavailable
from radiolucent.records.destination import DimsePeer
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME


def close_at(pdus):
    """A handler that cuts the line at that P-DATA PDU."""
    left = [pdus]

    def handle(event):
        if type(event.pdu).__name__ != "P_DATA_TF":
            return
        left[0] -= 1
        if left[0] == 0:
            event.assoc.dul.socket.socket.shutdown(socket.SHUT_RDWR)

    return handle


def test_files_arrive_byte_by_byte_in_one_association(tmp_path):
    paths = peers.write(tmp_path, 3)
    with peers.serving(peers.Storage()) as storage:
        sent = cstore.store(paths, storage.peer())
    assert sent.is_complete
    assert sent.error is None
    assert sent.stored == (peers.uid(1), peers.uid(2), peers.uid(3))
    assert storage.associations == 1
    for path in paths:
        meta = pydicom.dcmread(path).file_meta
        body, syntax = storage.datasets[meta.MediaStorageSOPInstanceUID]
        assert path.read_bytes().endswith(body)
        assert len(body) == path.stat().st_size - 144 - meta.FileMetaInformationGroupLength
        assert syntax == ExplicitVRLittleEndian


def test_titles_and_pdu_size_reach_the_peer(tmp_path):
    seen = []
    handlers = [(evt.EVT_REQUESTED, lambda event: seen.append(event.assoc.requestor.primitive))]
    with peers.serving(peers.Storage(), handlers=handlers) as storage:
        cstore.store(peers.write(tmp_path, 1), storage.peer(calling_ae_title="READER", max_pdu_bytes=20_000))
    assert (seen[0].calling_ae_title, seen[0].called_ae_title) == ("READER", "PACS")
    assert seen[0].maximum_length_received == 20_000
    told = seen[0].user_information
    names = [item.implementation_version_name for item in told if "Version" in type(item).__name__]
    assert (seen[0].implementation_class_uid, names) == (IMPLEMENTATION_CLASS_UID, [IMPLEMENTATION_VERSION_NAME])


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007, 0x0111, 0x0107])
def test_warnings_and_duplicates_count_as_stored(status, tmp_path):
    with peers.serving(peers.Storage(statuses=[status])) as storage:
        sent = cstore.store(peers.write(tmp_path, 1), storage.peer())
    assert [(each.sop_instance_uid, each.status) for each in sent.receipts] == [(peers.uid(1), status)]
    assert sent.error is None


@pytest.mark.parametrize("status", [0xA700, 0xA7FF, 0x0110])
def test_a_full_peer_is_tried_later_and_spared_the_rest(status, tmp_path):
    with peers.serving(peers.Storage(statuses=[0, status])) as storage:
        sent = cstore.store(peers.write(tmp_path, 4), storage.peer())
    assert sent.stored == (peers.uid(1),)
    assert sent.missing == (peers.uid(2), peers.uid(3), peers.uid(4))
    assert storage.received == [peers.uid(1), peers.uid(2)]
    assert isinstance(sent.error, PeerUnavailable)
    assert sent.error.code == "peer_out_of_resources"
    assert f"{status:04X}" in sent.error.found


@pytest.mark.parametrize("status", [0xA900, 0xC000, 0xC123, 0x0122, 0x0124])
def test_one_refused_object_does_not_keep_the_others_back(status, tmp_path):
    with peers.serving(peers.Storage(statuses=[0, status])) as storage:
        sent = cstore.store(peers.write(tmp_path, 3), storage.peer())
    assert sent.stored == (peers.uid(1), peers.uid(3))
    assert sent.missing == (peers.uid(2),)
    assert isinstance(sent.error, PeerRefused)
    assert sent.error.code == "object_refused"
    assert f"{status:04X}" in sent.error.found


def test_unavailable_outweighs_refused(tmp_path):
    with peers.serving(peers.Storage(statuses=[0xC000, 0xA700])) as storage:
        sent = cstore.store(peers.write(tmp_path, 3), storage.peer())
    assert sent.missing == (peers.uid(1), peers.uid(2), peers.uid(3))
    assert sent.error.code == "peer_out_of_resources"


def test_after_a_partial_failure_only_the_rest_is_sent(tmp_path):
    paths = peers.write(tmp_path, 4)
    with peers.serving(peers.Storage(statuses=[0, 0, 0xA700])) as storage:
        first = cstore.store(paths, storage.peer())
        rest = [path for path in paths if pydicom.dcmread(path).SOPInstanceUID in first.missing]
        second = cstore.store(rest, storage.peer())
    assert second.is_complete
    assert storage.received == [peers.uid(n) for n in (1, 2, 3, 3, 4)]


def test_a_peer_that_cuts_the_line_in_the_middle_of_an_object(tmp_path):
    paths = peers.write(tmp_path, 3, side=400)  # 160 kB: about ten PDUs of 16 kB
    with peers.serving(peers.Storage(), handlers=[(evt.EVT_PDU_RECV, close_at(18))]) as storage:
        sent = cstore.store(paths, storage.peer())
    assert sent.stored == (peers.uid(1),)
    assert sent.missing == (peers.uid(2), peers.uid(3))
    assert isinstance(sent.error, PeerUnavailable)
    assert sent.error.code == "peer_no_answer"
    assert peers.uid(3) not in storage.received  # the second may have arrived whole; its answer never did


def test_a_peer_that_aborts_instead_of_answering(tmp_path):
    def abort(event):
        if len(storage.received) == 1:
            event.assoc.abort()

    storage = peers.Storage(before=abort)
    with peers.serving(storage):
        sent = cstore.store(peers.write(tmp_path, 3), storage.peer())
    assert sent.stored == (peers.uid(1),)
    assert sent.error.code == "peer_no_answer"


def test_a_peer_that_does_not_answer_in_time(tmp_path):
    with peers.gate() as over:
        storage = peers.Storage(before=lambda event: over.wait(60))
        with peers.serving(storage):
            sent = cstore.store(peers.write(tmp_path, 2), storage.peer(dimse_timeout_s=0.3))
            over.set()
    assert sent.stored == ()
    assert sent.missing == (peers.uid(1), peers.uid(2))
    assert isinstance(sent.error, PeerUnavailable)
    assert sent.error.code == "peer_no_answer"


def test_a_peer_that_stops_reading(tmp_path):
    with peers.gate() as over:

        def deaf(event):
            if type(event.pdu).__name__ == "P_DATA_TF":
                over.wait(60)

        # 16 MB do not fit into the buffers between the two, so a write has to wait
        paths = peers.write(tmp_path, 1, side=4000)
        with peers.serving(peers.Storage(), handlers=[(evt.EVT_PDU_RECV, deaf)]) as storage:
            sent = cstore.store(paths, storage.peer(network_timeout_s=0.5))
            over.set()
    assert sent.missing == (peers.uid(1),)
    assert sent.error.code == "peer_no_answer"


def test_a_peer_that_is_not_there(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        peer = DimsePeer(host="127.0.0.1", port=taken.getsockname()[1], called_ae_title="PACS")
        sent = cstore.store(peers.write(tmp_path, 1), peer)
    assert isinstance(sent.error, PeerUnavailable)
    assert sent.error.code == "peer_unreachable"
    assert sent.missing == (peers.uid(1),)


def test_a_name_that_does_not_resolve(tmp_path):
    peer = DimsePeer(host="no-such-host.invalid", port=104, called_ae_title="PACS")
    assert cstore.store(peers.write(tmp_path, 1), peer).error.code == "peer_unreachable"


def test_a_peer_that_takes_the_connection_and_says_nothing(tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        peer = DimsePeer(host="127.0.0.1", port=silent.getsockname()[1], called_ae_title="PACS", acse_timeout_s=0.3)
        sent = cstore.store(peers.write(tmp_path, 1), peer)
    assert isinstance(sent.error, PeerUnavailable)
    assert sent.error.code == "peer_no_answer"


def test_a_wrong_called_title_is_for_the_operator(tmp_path):
    with peers.serving(peers.Storage(), require_called_aet=True) as storage:
        sent = cstore.store(peers.write(tmp_path, 1), storage.peer(called_ae_title="OTHER"))
    assert isinstance(sent.error, PeerRefused)
    assert sent.error.code == "association_refused"
    assert "called application entity title" in sent.error.found


def test_an_unknown_calling_title_is_for_the_operator(tmp_path):
    with peers.serving(peers.Storage(), require_calling_aet=["SOMEBODY"]) as storage:
        sent = cstore.store(peers.write(tmp_path, 1), storage.peer())
    assert sent.error.code == "association_refused"
    assert "our calling application entity title" in sent.error.found


def test_a_crowded_peer_is_tried_later(tmp_path):
    paths = peers.write(tmp_path, 1)
    with peers.serving(peers.Storage(), maximum_associations=1) as storage:
        other = AE()
        other.add_requested_context(peers.SC)
        held = other.associate("127.0.0.1", storage.port)
        assert held.is_established
        sent = cstore.store(paths, storage.peer())
        held.release()
    assert isinstance(sent.error, PeerUnavailable)
    assert sent.error.code == "association_busy"


def test_a_class_that_the_peer_does_not_take_is_refused_and_the_rest_sent(tmp_path):
    paths = peers.write(tmp_path, 2)
    peers.dataset(9, sop_class=peers.SEG).save_as(tmp_path / "seg.dcm", enforce_file_format=True)
    with peers.serving(peers.Storage()) as storage:
        sent = cstore.store([tmp_path / "seg.dcm", *paths], storage.peer())
    assert sent.missing == (peers.uid(9),)
    assert isinstance(sent.error, PeerRefused)
    assert sent.error.code == "no_presentation_context"
    assert "Segmentation Storage" in sent.error.found
    assert sent.stored == (peers.uid(1), peers.uid(2))


def test_nothing_accepted_at_all(tmp_path):
    with peers.serving(peers.Storage(), classes=(peers.CR,)) as storage:
        sent = cstore.store(peers.write(tmp_path, 1), storage.peer())
    assert isinstance(sent.error, PeerRefused)
    assert sent.error.code == "no_presentation_context"
    assert "Secondary Capture" in sent.error.found


def test_an_old_peer_gets_the_default_transfer_syntax(tmp_path):
    paths = peers.write(tmp_path, 1)
    with peers.serving(peers.Storage(), syntaxes=(ImplicitVRLittleEndian,)) as storage:
        sent = cstore.store(paths, storage.peer())
    assert sent.is_complete
    body, syntax = storage.datasets[peers.uid(1)]
    assert syntax == ImplicitVRLittleEndian
    back, ours = pydicom.dcmread(io.BytesIO(body), force=True), pydicom.dcmread(paths[0])
    assert back.pop("PixelData").value == ours.pop("PixelData").value  # OW in the one, OB in the other
    assert back.to_json() == ours.to_json()


def test_compressed_pixels_are_not_offered_in_another_syntax(tmp_path):
    made = peers.dataset(1)
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xd9"])
    made.save_as(tmp_path / "jpeg.dcm", enforce_file_format=True)
    with peers.serving(peers.Storage()) as storage:
        refused = cstore.store([tmp_path / "jpeg.dcm"], storage.peer())
    assert refused.error.code == "no_presentation_context"
    assert "JPEG Baseline" in refused.error.found
    with peers.serving(peers.Storage(), syntaxes=(JPEGBaseline8Bit,)) as storage:
        assert cstore.store([tmp_path / "jpeg.dcm"], storage.peer()).is_complete


def test_the_same_instance_twice_goes_once(tmp_path):
    paths = peers.write(tmp_path, 1)
    with peers.serving(peers.Storage()) as storage:
        sent = cstore.store([*paths, *paths], storage.peer())
    assert storage.received == [peers.uid(1)]
    assert sent.stored == (peers.uid(1),)


def test_more_contexts_than_one_association_holds(tmp_path):
    """70 classes with two contexts each need two associations."""
    classes = [f"{peers.ROOT}.9.{number}" for number in range(70)]
    paths = []
    for number, sop_class in enumerate(classes):
        paths.append(tmp_path / f"{number}.dcm")
        peers.dataset(number + 1, sop_class=sop_class).save_as(paths[-1], enforce_file_format=True)
    with peers.serving(peers.Storage(), classes=[peers.SC]) as storage:
        sent = cstore.store(paths, storage.peer())
    assert len(sent.missing) == 70
    assert storage.associations == 2


def test_a_file_that_is_gone_is_our_fault(tmp_path):
    with pytest.raises(InvariantBroken) as raised:
        cstore.store([tmp_path / "gone.dcm"], DimsePeer(host="127.0.0.1", port=1, called_ae_title="PACS"))
    assert raised.value.code == "own_object_unreadable"
    (tmp_path / "bad.dcm").write_bytes(b"no DICOM at all" * 20)
    with pytest.raises(InvariantBroken):
        cstore.store([tmp_path / "bad.dcm"], DimsePeer(host="127.0.0.1", port=1, called_ae_title="PACS"))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return peers.certificates(tmp_path_factory.mktemp("certificates"))


class TestTls:
    def test_both_sides_show_certificates(self, certificates, tmp_path):
        with peers.serving(peers.Storage(), tls=certificates.door()) as storage:
            sent = cstore.store(peers.write(tmp_path, 2), storage.peer(tls=certificates.caller()))
        assert sent.is_complete
        assert storage.received == [peers.uid(1), peers.uid(2)]

    def test_a_server_that_we_do_not_trust_gets_nothing(self, certificates, tmp_path):
        with peers.serving(peers.Storage(), tls=certificates.door()) as storage:
            sent = cstore.store(peers.write(tmp_path, 1), storage.peer(tls=certificates.caller(trusts=False)))
        assert sent.error.code == "peer_unreachable"
        assert "TLS" in sent.error.found
        assert storage.received == []

    def test_without_a_certificate_we_are_not_let_in(self, certificates, tmp_path):
        with peers.serving(peers.Storage(), tls=certificates.door()) as storage:
            sent = cstore.store(
                peers.write(tmp_path, 1), storage.peer(tls=certificates.caller(shows_certificate=False))
            )
        assert isinstance(sent.error, PeerUnavailable)
        assert sent.error.code in ("peer_unreachable", "peer_no_answer")
        assert storage.received == []


def test_no_error_names_the_patient(tmp_path):
    texts = []
    for statuses in ([0xC000], [0xA700]):
        with peers.serving(peers.Storage(statuses=statuses)) as storage:
            texts.append(str(cstore.store(peers.write(tmp_path, 1), storage.peer()).error))
    for text in texts:
        for value in ("Phantom", "PHANTOM-9", "ACC9", peers.STUDY, peers.uid(1)):
            assert value not in text
