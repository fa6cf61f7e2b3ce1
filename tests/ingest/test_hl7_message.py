"""What the messages of a hospital say, and how wrong ones are refused."""

from dataclasses import replace

import hl7_cases as cases
import pytest
from hl7_cases import MARKER, a08, a40, er7, msh, omi, orm
from hypothesis import given
from hypothesis import strategies as st

from radiolucent.errors import InputRefused
from radiolucent.ingest.hl7_header import ReadingOptions
from radiolucent.ingest.hl7_message import read_message
from radiolucent.ingest.hl7_refusals import answer_to
from radiolucent.records.engine import Code
from radiolucent.records.hl7 import PatientMerge, PatientUpdate
from radiolucent.records.study import Order, Patient
from radiolucent.standards.mllp import Decoder, frame

ANNA = Patient(patient_id="4711", issuer="HOSPITAL", name=f"{MARKER}^ANNA^B^DR^JR", birth_date="19700102", sex="F")


def order(payload, **options):
    (found,) = read_message(payload, options=ReadingOptions(**options)).orders
    return found


def refusal(payload, **options):
    with pytest.raises(InputRefused) as caught:
        read_message(payload, options=ReadingOptions(**options))
    assert MARKER not in str(caught.value)
    return caught.value


def test_an_order_says_everything():
    assert order(orm()) == Order(
        accession_number="ACC1",
        placer_order_number="PL1",
        filler_order_number="FI1",
        priority="stat",
        reason="Shortness of breath",
        procedure=Code(scheme="LN", value="36643-5", meaning="XR Chest 2 Views"),
        study_instance_uid="1.2.3.4",
        patient=ANNA,
        is_cancelled=False,
    )


def test_an_imaging_order_says_it_in_its_own_places():
    assert order(omi()) == Order(
        accession_number="ACC2",
        placer_order_number="PL1",
        filler_order_number="FI1",
        priority="stat",
        reason="Fall",
        procedure=Code(scheme="L", value="CTHEAD", meaning="CT head"),
        study_instance_uid="1.2.3.5",
        patient=ANNA,
    )


def test_the_header_and_the_bytes_are_kept():
    payload = orm()
    read = read_message(payload, peer="10.0.0.1")
    assert (read.payload, read.peer) == (payload, "10.0.0.1")
    assert (read.header.key, read.header.message_code, read.header.trigger_event) == (
        "RIS|HOSPITAL|MSG00001",
        "ORM",
        "O01",
    )


@pytest.mark.parametrize(
    ("ipc", "obr18", "orc3", "obr3", "expected"),
    [
        ("I^X", "B", "C^X", "D^X", "I"),
        ("", "B", "C^X", "D^X", "B"),
        ("", "", "C^X", "D^X", "C"),
        ("", "", "", "D^X", "D"),
    ],
)
def test_accession_number_by_precedence(ipc, obr18, orc3, obr3, expected):
    lines = (msh("OMI^O23"), cases.PID, f"ORC|NW||{orc3}", f"OBR|1||{obr3}" + "|" * 15 + obr18, f"IPC|{ipc}")
    assert order(er7(*lines)).accession_number == expected


@pytest.mark.parametrize(
    ("tq1", "obr27", "orc7", "obr5", "expected"),
    [
        ("S", "R", "R", "R", "stat"),
        ("R", "S", "S", "S", "routine"),
        ("", "A", "R", "R", "stat"),
        ("", "", "ASAP", "R", "stat"),
        ("", "", "", "STAT", "stat"),
        ("", "", "", "", "routine"),
        ("", "T", "", "", "routine"),
    ],
)
def test_priority_by_precedence(tq1, obr27, orc7, obr5, expected):
    lines = (
        msh("ORM^O01"),
        f"ORC|NW||F1||||^^^^^{orc7}",
        f"TQ1|1||||||||{tq1}",
        f"OBR|1||F1||{obr5}" + "|" * 22 + f"^^^^^{obr27}",
    )
    assert order(er7(*lines)).priority == expected


@pytest.mark.parametrize(
    ("control", "cancelled"), [("NW", False), ("XO", False), ("RO", False), ("CA", True), ("DC", True), ("RP", True)]
)
def test_order_control(control, cancelled):
    assert order(orm(orc=f"ORC|{control}|PL1|FI1")).is_cancelled is cancelled


