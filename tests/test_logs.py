"""The log: one JSON object a line, and nothing in it that anybody else has said."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from radiolucent import logs

SECRET = "Marker^Patient^Name"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, ours = logging.getLogger(), logging.getLogger(logs.OURS)
    before = (list(root.handlers), root.level, ours.level)
    out = io.StringIO()
    logs.start("info", out)
    yield out
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_object_a_line(stream: io.StringIO) -> None:
    log = logging.getLogger("radiolucent.store")
    logs.event(log, "kept", study="ab12", count=3, ms=1.5)
    logs.event(log, "storage_low", level=logging.WARNING, free_mb=100)
    first, second = lines(stream)
    assert {k: v for k, v in first.items() if k != "at"} == {
        **{"level": "info", "event": "kept", "study": "ab12", "count": 3, "ms": 1.5},
    }
    assert str(first["at"]).endswith("+00:00")
    assert (second["level"], second["event"], second["free_mb"]) == ("warning", "storage_low", 100)


def test_a_field_that_is_not_on_the_list_is_a_defect(stream: io.StringIO) -> None:
    with pytest.raises(ValueError, match="patient_id"):
        logs.event(logging.getLogger("radiolucent"), "kept", study="x", patient_id=SECRET)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("name", ["patient", "uid", "text", "message", "path", "accession_number", "peer"])
def test_the_list_names_nothing_of_a_patient(name: str) -> None:
    assert name not in logs.FIELDS


def test_fields_that_come_another_way_are_left_out(stream: io.StringIO) -> None:
    logging.getLogger("radiolucent.x").info("kept", extra={"patient_id": SECRET, "count": 1})
    assert SECRET not in stream.getvalue()
    assert lines(stream)[0]["count"] == 1


def test_arguments_of_a_message_are_never_put_into_it(stream: io.StringIO) -> None:
    logging.getLogger("radiolucent.x").warning("kept %s", SECRET)
    assert SECRET not in stream.getvalue()
    assert lines(stream)[0]["event"] == "kept %s"


@pytest.mark.parametrize("name", ["pydicom", "pynetdicom.assoc", "sqlalchemy.engine", "dbos", "", "radiolucentish"])
def test_of_a_library_only_its_name_is_written(stream: io.StringIO, name: str) -> None:
    logging.getLogger(name).error("C-STORE of %s failed", SECRET, extra={"study": SECRET})
    assert SECRET not in stream.getvalue()
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("library", name or "root", "error")
    assert "study" not in line


def test_libraries_are_heard_from_warnings_on(stream: io.StringIO) -> None:
    logging.getLogger("pynetdicom.acse").info("Accepting Association")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("name", ["radiolucent.x", "pydicom"])
def test_of_an_exception_only_its_kind_is_written(stream: io.StringIO, name: str) -> None:
    try:
        raise KeyError(SECRET)
    except KeyError:
        logging.getLogger(name).exception("failed")
    assert SECRET not in stream.getvalue()
    assert "Traceback" not in stream.getvalue()
    assert lines(stream)[0]["error"] == "KeyError"


def test_an_event_tells_the_kind_of_the_exception_being_handled(stream: io.StringIO) -> None:
    log = logging.getLogger("radiolucent.x")
    try:
        raise ZeroDivisionError(SECRET)
    except ZeroDivisionError:
        logs.event(log, "failed", level=logging.ERROR, error=True)
    logs.event(log, "later", error=True)
    assert [line.get("error") for line in lines(stream)] == ["ZeroDivisionError", None]
    assert SECRET not in stream.getvalue()


def test_a_line_stays_one_line(stream: io.StringIO) -> None:
    logs.event(logging.getLogger("radiolucent.x"), "kept", code="a\nb", worker="ü\u2028", kind=object)
    assert len(stream.getvalue().strip("\n").split("\n")) == 1
    assert len(lines(stream)) == 1


def test_the_level_is_of_our_own_events(stream: io.StringIO) -> None:
    logs.start("error", stream)
    log = logging.getLogger("radiolucent.x")
    logs.event(log, "kept")
    logs.event(log, "failed", level=logging.ERROR)
    assert [line["event"] for line in lines(stream)] == ["failed"]


def test_starting_again_does_not_double_the_lines(stream: io.StringIO) -> None:
    logs.start("info", stream)
    logs.event(logging.getLogger("radiolucent.x"), "kept")
    assert len(lines(stream)) == 1
