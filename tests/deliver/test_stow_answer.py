"""STOW-RS answers, as servers write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolucent.deliver.stow_answer import read_answer
from radiolucent.errors import PeerRefused

JSON = {
    "00081190": {"vr": "UR", "Value": ["http://pacs/studies/1.2"]},
    "00081199": {
        "vr": "SQ",
        "Value": [
            {"00081150": {"vr": "UI", "Value": ["1.2"]}, "00081155": {"vr": "UI", "Value": ["1.2.3"]}},
            {"00081155": {"vr": "UI", "Value": ["1.2.4"]}, "00081196": {"vr": "US", "Value": [45056]}},
        ],
    },
    "00081198": {
        "vr": "SQ",
        "Value": [
            {"00081155": {"vr": "UI", "Value": ["1.2.5"]}, "00081197": {"vr": "US", "Value": [0xA700]}},
            {"00081155": {"vr": "UI", "Value": ["1.2.6"]}},
        ],
    },
}
XML = """<?xml version="1.0" encoding="utf-8"?>
<NativeDicomModel{namespace}>
  <DicomAttribute tag="00081199" vr="SQ" keyword="ReferencedSOPSequence">
    <Item number="1"><DicomAttribute tag="00081155" vr="UI"><Value number="1">1.2.3</Value></DicomAttribute></Item>
    <Item number="2">
      <DicomAttribute tag="00081155" vr="UI"><Value number="1"> 1.2.4 </Value></DicomAttribute>
      <DicomAttribute tag="00081196" vr="US"><Value number="1">45056</Value></DicomAttribute>
    </Item>
  </DicomAttribute>
  <DicomAttribute tag="00081198" vr="SQ">
    <Item number="1">
      <DicomAttribute tag="00081155" vr="UI"><Value number="1">1.2.5</Value></DicomAttribute>
      <DicomAttribute tag="00081197" vr="US"><Value number="1">42752</Value></DicomAttribute>
    </Item>
    <Item number="2"><DicomAttribute tag="00081155" vr="UI"><Value number="1">1.2.6</Value></DicomAttribute></Item>
  </DicomAttribute>
</NativeDicomModel>"""
NAMESPACE = ' xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM"'


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(JSON),
        json.dumps([JSON]),
        "\ufeff" + json.dumps(JSON),
        XML.format(namespace=NAMESPACE),
        XML.format(namespace=""),
    ],
    ids=["json", "json in a list", "json with a mark", "xml", "xml without namespace"],
)
def test_every_form_says_the_same(body):
    found = read_answer(body.encode())
    assert found.stored == {"1.2.3": 0, "1.2.4": 0xB000}
    assert found.failed == {"1.2.5": 0xA700, "1.2.6": 0x0110}


def test_a_server_that_says_both_has_not_stored():
    item = {"00081155": {"vr": "UI", "Value": ["1.2.3"]}}
    found = read_answer(json.dumps({"00081199": {"Value": [item]}, "00081198": {"Value": [item]}}).encode())
    assert found.stored == {}
    assert found.failed == {"1.2.3": 0x0110}


def test_an_answer_may_name_nothing():
    assert read_answer(b"{}").stored == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Please log in</body></html>",
        b"stored",
        b"[]",
        b"[1]",
        b'{"00081199": 3}',
        b'{"00081199": {"Value": [null]}}',
        b'{"00081198": {"Value": [{"00081155": {"Value": ["1"]}, "00081197": {"Value": ["many"]}}]}}',
        b"[" * 100_000,
        b'<!DOCTYPE a [<!ENTITY b "c">]><NativeDicomModel>&b;</NativeDicomModel>',
        b"<NativeDicomModel>",
        b"\xff\xfe\x00{",
    ],
)
def test_anything_else_is_no_answer(body):
    with pytest.raises(PeerRefused) as raised:
        read_answer(body)
    assert raised.value.code == "dicomweb_answer_unreadable"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_answer_breaks_the_reader(body):
    try:
        read_answer(body)
    except PeerRefused as error:
        assert error.code == "dicomweb_answer_unreadable"  # noqa: PT017  it may raise, and then this alone


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["00081199", "00081198", "00081155", "00081197", "Value", "vr"]), inner)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_no_json_breaks_the_reader(value):
    try:
        found = read_answer(json.dumps(value).encode())
    except PeerRefused as error:
        assert error.code == "dicomweb_answer_unreadable"  # noqa: PT017  it may raise, and then this alone
    else:
        assert not found.stored.keys() & found.failed.keys()