def test_a_status_report_is_understood_and_asks_for_nothing():
    assert read_message(orm(orc="ORC|SC|PL1|FI1||CM")).orders == ()


def test_several_orders_in_one_message():
    second = (cases.ORC.replace("NW", "CA"), cases.OBR.replace("ACC1", "ACC9"), cases.OBR.replace("ACC1", "ACC8"))
    found = read_message(er7(msh("ORM^O01"), cases.PID, cases.ORC, cases.OBR, *second)).orders
    assert [(each.accession_number, each.is_cancelled) for each in found] == [
        ("ACC1", False),
        ("ACC9", True),
        ("ACC8", True),
    ]


def test_update_tells_what_is_deleted_from_what_is_not_said():
    (update,) = read_message(a08('PID|1||4711^^^HOSPITAL^MR||NEW^NAME||""|')).updates
    assert update == PatientUpdate(patient_id="4711", issuer="HOSPITAL", name="NEW^NAME", birth_date="", sex=None)
    assert update.applied_to(ANNA) == replace(ANNA, name="NEW^NAME", birth_date="")


def test_merge_joins_numbers_of_one_register():
    (merge,) = read_message(a40()).merges
    assert merge == PatientMerge(surviving=ANNA, retired=Patient(patient_id="4712", issuer="HOSPITAL", name="OLD^NAME"))


def test_merge_takes_the_number_of_the_surviving_one_s_register():
    (merge,) = read_message(a40(mrg="MRG|88^^^REGION~4712^^^HOSPITAL")).merges
    assert (merge.retired.patient_id, merge.retired.issuer) == ("4712", "HOSPITAL")


def test_several_merges_in_one_message():
    second = (cases.PID.replace("4711", "5711"), "MRG|5712^^^HOSPITAL")
    found = read_message(a40() + er7(*second)).merges
    assert [(m.surviving.patient_id, m.retired.patient_id) for m in found] == [("4711", "4712"), ("5711", "5712")]


@pytest.mark.parametrize(
    ("pid3", "authority", "expected"),
    [
        ("1^^^A^PI~2^^^B^MR", "", ("2", "B")),
        ("1^^^A^PI~2^^^B^MR", "A", ("1", "A")),
        ("1^^^A^PI~2^^^B^MR", "C", ("2", "B")),
        ("1~2", "", ("1", "")),
        ("^^^A~2", "", ("2", "")),
        ("1^^^&1.2.3&ISO", "", ("1", "1.2.3")),
        ("1^^^A&1.2.3&ISO~2^^^B", "1.2.3", ("1", "A")),
    ],
)
def test_which_identifier(pid3, authority, expected):
    patient = order(orm(pid=f"PID|1||{pid3}||X^Y"), authority=authority).patient
    assert (patient.patient_id, patient.issuer) == expected


@pytest.mark.parametrize(
    ("pid5", "expected"),
    [
        ("DOE^JANE", "DOE^JANE"),
        ("VAN DER DOE&VAN DER&DOE^JANE^^III^PROF", "VAN DER DOE^JANE^^PROF^III"),
        ("DOE^A\\S\\B=C\\E\\D", "DOE^A B C D"),
        ("YAMADA^TAROU^^^^^L^A~山田^太郎^^^^^L^I~やまだ^たろう^^^^^L^P", "YAMADA^TAROU=山田^太郎=やまだ^たろう"),
        ("YAMADA^TAROU~山田^太郎^^^^^L^I", "YAMADA^TAROU=山田^太郎"),
        ("DOE^JANE~ROE^JANE", "DOE^JANE"),
        ("", ""),
    ],
)
def test_names_in_dicom_form(pid5, expected):
    assert order(orm(header=msh("ORM^O01", set="UNICODE UTF-8"), pid=f"PID|1||1||{pid5}")).patient.name == expected


@pytest.mark.parametrize(
    ("pid7", "expected"),
    [("19700102", "19700102"), ("197001020304", "19700102"), ("1970", ""), ("19701302", ""), ("UNKNOWN!", "")],
)
def test_birth_dates(pid7, expected):
    assert order(orm(pid=f"PID|1||1||A||{pid7}")).patient.birth_date == expected


