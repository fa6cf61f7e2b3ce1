"""Acknowledgements: who gets which, in the original and the enhanced mode."""

from dataclasses import replace
from datetime import UTC, datetime

import hl7
import pytest
from hl7_cases import msh, orm
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from radiolucent.errors import InputRefused
from radiolucent.ingest.hl7_acknowledge import acknowledgements
from radiolucent.ingest.hl7_header import read_header
from radiolucent.records.hl7 import Answer, Hl7Header

NOW = datetime(2025, 3, 1, 10, 15, 1, tzinfo=UTC)
WRONG = Answer(code="AE", error_code="101", text="No accession | number.", location=("OBR", 2, 18))
NEVER = Answer(code="AR", error_code="200", text="Another message.")


def header(**fields):
    return read_header(orm(header=msh("ORM^O01^ORM_O01", **fields)))


@pytest.mark.parametrize(
    ("accept", "application", "codes"),
    [
        ("", "", ("AA", "AE", "AR")),
        ("AL", "NE", ("CA", "CE", "CR")),
        ("AL", "", ("CA", "CE", "CR")),
        ("AL", "AL", ("CA AA", "CE", "CR")),
        ("NE", "AL", ("AA", "AE", "AR")),
        ("", "AL", ("AA", "AE", "AR")),
        ("NE", "NE", ("", "", "")),
        ("ER", "NE", ("", "CE", "CR")),
        ("SU", "NE", ("CA", "", "")),
        ("ER", "SU", ("AA", "CE", "CR")),
        ("SU", "ER", ("CA", "AE", "AR")),
        ("AL", "ER", ("CA", "CE", "CR")),
        ("WHAT", "NE", ("CA", "CE", "CR")),
    ],
)
def test_modes(accept, application, codes):
    given = header(accept=accept, application=application)
    found = [
        " ".join(hl7.parse(each.decode()).extract_field("MSA", 1, 1) for each in acknowledgements(given, answer, NOW))
        for answer in (Answer(), WRONG, NEVER)
    ]
    assert found == list(codes)


def test_an_acknowledgement_word_for_word():
    (found,) = acknowledgements(header(), WRONG, NOW)
    control = hl7.parse(found.decode()).extract_field("MSH", 1, 10)
    assert found.decode().replace(control, "ID").split("\r") == [
        "MSH|^~\\&|RADIOLUCENT|RADIOLOGY|RIS|HOSPITAL|20250301101501||ACK^O01^ACK|ID|P|2.5.1",
        "MSA|AE|MSG00001",
        "ERR||OBR^2^18|101^Required field missing^HL70357|E||||No accession \\F\\ number.",
        "",
    ]


def test_before_version_2_5_the_error_stands_in_its_old_place():
    (found,) = acknowledgements(header(version="2.3.1"), WRONG, NOW)
    assert found.decode().split("\r")[1:] == [
        "MSA|AE|MSG00001|No accession \\F\\ number.",
        "ERR|OBR^2^18^101&Required field missing&HL70357",
        "",
    ]
    assert "|ACK^O01^ACK|" in found.decode()
    (older,) = acknowledgements(header(version="2.3"), WRONG, NOW)
    assert "|ACK^O01|" in older.decode()


@pytest.mark.parametrize("answer", [Answer(), WRONG, NEVER])
@pytest.mark.parametrize("version", ["2.3.1", "2.4", "2.5", "2.5.1", "2.6"])
def test_hl7apy_finds_them_valid(answer, version):
    for each in acknowledgements(header(version=version, accept="AL", application="AL"), answer, NOW):
        parsed = parse_message(each.decode(), validation_level=VALIDATION_LEVEL.STRICT, find_groups=True)
        assert parsed.validate()
        assert parsed.msa.msa_2.to_er7() == "MSG00001"


def test_the_same_question_has_the_same_answer():
    first, later = (acknowledgements(header(), Answer(), NOW.replace(second=s)) for s in (1, 2))
    assert [each.replace(b"101502", b"101501") for each in later] == list(first)
    assert acknowledgements(replace(header(), control_id="OTHER"), Answer(), NOW) != first


def test_a_message_without_readable_header_is_answered_too():
    (found,) = acknowledgements(Hl7Header(), NEVER, NOW)
    assert b"MSA|AR\rERR||" in found
    with pytest.raises(InputRefused):
        read_header(b"nonsense")


@pytest.mark.parametrize(("name", "codec"), [("8859/1", "latin-1"), ("UNICODE UTF-8", "utf-8"), ("EBCDIC", "ascii")])
def test_answers_come_in_the_character_set_of_the_question(name, codec):
    given = replace(header(set=name), sending_facility="KÖLN")
    (found,) = acknowledgements(given, Answer(), NOW)
    assert "KÖLN".encode(codec, "replace") in found
    assert (name.encode() in found) is (name != "EBCDIC")
