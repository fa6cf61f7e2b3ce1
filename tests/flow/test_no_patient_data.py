"""A patient who is found in the store and in messages, and nowhere else: not in logs, metrics, answers, workflows."""

from __future__ import annotations

import base64
import io
import re
import sqlite3
from pathlib import Path

import httpx
import pytest
from flow import hospital
from flow.hospital import eventually
from flow.test_flow import CONFLICT, sent_to, site, to_ehr, to_pacs

from radiolucent import logs

NAME, IDENTITY, ACCESSION, BORN = "ZZQNAME^ZZQGIVEN", "ZZQID77", "ZZQACC77", "19330317"
MARKS = ("ZZQNAME", "ZZQGIVEN", IDENTITY, ACCESSION, BORN)
SAID = {
    "PatientName": NAME,
    "PatientID": IDENTITY,
    "AccessionNumber": ACCESSION,
    "PatientBirthDate": BORN,
    "StudyDescription": "ZZQNAME was here",
}


def found_in(text: str) -> list[str]:
    return [mark for mark in MARKS if mark in text]


def everything(database: Path) -> str:
    """Every value of every table, and what base64 in it decodes to."""
    out = []
    with sqlite3.connect(database) as connection:
        tables = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for row in connection.execute(f'select * from "{table}"'):  # names come from the database itself
                out += [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row]
    decoded = []
    for value in out:
        if re.fullmatch(r"[A-Za-z0-9+/=]{8,}", value) and len(value) % 4 == 0:
            decoded.append(base64.b64decode(value).decode("latin-1"))
    return "\n".join(out + decoded)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_patient_is_named_only_where_they_must_be(tmp_path: Path) -> None:
    stream = io.StringIO()
    root_handlers = list(logs.logging.getLogger().handlers)
    logs.start("debug", stream)
    answers = []
    try:
        with hospital.pacs() as gone:
            closed = gone.port
        away = {"name": "away", "kind": "dimse", "host": "127.0.0.1", "port": closed, "ae_title": "NOBODY"}
        with (
            hospital.pacs() as pacs,
            hospital.listener() as ehr,
            site(tmp_path, **sent_to(to_pacs(pacs), to_ehr(ehr), away), delivery={"max_attempts": 2}) as here,
        ):
            pacs.statuses = [0, 0xC000]  # refused in part
            film = hospital.film(**SAID)
            hospital.send(here.port, [film])
            assert hospital.send(here.port, [hospital.other_content(film)])[str(film.SOPInstanceUID)] == CONFLICT
            cut = hospital.film(**SAID)
            del cut.StudyInstanceUID
            hospital.send(here.port, [cut])
            hospital.send(here.port, [hospital.film(**SAID)], called="ZZQNAME")
            message = f"MSH|^~\\&|RIS|H|R|R|2025||ORM^O01|{IDENTITY}|P|2.5.1\rPID|1||{IDENTITY}||{NAME}\rORC|ZZ\r"
            answers.append(hospital.tell(here.hl7, message.encode()))
            eventually(here.done)
            assert here.running.http is not None
            base = f"http://127.0.0.1:{here.running.http.port}"
            for path in (
                "/metrics",
                "/api/status",
                "/health/ready",
                f"/dicom-web/studies?PatientName={NAME}&Nonsense=1",
                f"/dicom-web/studies/{IDENTITY}",
                f"/fhir/DiagnosticReport?nonsense={IDENTITY}",
            ):
                answers.append(httpx.get(base + path).text)
            own = everything(tmp_path / "data" / "radiolucent.sqlite")
            workflows = everything(tmp_path / "data" / "workflows.sqlite")
            named = [pacs.received[0][2].PatientID, ehr.of(ACCESSION)[0]["PID"][0][5]]
    finally:
        logs.logging.getLogger().handlers[:] = root_handlers
    assert named == [IDENTITY, NAME], "the way out names them"
    assert found_in(own) == list(MARKS), "and so does the store: this test can fail"
    assert "read_study" in workflows
    assert found_in(workflows) == []
    assert "delivery" in stream.getvalue() or "dicom_open" in stream.getvalue()
    assert found_in(stream.getvalue()) == []
    assert [found_in(answer) for answer in answers] == [[]] * len(answers)
