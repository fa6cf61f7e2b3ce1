"""The interface specification says what the code does."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import hl7_cases as cases
import pytest

from radiolucent.errors import InputRefused
from radiolucent.ingest import hl7_header, hl7_order, hl7_segments
from radiolucent.ingest.hl7_acknowledge import acknowledgements
from radiolucent.ingest.hl7_header import read_header
from radiolucent.ingest.hl7_message import read_message
from radiolucent.ingest.hl7_refusals import answer_to
from radiolucent.records.hl7 import Answer
from radiolucent.report.hl7 import Hl7Route, build_oru, words
from radiolucent.standards.hl7_text import CHARACTER_SETS
from radiolucent.standards.mllp import MAX_MESSAGE_BYTES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hl7.md"
NOW = datetime(2025, 3, 1, 10, 15, 1, tzinfo=UTC)


def example(name):
    (found,) = re.findall(rf"^```hl7 {name}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return found


def shown(payload):
    return payload.decode().replace("\r", "\n").replace(cases.MARKER, "DOE")


def result(state):
    report = replace(
        cases.POSITIVE,
        findings=(cases.PNEUMOTHORAX,),
        impression="Pneumothorax likely (probability 0.93, high confidence).",
    )
    if state == "retracted":
        changes = {"report_id": "6a1d2e3f", "revision": 2, "replaces": report.report_id}
        report = replace(report, state="retracted", impression="The images were of another patient.", **changes)
    route = Hl7Route(
        destination="ehr",
        sending_application="RADIOLUCENT",
        sending_facility="RADIOLOGY",
        receiving_application="EHR",
        receiving_facility="HOSPITAL",
    )
    return build_oru(report, route).payload


def refused():
    payload = cases.orm(orc="", obr="", zds="")
    with pytest.raises(InputRefused) as caught:
        read_message(payload)
    return acknowledgements(read_header(payload), answer_to(caught.value), NOW)[0]


EXAMPLES = {
    "order": cases.orm,
    "acknowledgement": lambda: acknowledgements(read_header(cases.orm()), Answer(), NOW)[0],
    "refusal": refused,
    "merge": cases.a40,
    "result": lambda: result("preliminary"),
    "retraction": lambda: result("retracted"),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_what_the_code_reads_and_writes(name):
    assert example(name) == shown(EXAMPLES[name]())


def test_examples_of_messages_to_us_are_taken():
    assert len(read_message(example("order").replace("\n", "\r").encode()).orders) == 1
    assert len(read_message(example("merge").replace("\n", "\r").encode()).merges) == 1


def rows(heading):
    """The table under a header row, as a list of cells."""
    page = PAGE.read_text(encoding="utf-8")
    after = page[page.index(heading) + len(heading) :]
    lines = after[: after.index("\n\n")].strip().splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_character_sets():
    assert {name.strip("`"): codec for name, codec in rows("| MSH-18 | Codec |\n")} == dict(CHARACTER_SETS)


def test_limits():
    assert [value.split()[0] for _, value in rows("| Limit | Value |\n")] == [
        str(each)
        for each in (
            MAX_MESSAGE_BYTES,
            hl7_segments.MOST_PARTS,
            hl7_segments.LONGEST_VALUE,
            hl7_order.LONGEST_REASON,
            hl7_header.LONGEST_CONTROL_ID,
        )
    ]


def test_order_controls():
    wanted, cancelled, *_ = rows("| Order control | Effect |\n")
    assert set(re.findall(r"`(\w\w)`", wanted[0])) == hl7_order.WANTED
    assert set(re.findall(r"`(\w\w)`", cancelled[0])) == hl7_order.CANCELLED


def test_types():
    page = PAGE.read_text(encoding="utf-8")
    said = re.search(r"of MSH-9\.1 and MSH-9\.2 only (.*?) are taken", page)
    assert said
    assert set(re.findall(r"`(\w+)\^(\w+)`", said[1])) == hl7_header.SUPPORTED


def test_statements():
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    for each in (*words.STATEMENTS.values(), *words.STATE.values(), words.UNVERIFIED):
        assert each in page