@pytest.mark.parametrize(("pid8", "expected"), [("F", "F"), ("m", "M"), ("A", "O"), ("U", ""), ("X", "")])
def test_sex(pid8, expected):
    assert order(orm(pid=f"PID|1||1||A||19700102|{pid8}")).patient.sex == expected


def named(name, character_set, encoding, **options):
    text = orm(header=msh("ORM^O01", set=character_set), pid=f"PID|1||1||{name}").decode()
    return order(text.encode(encoding), **options).patient.name


@pytest.mark.parametrize(
    ("name", "character_set", "encoding"),
    [
        ("MÜLLER^JÖRG", "8859/1", "latin-1"),
        ("ŒUVRE^€", "8859/15", "iso8859-15"),
        ("MÜLLER^李", "UNICODE UTF-8", "utf-8"),
        ("山田^太郎", "~ISO IR87", "iso2022_jp"),
        ("山田^太郎", "ASCII~ISO IR87", "iso2022_jp"),
        ("김^희중", "KS X 1001", "euc_kr"),
        ("李^小龙", "GB 18030-2000", "gb18030"),
    ],
)
def test_character_sets(name, character_set, encoding):
    assert named(name, character_set, encoding) == name


def test_bytes_that_look_like_delimiters_in_japanese():
    name = "洟^滯"
    assert set(name.replace("^", "").encode("iso2022_jp")) >= set(b"|^")
    assert named(name, "~ISO IR87", "iso2022_jp") == name


def test_senders_that_name_no_character_set_are_read_as_the_site_says():
    assert named("MÜLLER", "", "latin-1", default_character_set="8859/1") == "MÜLLER"
    assert refusal(orm(pid="PID|1||1||MÜLLER")).code == "hl7_undecodable"


def test_hexadecimal_is_of_the_character_set():
    assert named("M\\XDC\\LLER", "8859/1", "latin-1") == "MÜLLER"
    assert named("M\\XC39C\\LLER", "UNICODE UTF-8", "utf-8") == "MÜLLER"


def test_other_delimiters():
    table = str.maketrans("|^~\\&", "#*!%@")
    text = orm(pid="PID|1||1^^^A&1.2||R\\T\\D^X").decode().translate(table)
    assert order(text.encode()).patient == Patient(patient_id="1", issuer="A", name="R@D^X")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r\r"])
def test_other_line_ends_are_understood(ending):
    assert order(orm().replace(b"\r", ending.encode())).accession_number == "ACC1"


