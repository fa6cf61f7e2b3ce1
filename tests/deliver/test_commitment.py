"""Storage commitment with a real SCP, answering at once, later, on its own association, or not at all."""

import queue
import threading

import delivery_peers as peers
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role, evt

from radiolucent.deliver.commitment import (
    PUSH_MODEL_CLASS_UID,
    PUSH_MODEL_INSTANCE_UID,
    Commitment,
    Uncommitted,
    accept_reports,
    read_report,
    report_handler,
    request_commitment,
)
from radiolucent.errors import InputRefused, PeerRefused, PeerUnavailable
from radiolucent.records.destination import DimsePeer
from radiolucent.records.study import InstanceRef

TRANSACTION = f"{peers.ROOT}.5"
INSTANCES = [
    InstanceRef(sop_class_uid=peers.SC, sop_instance_uid=peers.uid(n), series_instance_uid=peers.SERIES) for n in (1, 2)
]


def report(*, committed=(), failed=(), transaction=TRANSACTION):
    information = Dataset()
    information.TransactionUID = transaction
    for keyword, numbers in (("ReferencedSOPSequence", committed), ("FailedSOPSequence", failed)):
        items = []
        for number in numbers:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = peers.SC, peers.uid(number)
            if keyword == "FailedSOPSequence":
                item.FailureReason = 0x0112
            items.append(item)
        if items:
            setattr(information, keyword, items)
    return information


class Archive:
    """A commitment SCP; ``reply`` is called with the association after the request was answered."""

    def __init__(self, *, status=0, reply=None):
        self.status, self.reply = status, reply
        self.asked = queue.Queue()
        self.answered = queue.Queue()
        ae = AE(ae_title="PACS")
        ae.add_supported_context(PUSH_MODEL_CLASS_UID)
        self._server = ae.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_ACTION, self.act), (evt.EVT_ACCEPTED, self.watch)]
        )
        self.peer = DimsePeer(host="127.0.0.1", port=self._server.server_address[1], called_ae_title="PACS")

    def watch(self, event):
        if self.reply is not None:
            threading.Thread(target=self._later, args=(event.assoc,)).start()

    def _later(self, association):
        self.asked.get(timeout=20)
        self.answered.put(self.reply(association))

    def act(self, event):
        self.asked.put((event.action_type, event.action_information, event.request.RequestedSOPInstanceUID))
        return self.status, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()


def send_report(association, information, *, event_type):
    status, _ = association.send_n_event_report(information, event_type, PUSH_MODEL_CLASS_UID, PUSH_MODEL_INSTANCE_UID)
    return status.Status


def test_the_request_names_every_instance():
    with Archive() as archive:
        assert request_commitment(INSTANCES, archive.peer, transaction_uid=TRANSACTION) is None
    kind, information, instance = archive.asked.get_nowait()
    assert kind == 1
    assert instance == PUSH_MODEL_INSTANCE_UID
    assert information.TransactionUID == TRANSACTION
    found = [(item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) for item in information.ReferencedSOPSequence]
    assert found == [(peers.SC, peers.uid(1)), (peers.SC, peers.uid(2))]


def test_an_answer_on_the_same_association():
    def reply(association):
        return send_report(association, report(committed=[1], failed=[2]), event_type=2)

    with Archive(reply=reply) as archive:
        found = request_commitment(INSTANCES, archive.peer, transaction_uid=TRANSACTION, wait_s=20)
        assert archive.answered.get(timeout=20) == 0
    assert found == Commitment(
        transaction_uid=TRANSACTION,
        committed=(peers.uid(1),),
        failed=(Uncommitted(sop_instance_uid=peers.uid(2), reason=0x0112),),
    )
    assert not found.is_complete


def test_no_answer_in_time_is_none():
    with Archive() as archive:
        assert request_commitment(INSTANCES, archive.peer, transaction_uid=TRANSACTION, wait_s=0.1) is None


def test_a_peer_without_commitment_refuses():
    with peers.serving(peers.Storage()) as storage, pytest.raises(PeerRefused) as raised:
        request_commitment(INSTANCES, storage.peer(), transaction_uid=TRANSACTION)
    assert raised.value.code == "no_presentation_context"
    assert "Storage Commitment" in raised.value.found


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (0x0110, PeerUnavailable, "peer_out_of_resources"),
        (0x0213, PeerUnavailable, "peer_out_of_resources"),
        (0x0124, PeerRefused, "request_refused"),
    ],
)
def test_a_request_that_fails(status, kind, code):
    with Archive(status=status) as archive, pytest.raises(kind) as raised:
        request_commitment(INSTANCES, archive.peer, transaction_uid=TRANSACTION)
    assert raised.value.code == code
    assert f"{status:04X}" in raised.value.found


def calling(told, information, *, event_type=1):
    """An archive that reports on an association of its own to our door; the status it is given."""
    ours = AE(ae_title="RADIOLUCENT")
    accept_reports(ours)
    server = ours.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, report_handler(told))]
    )
    try:
        archive = AE(ae_title="PACS")
        association = archive.associate(
            "127.0.0.1",
            server.server_address[1],
            contexts=[build_context(PUSH_MODEL_CLASS_UID)],
            ext_neg=[build_role(PUSH_MODEL_CLASS_UID, scp_role=True)],
        )
        assert association.is_established
        try:
            return send_report(association, information, event_type=event_type)
        finally:
            association.release()
    finally:
        server.shutdown()


def test_a_report_through_our_own_door():
    told = []
    assert calling(told.append, report(committed=[1, 2])) == 0
    assert told == [Commitment(transaction_uid=TRANSACTION, committed=(peers.uid(1), peers.uid(2)))]
    assert told[0].is_complete


def test_a_report_that_was_not_kept_is_not_confirmed():
    def broken(commitment):
        raise OSError

    assert calling(broken, report(committed=[1])) == 0x0110


def test_an_event_that_does_not_exist():
    told = []
    assert calling(told.append, report(committed=[1]), event_type=7) == 0x0113
    assert told == []


def test_a_report_without_content_is_not_confirmed():
    told = []
    assert calling(told.append, report()) == 0x0110
    assert told == []


@pytest.mark.parametrize("missing", ["TransactionUID", "ReferencedSOPInstanceUID", "everything"])
def test_an_unreadable_report(missing):
    information = report(committed=[1])
    if missing == "TransactionUID":
        del information.TransactionUID
    elif missing == "everything":
        del information.ReferencedSOPSequence
    else:
        del information.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    with pytest.raises(InputRefused) as raised:
        read_report(information)
    assert raised.value.code == "unreadable_commitment"


def test_an_instance_that_is_both_committed_and_failed_is_failed():
    found = read_report(report(committed=[1, 2], failed=[2]))
    assert found.committed == (peers.uid(1),)
    assert [each.sop_instance_uid for each in found.failed] == [peers.uid(2)]
