"""Searches: what parameters mean, and that nothing but an answer or a refusal comes out."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolucent.errors import InputRefused
from radiolucent.web.dicomweb.archive import Condition, InstanceRow, Query, SeriesRow, StudyRow
from radiolucent.web.dicomweb.attributes import ATTRIBUTES, to_json
from radiolucent.web.dicomweb.matching import matches, select
from radiolucent.web.dicomweb.query import read_search

STUDY = StudyRow(
    study_instance_uid="1.2.3",
    study_date="20240229",
    study_time="101530.25",
    accession_number="ACC[1]",
    modalities_in_study=("CT", "SR"),
    patient_name="Müller^Änne^^=毛^安妮",
    patient_id="P-1",
    patient_birth_date="19600102",
)
SERIES = SeriesRow(study=STUDY, series_instance_uid="1.2.3.4", modality="CT", series_number=7)
ROW = InstanceRow(
    series=SERIES, sop_class_uid="1.2.840.10008.5.1.4.1.1.2", sop_instance_uid="1.2.3.4.5", transfer_syntax_uid="1.2"
)


def search(*pairs, level="study", **options):
    return read_search(pairs, level=level, max_results=100, **options)


def is_found(name, value, *, level="study", row=STUDY):
    return all(matches(row, condition) for condition in search((name, value), level=level).query.conditions)


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("PatientID", "P-1", True),
        ("PatientID", "p-1", False),
        ("00100020", "P-?", True),
        ("PatientID", "P-", False),
        ("PatientID", "*", True),
        ("PatientID", "", True),
        ("AccessionNumber", "ACC[1]", True),
        ("AccessionNumber", "*[1]", True),
        ("AccessionNumber", "ACC[1*", True),
        ("AccessionNumber", "ACC1*", False),
        ("PatientName", "müller^änne", True),
        ("PatientName", "MÜLL*", True),
        ("PatientName", "毛^安妮", True),
        ("PatientName", "*änne*", True),
        ("PatientName", "Muller^Anne", False),
        ("StudyDate", "20240229", True),
        ("StudyDate", "20240301", False),
        ("StudyDate", "20240201-20240301", True),
        ("StudyDate", "-20240228", False),
        ("StudyDate", "20240229-", True),
        ("StudyTime", "10", True),
        ("StudyTime", "1015-1016", True),
        ("StudyTime", "11-", False),
        ("StudyTime", "-101529", False),
        ("StudyTime", "101530.25", True),
        ("ModalitiesInStudy", "SR", True),
        ("ModalitiesInStudy", "MR,CT", True),
        ("ModalitiesInStudy", "MR\\SR", True),
        ("ModalitiesInStudy", "MR", False),
        ("StudyInstanceUID", "1.2.3", True),
        ("StudyInstanceUID", "1.2.4,1.2.3", True),
        ("StudyInstanceUID", "1.2.4\\1.2.5", False),
        ("StudyDescription", "x*", False),
        ("PatientBirthDate", "1960", None),
    ],
)
def test_matching(name, value, found):
    if found is None:
        with pytest.raises(InputRefused):
            is_found(name, value)
    else:
        assert is_found(name, value) is found


def test_levels_above_match_too():
    assert is_found("PatientID", "P-1", level="instance", row=ROW)
    assert is_found("SeriesNumber", "07", level="instance", row=ROW)
    assert not is_found("SeriesNumber", "8", level="series", row=SERIES)


def test_a_hostile_wildcard_ends():
    row = StudyRow(study_instance_uid="1", accession_number="a" * 64)
    assert not matches(row, Condition(keyword="AccessionNumber", kind="wildcard", values=("*a" * 30 + "b",)))


def test_paging():
    rows = [StudyRow(study_instance_uid=f"1.{n}") for n in range(10)]
    found = select(rows, Query(limit=3, offset=4))
    assert [row.study_instance_uid for row in found] == ["1.4", "1.5", "1.6"]
    assert search(("limit", "7"), ("offset", "2")).query == Query(limit=7, offset=2)
    assert search(("limit", "1000000")).query.limit == 100


@pytest.mark.parametrize(
    "pair",
    [
        ("Marker^Name", "x"),
        ("PatientAge", "064Y"),
        ("00101010", "064Y"),
        ("00400275.00400009", "x"),
        ("Modality", "CT"),
        ("NumberOfStudyRelatedInstances", "1"),
        ("StudyDate", "2024-01-02"),
        ("StudyDate", "-"),
        ("StudyInstanceUID", "../../etc"),
        ("StudyInstanceUID", ","),
        ("PatientID", "x" * 2000),
        ("limit", "-1"),
        ("limit", "many"),
        ("offset", "1.5"),
        ("fuzzymatching", "perhaps"),
        ("includefield", "no such"),
    ],
)
def test_refusals_say_what_and_repeat_no_value(pair):
    with pytest.raises(InputRefused) as caught:
        search(pair)
    assert caught.value.code == "request_parameter"
    assert "Marker" not in str(caught.value)
    if len(pair[1]) > 3:
        assert pair[1] not in str(caught.value)


def test_the_same_key_twice_is_refused():
    with pytest.raises(InputRefused):
        search(("PatientID", "a"), ("00100020", "b"))


def test_what_is_shown():
    assert "PatientName" in search().shown
    below = search(level="series", study="1.2.3")
    assert "PatientName" not in below.shown
    assert {"StudyInstanceUID", "SeriesInstanceUID", "Modality"} <= below.shown
    assert below.query.conditions[0].values == ("1.2.3",)
    added = search(("includefield", "00100010,00081030"), ("includefield", "PatientAge"), level="series", study="1.2.3")
    assert {"PatientName", "StudyDescription"} <= added.shown
    assert "PatientID" in search(("includefield", "all"), level="series", study="1.2.3").shown
    # What a viewer's study list asks for, although Modality is not of the study level.
    assert "StudyDescription" in search(("includefield", "00081030,00080060")).shown


def test_json_of_a_row():
    made = to_json(ROW, frozenset(a.keyword for a in ATTRIBUTES))
    assert made["00100010"] == {
        "vr": "PN",
        "Value": [{"Alphabetic": "Müller^Änne^^", "Ideographic": "毛^安妮"}],
    }
    assert made["00080061"]["Value"] == ["CT", "SR"]
    assert made["00200011"] == {"vr": "IS", "Value": [7]}
    assert made["00200013"] == {"vr": "IS"}
    assert made["00083002"]["Value"] == ["1.2"]
    assert list(made) == sorted(made)


NAMES = st.sampled_from([*(a.keyword for a in ATTRIBUTES), *(a.tag for a in ATTRIBUTES), "limit", "offset"])


@given(
    st.lists(st.tuples(NAMES | st.text(max_size=20), st.text(max_size=80)), max_size=6),
    st.sampled_from(["study", "series", "instance"]),
)
def test_any_query_is_a_search_or_a_refusal(pairs, level):
    row = {"study": STUDY, "series": SERIES, "instance": ROW}[level]
    found, code = None, "request_parameter"
    try:
        found = search(*pairs, level=level)
    except InputRefused as refusal:
        code = refusal.code
    assert code == "request_parameter"
    assert found is None or len(list(select([row], found.query))) <= 1


@given(st.text(alphabet="ab*?[]!-", max_size=12), st.text(alphabet="ab[]!-", max_size=8))
def test_wildcards_are_what_the_standard_says(wildcard, text):
    row = StudyRow(study_instance_uid="1", accession_number=text)
    expected = bool(text) and bool(
        re.fullmatch("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in wildcard), text)
    )
    assert matches(row, Condition(keyword="AccessionNumber", kind="wildcard", values=(wildcard,))) is expected