WRONG = {
    "empty": (b"", "hl7_not_a_message", "AR", "100"),
    "no header": (er7(cases.PID), "hl7_not_a_message", "AR", "100"),
    "one delimiter for two things": (orm().replace(b"^~\\&", b"^^\\&", 1), "hl7_not_a_message", "AR", "100"),
    "letters as delimiters": (orm().replace(b"^~\\&", b"ABCD", 1), "hl7_not_a_message", "AR", "100"),
    "no type": (orm(header=msh("")), "hl7_header", "AR", "101"),
    "no control id": (orm(header=msh("ORM^O01", control="")), "hl7_header", "AR", "101"),
    "long control id": (orm(header=msh("ORM^O01", control="1" * 200)), "hl7_header", "AR", "101"),
    "no version": (orm(header=msh("ORM^O01", version="")), "hl7_header", "AR", "101"),
    "version 3": (orm(header=msh("ORM^O01", version="3.0")), "hl7_version", "AR", "203"),
    "a result": (orm(header=msh("ORU^R01")), "hl7_message_type", "AR", "200"),
    "an admission": (orm(header=msh("ADT^A01")), "hl7_trigger_event", "AR", "201"),
    "for training": (orm(header=msh("ORM^O01", processing="T")), "hl7_processing_id", "AR", "202"),
    "unknown set": (orm(header=msh("ORM^O01", set="EBCDIC")), "hl7_character_set", "AR", "103"),
    "wrong set": (
        orm(header=msh("ORM^O01", set="UNICODE UTF-8")).replace(b"ANNA", b"\xff"),
        "hl7_undecodable",
        "AR",
        "102",
    ),
    "two messages": (orm() + orm(), "hl7_several_messages", "AR", "100"),
    "a million fields": (orm() + b"NTE" + b"|" * 10**6, "hl7_too_large", "AR", "207"),
    "a million lines": (orm() + b"N\r" * 10**6, "hl7_too_large", "AR", "207"),
    "no ORC": (orm(orc=""), "hl7_segment_missing", "AE", "100"),
    "no OBR": (orm(obr=""), "hl7_segment_missing", "AE", "100"),
    "no order control": (orm(orc="ORC||PL1|FI1"), "hl7_field_missing", "AE", "101"),
    "unknown order control": (orm(orc="ORC|ZZ|PL1|FI1"), "hl7_order_control", "AE", "103"),
    "no number of any kind": (orm(orc="ORC|NW", obr="OBR|1"), "hl7_field_missing", "AE", "101"),
    "no patient identifier": (orm(pid=f"PID|1||||{MARKER}"), "hl7_field_missing", "AE", "101"),
    "no UID": (orm(zds="ZDS|../../etc/passwd"), "hl7_field_wrong", "AE", "102"),
    "long UID": (orm(zds=f"ZDS|1.{'2' * 63}"), "hl7_field_wrong", "AE", "102"),
    "long name": (orm(pid=f"PID|1||1||{MARKER * 30}"), "hl7_field_wrong", "AE", "102"),
    "NUL in a number": (orm(pid="PID|1||1\\X00\\2||X"), "hl7_field_wrong", "AE", "102"),
    "update without PID": (er7(msh("ADT^A08"), "EVN|A08"), "hl7_segment_missing", "AE", "100"),
    "merge without MRG": (er7(msh("ADT^A40"), cases.PID), "hl7_segment_missing", "AE", "100"),
    "merge out of order": (er7(msh("ADT^A40"), "MRG|1", cases.PID), "hl7_segment_missing", "AE", "100"),
    "merge without number": (a40(mrg="MRG|^^^HOSPITAL"), "hl7_field_missing", "AE", "101"),
    "merge with itself": (a40(mrg="MRG|4711^^^HOSPITAL"), "hl7_field_wrong", "AE", "102"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_messages(name):
    payload, code, verdict, condition = WRONG[name]
    error = refusal(payload)
    answer = answer_to(error)
    assert (error.code, answer.code, answer.error_code) == (code, verdict, condition)
    assert code in answer.text


def test_a_refusal_names_the_place():
    answer = answer_to(refusal(orm(zds="ZDS|no uid")))
    assert answer.location == ("ZDS", 1, 1)


PIECES = st.sampled_from(
    [
        *(b"|", b"^", b"~", b"\\", b"&", b"\r", b"\n", b"\x0b", b"\x1c\r", b"\x1c", b"\x00", b"\xff", b"\x1b$B", b'""'),
        *(b"MSH|^~\\&|", b"PID|", b"MRG|", b"ORC|NW|", b"OBR|1|", b"IPC|", b"ZDS|", b"TQ1|", b"\\X", b"\\.sp9999\\"),
        *(msh("ORM^O01").encode(), msh("ADT^A40").encode(), msh("OMI^O23", set="~ISO IR87").encode(), b"BHS|"),
        *(cases.PID.encode(), cases.ORC.encode(), cases.OBR.encode(), orm(), omi(), a08(), a40(), b"2.5.1", b"1.2.3"),
    ]
)


def verdict_on(payload):
    try:
        read_message(payload)
    except InputRefused as error:
        return answer_to(error).code
    return "AA"


@given(st.lists(PIECES | st.binary(max_size=12), max_size=25), st.booleans())
def test_any_bytes_are_read_or_refused(pieces, with_header):
    stream = (frame(b"")[:1] + (msh("ORM^O01").encode() + b"\r" if with_header else b"")) + b"".join(pieces) + b"\x1c\r"
    for each in Decoder(max_bytes=4096).feed(stream):
        assert verdict_on(each.payload) in ("AA", "AE", "AR")


@given(st.sampled_from([orm(), omi(), a08(), a40()]), st.data())
def test_damaged_messages_are_read_or_refused(payload, data):
    damaged = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        kind = data.draw(st.sampled_from(["byte", "cut", "double"]))
        if kind == "byte":
            damaged[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del damaged[at : at + data.draw(st.integers(1, 20))]
            damaged = damaged or bytearray(b"M")
        else:
            damaged[at:at] = damaged[at : at + 40]
    assert verdict_on(bytes(damaged)) in ("AA", "AE", "AR")
