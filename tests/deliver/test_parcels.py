import delivery_peers as peers
import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from radiolucent.deliver.parcels import (
    MOST_CONTEXTS,
    Parcel,
    by_association,
    by_size,
    fractional_segmentations,
    read_parcels,
)
from radiolucent.errors import InvariantBroken


def parcel(number, *, size=1, sop_class=None, syntax="1.2.840.10008.1.2.4.50"):
    return Parcel(
        path=None,
        sop_class_uid=sop_class or f"1.2.3.{number}",
        sop_instance_uid=str(number),
        transfer_syntax_uid=syntax,
        size_bytes=size,
    )


def test_a_file_is_described_by_its_meta_information(tmp_path):
    (path,) = peers.write(tmp_path, 1)
    (found,) = read_parcels([path])
    assert found.sop_class_uid == peers.SC
    assert found.sop_instance_uid == peers.uid(1)
    assert found.transfer_syntax_uid == ExplicitVRLittleEndian
    assert found.size_bytes == path.stat().st_size
    assert found.offers == ((peers.SC, ExplicitVRLittleEndian), (peers.SC, ImplicitVRLittleEndian))


@pytest.mark.parametrize(("count", "groups"), [(1, [1]), (128, [128]), (129, [128, 1]), (300, [128, 128, 44])])
def test_an_association_has_at_most_128_contexts(count, groups):
    found = list(by_association(parcel(number) for number in range(count)))
    assert [len(group) for group in found] == groups
    assert [each.sop_instance_uid for group in found for each in group] == [str(n) for n in range(count)]
    for group in found:
        assert len({offer for each in group for offer in each.offers}) <= MOST_CONTEXTS


def test_instances_of_one_class_share_a_context():
    assert len(list(by_association(parcel(n, sop_class="1.2.3") for n in range(1000)))) == 1


def test_the_default_syntax_takes_a_context_too():
    groups = list(by_association(parcel(n, syntax=ExplicitVRLittleEndian) for n in range(65)))
    assert [len(group) for group in groups] == [64, 1]


@pytest.mark.parametrize(
    ("sizes", "groups"), [([], []), ([5, 5], [2]), ([5, 6], [1, 1]), ([50, 1], [1, 1]), ([1] * 7, [3, 3, 1])]
)
def test_requests_are_bounded_by_bytes_and_by_files(sizes, groups):
    found = list(by_size([parcel(n, size=size) for n, size in enumerate(sizes)], most_bytes=10, most=3))
    assert [len(group) for group in found] == groups


def test_fractional_segmentations_are_told_apart(tmp_path):
    paths = []
    for number, kind in ((1, "BINARY"), (2, "FRACTIONAL"), (3, None)):
        made = peers.dataset(number, sop_class=peers.SEG)
        if kind:
            made.SegmentationType = kind
        paths.append(tmp_path / f"{number}.dcm")
        made.save_as(paths[-1], enforce_file_format=True)
    assert fractional_segmentations(paths) == {peers.uid(2)}
    with pytest.raises(InvariantBroken) as raised:
        fractional_segmentations([tmp_path / "gone.dcm"])
    assert raised.value.code == "own_object_unreadable"
