"""Codes are DICOM's own, and every action has a meaning."""

from __future__ import annotations

import pytest
from audit_cases import ACTIONS, STUDY, event
from pydicom.sr.codedict import codes

from radiolucent.audit import vocabulary
from radiolucent.audit.participants import AccessPoint, Reporter, access_point, participants
from radiolucent.audit.vocabulary import MEANINGS, OUTCOMES, clean, meaning
from radiolucent.records.audit import AuditAction, AuditEvent
from radiolucent.records.engine import Code

DICOM = [c for c in vars(vocabulary).values() if isinstance(c, Code) and c.scheme == "DCM"]
US = Reporter(source_id="reader-1", ae_title="RADIOLUCENT", address="10.0.0.1")


@pytest.mark.parametrize("code", DICOM, ids=lambda c: c.value)
def test_codes_mean_what_the_standard_says(code: Code) -> None:
    known = {c.value: c.meaning for c in (getattr(codes.DCM, name) for name in codes.DCM.dir())}
    assert known[code.value] == code.meaning


def test_every_action_and_outcome_is_covered() -> None:
    assert len(DICOM) > 20
    assert set(MEANINGS) == set(ACTIONS)
    assert set(OUTCOMES.values()) == {"0", "4", "8"}


@pytest.mark.parametrize(
    ("one", "code", "action"),
    [
        (event("receive"), "110104", "C"),
        (event("refuse"), "110104", "C"),
        (event("refuse", details={"stage": "connection"}), "110113", "E"),
        (event("order", details={"control": "NW"}), "110109", "C"),
        (event("order", details={"control": "XO"}), "110109", "U"),
        (event("order", details={"control": "CA"}), "110109", "D"),
        (event("order"), "110109", "C"),
        (event("send", details={"interface": "dimse"}), "110104", "E"),
        (event("send", details={"interface": "mllp"}), "110106", "R"),
        (event("send", details={"interface": "fhir"}), "110106", "R"),
        (event("access"), "110103", "R"),
        (event("access", details={"resource": "audit_log"}), "110101", "R"),
        (event("access", details={"kind": "break_glass"}), "110113", "E"),
        (event("access", details={"kind": "training_export"}), "110106", "R"),
        (event("delete"), "110105", "D"),
        (event("delete", study_instance_uid=""), "110110", "D"),
        (event("patient_merge"), "110110", "U"),
        (event("login"), "110114", "E"),
    ],
)
def test_details_decide_between_messages(one: AuditEvent, code: str, action: str) -> None:
    what = meaning(one)
    assert (what.event.value, what.action) == (code, action)


def roles(one: AuditEvent) -> list[tuple[str, bool, str]]:
    return [(p.user_id, p.is_requestor, p.role.value if p.role else "") for p in participants(one, meaning(one), US)]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("actor", ["radiolucent", "reader-1", "RADIOLUCENT", "dr.who", "", " ", "\x00"])
def test_exactly_one_asked_for_it_and_we_are_named_once(action: AuditAction, actor: str) -> None:
    one = event(action, actor=actor)
    took_part = participants(one, meaning(one), US)
    assert [p.is_requestor for p in took_part].count(True) == 1
    assert [p.user_id for p in took_part if p.is_reporter] == ["reader-1"]
    assert all(p.user_id for p in took_part)
    is_ours = actor in ("radiolucent", "reader-1", "RADIOLUCENT") or action == "setting_change"
    assert [p.is_reporter for p in took_part if p.is_requestor] == [is_ours]


def test_roles_follow_the_flow_of_data() -> None:
    sent = event("send", actor="radiolucent", peer="10.0.0.9:104", details={"destination": "pacs"})
    assert roles(event("receive")) == [("CT_ONE", True, "110153"), ("reader-1", False, "110152")]
    assert roles(sent) == [("reader-1", True, "110153"), ("pacs", False, "110152")]
    assert roles(event("query")) == [("CT_ONE", True, "110153"), ("reader-1", False, "110152")]
    asked = event("query", actor="radiolucent", details={"source": "pacs"})
    assert roles(asked) == [("reader-1", True, "110153"), ("pacs", False, "110152")]
    assert roles(event("start", actor="radiolucent", peer="")) == [("reader-1", True, "110150")]
    assert roles(event("start", actor="root", peer="")) == [("root", True, "110151"), ("reader-1", False, "110150")]
    assert roles(event("inference", actor="radiolucent", peer="")) == [("reader-1", True, "")]


@pytest.mark.parametrize(
    ("address", "point"),
    [
        ("", None),
        ("10.0.0.7", ("10.0.0.7", "2")),
        ("10.0.0.7:104", ("10.0.0.7", "2")),
        ("2001:db8::1", ("2001:db8::1", "2")),
        ("[2001:db8::1]:443", ("2001:db8::1", "2")),
        ("pacs.example", ("pacs.example", "1")),
        ("pacs.example:104", ("pacs.example", "1")),
        ("https://ehr.example/fhir", ("https://ehr.example/fhir", "5")),
    ],
)
def test_addresses(address: str, point: tuple[str, str] | None) -> None:
    expected = None if point is None else AccessPoint(id=point[0], type=point[1])  # type: ignore[arg-type]
    assert access_point(address) == expected


def test_clean_text() -> None:
    assert clean("  a\x00b\x1f\ud800\uffff\n\tc\U0001f600 ") == "a\ufffdb\ufffd\ufffd\ufffd  c\U0001f600"
    assert clean(STUDY) == STUDY
