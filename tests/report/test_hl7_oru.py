"""The result message: word for word, valid for hl7apy, readable for python-hl7, and never more than the report says."""

from dataclasses import replace
from pathlib import Path

import hl7
import hl7_cases as cases
import pytest
from hl7_cases import REPORTS
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import given
from hypothesis import strategies as st

from radiolucent.errors import SettingsError
from radiolucent.records.result import DISCLAIMER, Reason
from radiolucent.report.hl7 import Hl7Route, build_oru
from radiolucent.standards.hl7_text import CHARACTER_SETS
from radiolucent.standards.mllp import Decoder, frame

GOLDEN = Path(__file__).with_name("golden_hl7")
ROUTE = Hl7Route(
    destination="ehr",
    sending_application="RADIOLUCENT",
    sending_facility="RADIOLOGY",
    receiving_application="EHR",
    receiving_facility="HOSPITAL",
)


def text_of(report, route=ROUTE, codec="utf-8"):
    return build_oru(report, route).payload.decode(codec)


def values(report, number, **route):
    return [
        str(each[number]) if number < len(each) else "" for each in hl7.parse(text_of(report, **route)).segments("OBX")
    ]


def impression(report):
    return hl7.parse(text_of(report)).extract_field("OBX", 1, 5)


@pytest.mark.parametrize("name", REPORTS)
def test_word_for_word(name):
    assert text_of(REPORTS[name]).replace("\r", "\n") == (GOLDEN / f"oru_{name}.hl7").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", REPORTS)
def test_hl7apy_finds_it_valid(name, tmp_path):
    text = text_of(REPORTS[name])
    parsed = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=True)
    assert parsed.validate(report_file=str(tmp_path / "report"))
    # Its copy of table 0396 is older than SNOMED CT's code there, and local systems are not in it by nature.
    known = ("Value SCT not in table HL70396", "Value UCUM not in table HL70396", "Value 99RADIOLUCENT not in table")
    warnings = (tmp_path / "report").read_text().splitlines()
    assert [each for each in warnings if not any(word in each for word in known)] == []


@pytest.mark.parametrize("name", REPORTS)
def test_hl7apy_parses_it_at_its_strictest(name):
    # It holds formatted text to 199 characters, where the standard allows 65,536.
    text = text_of(REPORTS[name])
    text = text.replace(hl7.parse(text)["OBX"][0][5][0], "short")
    parsed = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True)
    assert parsed.validate()
    order = parsed.oru_r01_patient_result.oru_r01_order_observation
    assert order.obr.obr_18.to_er7() == "ACC1"
    assert len(order.oru_r01_observation) == len(hl7.parse(text).segments("OBX"))


@pytest.mark.parametrize("name", REPORTS)
def test_never_final(name):
    parsed = hl7.parse(text_of(REPORTS[name]))
    assert parsed.extract_field("OBR", 1, 25) == "P"
    status = "W" if name == "retracted" else "P"
    assert set(values(REPORTS[name], 11)) == {status}
    assert len(parsed["OBR"][0]) <= 32, "OBR-32 is a person"


@pytest.mark.parametrize("name", REPORTS)
def test_every_impression_says_what_it_is(name):
    words = impression(REPORTS[name])
    assert "AI result, not verified by a person." in words
    assert DISCLAIMER in words
    assert REPORTS[name].impression in words


def test_the_outputs_are_told_apart():
    names = ("positive", "nothing_found", "refused", "not_processed")
    statements = {impression(replace(REPORTS[name], impression="", refusals=())) for name in names}
    codes = {hl7.parse(text_of(REPORTS[name])).extract_field("OBX", 2, 5, 1, 4) for name in names}
    assert len(statements) == 4
    assert codes == set(names)
    assert "Pneumothorax" not in text_of(REPORTS["refused"]) + text_of(REPORTS["not_processed"])


def test_what_is_not_read_is_said_also_beside_findings():
    reason = Reason(code="wrong_view", text="A lateral view.")
    report = replace(REPORTS["positive"], refusals=(reason, reason))
    assert "Not read (2 images): A lateral view." in impression(report)
    assert values(report, 5)[1].startswith("111244^")
    assert values(replace(REPORTS["nothing_found"], refusals=(reason,)), 5)[1].startswith("111243^")


def test_a_negative_is_absent_and_not_normal():
    for status, value, flag in zip(*(values(REPORTS["positive"], n) for n in (4, 5, 8)), strict=True):
        assert flag == {("3", "52101004^Present^SCT"): "AA", ("1", "52101004^Present^SCT"): "A"}.get(
            (status, value), ""
        )


def test_a_finding_has_the_same_number_in_a_correction():
    places = [
        dict(zip(values(REPORTS[name], 3), values(REPORTS[name], 4), strict=True)) for name in ("positive", "corrected")
    ]
    findings = ("36118008^Pneumothorax^SCT", "60046008^Pleural effusion^SCT", "27925004^Nodule^SCT")
    assert [places[0][each] for each in findings] == [places[1][each] for each in findings] == ["3", "1", "2"]


@pytest.mark.parametrize("name", ["positive", "corrected", "retracted"])
def test_observations_have_identities_of_their_own(name):
    identities = list(zip(values(REPORTS[name], 3), values(REPORTS[name], 4), strict=True))
    assert len(set(identities)) == len(identities)


