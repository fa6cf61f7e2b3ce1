from dataclasses import dataclass
from typing import get_args

import pytest

from radiolucent.deliver.profiles import PROFILES, select
from radiolucent.records.destination import ProfileName
from radiolucent.records.study import ObjectKind


@dataclass(frozen=True)
class Thing:
    kind: str
    sop_instance_uid: str


THINGS = [
    Thing("structured_report", "1"),
    Thing("segmentation", "2"),
    Thing("segmentation", "3"),
    Thing("secondary_capture", "4"),
    Thing("parametric_map", "5"),
    Thing("presentation_state", "6"),
    Thing("rejection", "7"),
]
FRACTIONAL = {"3"}


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("orthanc", "4523617"),
        ("weasis", "4523617"),
        ("ohif", "4217"),
        ("old-pacs", "47"),
    ],
)
def test_what_each_destination_gets_and_in_what_order(name, chosen):
    found = select(THINGS, PROFILES[name], fractional=FRACTIONAL)
    assert "".join(each.sop_instance_uid for each in found) == chosen


def test_every_name_has_a_profile_and_every_kind_is_known():
    assert set(PROFILES) == set(get_args(ProfileName))
    for profile in PROFILES.values():
        assert set(profile.kinds) <= set(get_args(ObjectKind))
        assert len(set(profile.kinds)) == len(profile.kinds)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_retraction_reaches_every_destination_after_everything_else(name):
    assert PROFILES[name].kinds[-1] == "rejection"
