from pydicom.uid import UID
from report.dicom.dicom_sources import ENGINE

from radiolucent.report.dicom.uids import instance_uid, series_uid, uid_from
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID


def test_uids_are_legal_and_of_the_uuid_form():
    for number in range(500):
        uid = uid_from("part", str(number))
        assert UID(uid).is_valid
        assert uid.startswith("2.25.")
        value = int(uid.removeprefix("2.25."))
        assert value < 2**128
        assert value >> 76 & 0xF == 8  # RFC 9562: version 8
        assert value >> 62 & 0x3 == 2  # and its variant


def test_parts_do_not_run_together():
    assert uid_from("ab", "c") != uid_from("a", "bc")
    assert uid_from("a") != uid_from("a", "")


def test_a_uid_never_changes():
    assert uid_from("golden") == "2.25.57488987104766076990598013331752433979"


def test_every_argument_counts():
    base = {"source_sop_uid": "1.2.3", "frame_number": 1, "engine": ENGINE, "kind": "pm", "key": "effusion"}
    changes = [{"source_sop_uid": "1.2.4"}, {"frame_number": 2}, {"engine": None}, {"kind": "seg"}, {"key": "nodule"}]
    assert len({instance_uid(**base), *(instance_uid(**(base | change)) for change in changes)}) == 6


def test_slices_share_a_series_by_kind():
    one = series_uid(source_series_uid="1.2.3", engine=ENGINE, kind="seg")
    assert one == series_uid(source_series_uid="1.2.3", engine=ENGINE, kind="seg")
    assert one != series_uid(source_series_uid="1.2.3", engine=ENGINE, kind="pm")


def test_our_own_name_is_made_like_the_others():
    assert uid_from("implementation", "radiolucent") == IMPLEMENTATION_CLASS_UID