def test_control_ids_go_by_report_and_destination():
    reports = (*REPORTS.values(), replace(cases.POSITIVE, revision=2))
    routes = (ROUTE, replace(ROUTE, destination="other"))
    ids = [build_oru(report, route).control_id for report in reports for route in routes]
    assert len(set(ids)) == len(ids) == 14
    assert {len(each) for each in ids} == {20}
    assert build_oru(cases.POSITIVE, ROUTE) == build_oru(cases.POSITIVE, ROUTE)
    assert hl7.parse(text_of(cases.POSITIVE)).extract_field("MSH", 1, 10) == ids[0]


def test_enhanced_mode_is_asked_for_in_the_header():
    header = hl7.parse(text_of(cases.POSITIVE, replace(ROUTE, mode="enhanced")))["MSH"][0]
    assert (str(header[15]), str(header[16])) == ("AL", "NE")


def of_patient(**changes):
    patient = replace(cases.CONTEXT.patient, **changes)
    return replace(cases.POSITIVE, context=replace(cases.CONTEXT, patient=patient))


def test_a_control_id_stands_for_one_content():
    merged = of_patient(patient_id="SURVIVOR")
    reasons = replace(cases.POSITIVE, context=replace(cases.CONTEXT, order=replace(cases.CONTEXT.order, reason="new")))
    made = [build_oru(report, ROUTE) for report in (cases.POSITIVE, merged, reasons)]
    assert len({each.control_id for each in made}) == 3
    assert build_oru(merged, ROUTE) == made[1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DOE^JANE^Q^DR^MD", "DOE^JANE^Q^MD^DR"),
        ("YAMADA^TAROU=山田^太郎=やまだ^たろう", "YAMADA^TAROU^^^^^^A~山田^太郎^^^^^^I~やまだ^たろう^^^^^^P"),
        ("=山田^太郎", "山田^太郎^^^^^^I"),
        ("A|B&C~D\\E^X", "A\\F\\B\\T\\C\\R\\D\\E\\E^X"),
        ("A\rPID|2^X", "A\\.br\\PID\\F\\2^X"),
        ("", "^^^^^^U"),
        ("^^", "^^^^^^U"),
    ],
)
def test_names(name, expected):
    assert str(hl7.parse(text_of(of_patient(name=name)))["PID"][0][5]) == expected


def test_without_an_order_the_accession_number_stands_for_the_filler():
    report = replace(cases.POSITIVE, context=replace(cases.CONTEXT, order=None), modality="CT")
    obr = hl7.parse(text_of(report))["OBR"][0]
    assert [str(obr[n]) for n in (2, 3, 4, 18, 24)] == [
        "",
        "ACC1",
        "25045-6^CT unspecified body region^LN",
        "ACC1",
        "CT",
    ]


def test_a_patient_without_identifier_has_none():
    assert str(hl7.parse(text_of(of_patient(patient_id="", issuer="")))["PID"][0][3]) == ""


@pytest.mark.parametrize(
    ("character_set", "codec", "name"),
    [
        ("8859/1", "latin-1", "MÜLLER"),
        ("8859/15", "iso8859-15", "ŒUVRE"),
        ("ISO IR87", "iso2022_jp", "山田"),
        ("UNICODE UTF-8", "utf-8", "山田"),
    ],
)
def test_character_sets(character_set, codec, name):
    text = text_of(of_patient(name=name), replace(ROUTE, character_set=character_set), codec)
    assert (f"||{name}||" in text, f"|{character_set}\r" in text, "question mark" in text) == (True, True, False)


def test_a_name_that_cannot_be_written_is_marked_as_such():
    text = text_of(of_patient(name="MÜLLER^李"), replace(ROUTE, character_set="8859/1"), "latin-1")
    assert "||MÜLLER^?||" in text
    assert "Characters that 8859/1 lacks are written as a question mark." in text


@pytest.mark.parametrize(
    ("report", "character_set", "code"),
    [
        (of_patient(patient_id="47Ü11"), "ASCII", "hl7_cannot_encode"),
        (of_patient(issuer="KÖLN"), "ASCII", "hl7_cannot_encode"),
        (replace(cases.POSITIVE, context=replace(cases.CONTEXT, accession_number="A€")), "8859/1", "hl7_cannot_encode"),
        (cases.POSITIVE, "EBCDIC", "hl7_character_set_unknown"),
    ],
)
def test_an_identifier_is_never_mangled(report, character_set, code):
    with pytest.raises(SettingsError) as caught:
        build_oru(report, replace(ROUTE, character_set=character_set))
    assert caught.value.code == code
    assert cases.MARKER not in str(caught.value)
    assert "47" not in str(caught.value)


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(["ASCII", "8859/1", "ISO IR87", "UNICODE UTF-8"]))
def test_any_text_stays_in_its_place(name, words, character_set):
    report = replace(of_patient(name=name), impression=words)
    payload = build_oru(report, replace(ROUTE, character_set=character_set)).payload
    assert [each.payload for each in Decoder().feed(frame(payload))] == [payload]
    codec = CHARACTER_SETS[character_set]
    expected, found = hl7.parse(text_of(cases.POSITIVE)), hl7.parse(payload.decode(codec))
    assert [str(each[0]) for each in found if str(each[0]) != "NTE"] == [
        str(each[0]) for each in expected if str(each[0]) != "NTE"
    ]
    assert found["OBX"][0][11] == expected["OBX"][0][11]
    assert found["PID"][0][7] == expected["PID"][0][7]
