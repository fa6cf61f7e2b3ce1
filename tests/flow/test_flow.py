"""A study's way through a hospital: real sockets, a real reading process, one installation after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fhir_peer
import hl7_cases
import pytest
from delivery_peers import certificates
from flow import hospital
from flow.hospital import eventually

from radiolucent.audit.canonical import parse
from radiolucent.errors import SettingsError
from radiolucent.records.audit import AuditEvent
from radiolucent.store import outbox, upkeep, work
from radiolucent.wiring.operator import Desk
from radiolucent.wiring.running import Running

CONFLICT, NO_RESOURCES = 0x0111, 0xA700


@dataclass
class Site:
    """A running installation and what is looked at from outside."""

    running: Running

    @property
    def port(self) -> int:
        assert self.running.installation.dicom is not None
        return self.running.installation.dicom.port

    @property
    def hl7(self) -> int:
        assert self.running.hl7 is not None
        return self.running.hl7.port

    def studies(self) -> dict[str, dict[str, Any]]:
        """Rows of `radiolucent status` by study key."""
        with self.running.installation.journal.reading() as connection:
            return {str(row["study_key"]): row for row in upkeep.recent(connection, limit=50)}

    def only(self) -> dict[str, Any]:
        (row,) = self.studies().values()
        return row

    def done(self) -> bool:
        """Every study is where it stays, and nothing waits to be sent."""
        with self.running.installation.journal.reading() as connection:
            waiting = [s for (_, s) in outbox.counts(connection) if s == "waiting"]
            states = set(work.counts(connection))
        return bool(states) and states <= {"done", "unrouted", "quarantined"} and not waiting

    def report(self) -> Any:
        with self.running.installation.journal.reading() as connection:
            return work.report(connection, str(self.only()["study_key"]))

    def deliveries(self) -> dict[str, str]:
        with self.running.installation.journal.reading() as connection:
            found = outbox.of_study(connection, str(self.only()["study_key"]))
        return {f"{d.destination}/{d.purpose}/{d.revision}": d.state for d in found}

    def audited(self, action: str) -> list[AuditEvent]:
        told = (parse(entry.text) for entry in self.running.installation.journal.log.entries())
        return [each for each in told if each.action == action]


@contextmanager
def site(folder: Path, **rows: Any) -> Iterator[Site]:
    """A small installation with the tiny engine, for as long as the context lasts."""
    given = {"reader": {"engines": [str(hospital.engines(folder / "engines"))]}} | rows
    with Running(hospital.settings(folder / "data", **given)) as running:
        yield Site(running)


def to_pacs(pacs: hospital.Pacs, **more: Any) -> dict[str, Any]:
    return {"name": "pacs", "kind": "dimse", "host": "127.0.0.1", "port": pacs.port, "ae_title": "PACS", **more}


def to_ehr(ehr: hospital.Listener) -> dict[str, Any]:
    return {"name": "ehr", "kind": "mllp", "host": "127.0.0.1", "port": ehr.port, "application": "EHR"}


def sent_to(*rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "destinations": list(rows),
        "rules": [{"name": "everything", "destinations": [row["name"] for row in rows]}],
    }


@contextmanager
def fhir_server() -> Iterator[fhir_peer.Ehr]:
    """An EHR that stores transactions."""
    ehr = fhir_peer.Ehr()
    with fhir_peer.serving(ehr) as url:
        ehr.url = url
        yield ehr


def test_a_film_goes_everywhere(tmp_path: Path) -> None:
    with (
        hospital.pacs() as pacs,
        hospital.listener() as ehr,
        hospital.shelf(tmp_path / "shelf") as shelf,
        fhir_server() as fhir,
        site(
            tmp_path,
            **sent_to(
                to_pacs(pacs),
                to_ehr(ehr),
                {"name": "web", "kind": "stow", "url": shelf.url, "profile": "old-pacs"},
                {"name": "fhir", "kind": "fhir", "url": fhir.url},
            ),
        ) as here,
    ):
        film = hospital.film(AccessionNumber="ACC7")
        assert hospital.send(here.port, [film])[str(film.SOPInstanceUID)] == 0
        eventually(here.done)
        report = here.report()
        assert (report.status, report.state, [f.key for f in report.positives]) == (
            "positive",
            "preliminary",
            ["bright"],
        )
        assert pacs.of(film.StudyInstanceUID) == {o.instance.sop_instance_uid for o in report.objects}
        assert {o.kind for o in report.objects} >= {"structured_report", "secondary_capture", "segmentation"}
        captures = {o.instance.sop_instance_uid for o in report.objects if o.kind == "secondary_capture"}
        assert shelf.of(film.StudyInstanceUID) == captures, "an old PACS is sent pictures alone"
        (message,) = ehr.of("ACC7")
        assert {row[11] for row in message["OBX"]} == {"P"}
        assert message["OBR"][0][25] == "P"
        kinds = {name.split("/")[0] for name in fhir.stored}
        assert {"Patient", "ImagingStudy", "DiagnosticReport", "Observation", "Device", "Provenance"} <= kinds
        assert {r["status"] for r in fhir.stored.values() if r["resourceType"] == "DiagnosticReport"} == {"preliminary"}
        assert {e.details["destination"] for e in here.audited("send")} == {"pacs", "ehr", "web", "fhir"}
        assert here.running.installation.journal.log.verify().verified


@pytest.mark.parametrize("order_first", [True, False])
def test_an_order_raises_a_study_and_travels_with_its_result(tmp_path: Path, order_first: bool) -> None:
    with hospital.listener() as ehr, site(tmp_path, **sent_to(to_ehr(ehr)), completion={"quiet_s": 2.0}) as here:
        film = hospital.film(AccessionNumber="ACC1", StudyInstanceUID="1.2.3.4")
        if order_first:
            assert hospital.tell(here.hl7, hl7_cases.orm()) == "AA"
        hospital.send(here.port, [film])
        if not order_first:
            assert here.only()["priority"] == "routine"
            assert hospital.tell(here.hl7, hl7_cases.orm()) == "AA"
        assert here.only()["priority"] == "stat"
        eventually(here.done)
        (message,) = ehr.of("ACC1")
        assert message["OBR"][0][2].startswith("PL1")
        assert hospital.tell(here.hl7, hl7_cases.orm()) == "AA", "told again: answered as before"
        assert len(here.audited("order")) == 1, "and changes nothing"


def test_results_follow_the_surviving_patient(tmp_path: Path) -> None:
    with hospital.listener() as ehr, site(tmp_path, **sent_to(to_ehr(ehr))) as here:
        film = hospital.film(PatientID="4712", IssuerOfPatientID="HOSPITAL")
        assert hospital.tell(here.hl7, hl7_cases.a40()) == "AA"
        hospital.send(here.port, [film])
        eventually(here.done)
        (message,) = ehr.of("ACC1")
        assert message["PID"][0][3].startswith("4711")
        assert len(here.audited("patient_merge")) == 1


def test_a_merge_after_the_images_came_reaches_what_waits(tmp_path: Path) -> None:
    with hospital.listener() as ehr, site(tmp_path, **sent_to(to_ehr(ehr))) as here:
        ehr.answers = ["AE"] * 1000
        film = hospital.film(PatientID="4712", IssuerOfPatientID="HOSPITAL")
        hospital.send(here.port, [film])
        eventually(lambda: len(ehr.refused) >= 1)
        assert hospital.tell(here.hl7, hl7_cases.a40()) == "AA"
        ehr.answers = []
        eventually(here.done)
        (message,) = ehr.of("ACC1")
        assert message["PID"][0][3].startswith("4711")
        before = hospital.segments(ehr.refused[0])
        assert before["PID"][0][3].startswith("4712")
        assert before["MSH"][0][9] != message["MSH"][0][9], "another content, another message"
        assert len(here.audited("patient_merge")) == 1
        late = hospital.film(study=film.StudyInstanceUID, PatientID="4712", IssuerOfPatientID="HOSPITAL")
        hospital.send(here.port, [late])
        eventually(lambda: here.only()["revision"] == 2 and here.done())
        assert ehr.of("ACC1")[-1]["PID"][0][3].startswith("4711"), "and what comes later"


def test_a_late_image_opens_a_study_again(tmp_path: Path) -> None:
    with (
        hospital.pacs() as pacs,
        hospital.listener() as ehr,
        site(tmp_path, **sent_to(to_pacs(pacs), to_ehr(ehr))) as here,
    ):
        first, late = hospital.study_of(2, announced=False)
        hospital.send(here.port, [first])
        eventually(here.done)
        sent = dict(pacs.contents)
        hospital.send(here.port, [late])
        eventually(lambda: here.only()["revision"] == 2 and here.done())
        report = here.report()
        assert (report.state, len(report.images), report.revision) == ("corrected", 2, 2)
        assert {uid: pacs.contents[uid] for uid in sent} == sent, "what was sent stays what it was"
        assert pacs.of(first.StudyInstanceUID) == {o.instance.sop_instance_uid for o in report.objects}
        assert len(ehr.of("ACC1")) == 2


def test_the_same_again_changes_nothing_and_another_content_is_refused(tmp_path: Path) -> None:
    with hospital.pacs() as pacs, site(tmp_path, **sent_to(to_pacs(pacs))) as here:
        film = hospital.film()
        for _ in range(5):
            assert hospital.send(here.port, [film])[str(film.SOPInstanceUID)] == 0
        eventually(here.done)
        assert here.only()["revision"] == 1
        assert {len(contents) for contents in pacs.contents.values()} == {1}
        assert hospital.send(here.port, [hospital.other_content(film)])[str(film.SOPInstanceUID)] == CONFLICT
        assert "duplicate_uid" in {each.details["code"] for each in here.audited("refuse")}
        assert here.only()["revision"] == 1


# pynetdicom leaves the sockets of failed handshakes to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_certificates_are_wanted_and_shown(tmp_path: Path) -> None:
    papers = certificates(tmp_path)
    door = {"certificate": papers.server, "key": papers.server_key, "client_ca": papers.ca}
    shown = {"ca": papers.ca, "certificate": papers.client, "key": papers.client_key}
    with (
        hospital.pacs(tls=papers.door()) as pacs,
        site(tmp_path, dicom={"tls": door}, **sent_to(to_pacs(pacs, tls=shown))) as here,
    ):
        film = hospital.film()
        unknown = papers.caller(shows_certificate=False)
        assert hospital.send(here.port, [film], tls=unknown, timeout_s=3.0) == {str(film.SOPInstanceUID): None}
        assert here.studies() == {}
        assert hospital.send(here.port, [film], tls=papers.caller()) == {str(film.SOPInstanceUID): 0}
        eventually(here.done)
        assert pacs.of(film.StudyInstanceUID) == {o.instance.sop_instance_uid for o in here.report().objects}


def test_without_a_rule_nothing_runs_and_nothing_leaves(tmp_path: Path) -> None:
    with (
        hospital.pacs() as pacs,
        site(
            tmp_path,
            destinations=[to_pacs(pacs)],
            rules=[{"name": "heads", "modality": ["CT"], "destinations": ["pacs"]}],
        ) as here,
    ):
        hospital.send(here.port, [hospital.film()])
        eventually(here.done)
        assert (here.only()["state"], here.only()["code"]) == ("unrouted", "no_rule")
        assert here.report() is None
        assert not pacs.contents


def test_with_a_broken_engine_images_still_flow(tmp_path: Path) -> None:
    folder = hospital.engines(tmp_path / "engines")
    (graph,) = folder.rglob("model.onnx")
    graph.write_bytes(graph.read_bytes()[:-1] + b"\x00")
    with hospital.listener() as ehr, site(tmp_path, reader={"engines": [str(folder)]}, **sent_to(to_ehr(ehr))) as here:
        film = hospital.film()
        assert hospital.send(here.port, [film])[str(film.SOPInstanceUID)] == 0
        eventually(here.done)
        assert here.only()["status"] == "not_processed"
        assert here.only()["code"] == "engine_hash"
        (message,) = ehr.of("ACC1")
        assert "Not processed" in str(message["OBX"])
        assert not here.audited("inference")


def test_a_study_that_kills_its_reader_is_set_aside_and_can_be_read_later(tmp_path: Path) -> None:
    with site(tmp_path, reader={"timeout_s": 0.001, "max_attempts": 2}) as here:
        key = {"study": ""}
        hospital.send(here.port, [hospital.film()])
        eventually(here.done)
        assert (here.only()["state"], here.only()["attempts"]) == ("quarantined", 2)
        assert here.running.installation.levels().reader_crashes == 2
        assert len(here.audited("quarantine")) == 1
        key["study"] = str(here.only()["study_key"])
    with site(tmp_path) as here:
        Desk(here.running.installation.settings).rerun(key["study"])
        eventually(lambda: here.only()["state"] == "done")
        assert here.only()["status"] == "positive"


# pynetdicom leaves the socket of a refused connection to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_pacs_that_was_away_gets_everything_and_holds_nobody_up(tmp_path: Path) -> None:
    with hospital.pacs() as pacs:
        port = pacs.port
    with hospital.listener() as ehr, site(tmp_path, **sent_to(to_pacs(pacs), to_ehr(ehr))) as here:
        film = hospital.film()
        hospital.send(here.port, [film])
        eventually(lambda: here.deliveries().get("ehr/result/1") == "sent")
        assert here.deliveries()["pacs/result/1"] == "waiting"
        with hospital.pacs(pacs, port=port):
            eventually(here.done)
        assert pacs.of(film.StudyInstanceUID) == {o.instance.sop_instance_uid for o in here.report().objects}


def test_a_slow_pacs_is_given_up_asked_again_and_holds_nobody_up(tmp_path: Path) -> None:
    with hospital.pacs() as pacs, hospital.pacs() as other:
        slow = to_pacs(pacs, timeout_s=0.5)
        rows = sent_to(slow, {**to_pacs(other), "name": "other"})
        with site(tmp_path, **rows) as here:
            pacs.delay_s = 2.0
            film = hospital.film()
            hospital.send(here.port, [film])
            eventually(lambda: here.deliveries().get("other/result/1") == "sent")
            eventually(lambda: here.audited("send") and here.deliveries()["pacs/result/1"] == "waiting")
            eventually(lambda: {e.details.get("state") for e in here.audited("send")} >= {"waiting", "sent"})
            pacs.delay_s = 0.0
            eventually(here.done)
            assert here.deliveries() == {"other/result/1": "sent", "pacs/result/1": "sent"}
            assert pacs.of(film.StudyInstanceUID) == other.of(film.StudyInstanceUID)
            assert {len(contents) for contents in pacs.contents.values()} == {1}, "what came twice was the same"


def test_a_pacs_that_says_no_is_not_asked_again_until_an_operator_says_so(tmp_path: Path) -> None:
    with hospital.pacs() as pacs, site(tmp_path, **sent_to(to_pacs(pacs))) as here:
        pacs.statuses = [0, 0xC000]
        film = hospital.film()
        hospital.send(here.port, [film])
        eventually(lambda: here.deliveries().get("pacs/result/1") == "refused")
        assert pacs.contents, "the rest was taken"
        assert Desk(here.running.installation.settings).retry(None) == 1
        eventually(here.done)
        assert here.deliveries() == {"pacs/result/1": "sent"}
        uids = [uid for _, uid, _ in pacs.received]
        assert len(uids) == len(set(uids)), "what it had was not sent again"


def test_a_wrong_result_is_taken_back_everywhere(tmp_path: Path) -> None:
    with (
        hospital.pacs() as pacs,
        hospital.listener() as ehr,
        fhir_server() as fhir,
        site(
            tmp_path, **sent_to(to_pacs(pacs), to_ehr(ehr), {"name": "fhir", "kind": "fhir", "url": fhir.url})
        ) as here,
    ):
        film = hospital.film()
        hospital.send(here.port, [film])
        eventually(here.done)
        desk = Desk(here.running.installation.settings)
        told = desk.retract(str(here.only()["study_key"]), "quality")
        assert told == ["ehr", "fhir", "pacs"]
        eventually(here.done)
        (note,) = [d for kind, _, d in pacs.received if kind == hospital.REJECTION]
        assert note.ConceptNameCodeSequence[0].CodeValue == "113001"
        last = ehr.of("ACC1")[-1]
        assert "W" in {row[11] for row in last["OBX"]}
        states = {r["status"] for r in fhir.stored.values() if r["resourceType"] == "DiagnosticReport"}
        assert states == {"entered-in-error"}
        assert here.only()["status"] == "retracted"

        taken_back = {o.instance.sop_instance_uid for o in here.report().objects}
        desk.rerun(str(here.only()["study_key"]))
        eventually(lambda: here.only()["revision"] == 2 and here.done())
        again = {o.instance.sop_instance_uid for o in here.report().objects}
        assert not again & taken_back, "an archive hides those"
        assert again <= pacs.of(film.StudyInstanceUID)
        states = {r["status"] for r in fhir.stored.values() if r["resourceType"] == "DiagnosticReport"}
        assert states & {"preliminary", "corrected", "amended"}
        assert "P" in {row[11] for row in ehr.of("ACC1")[-1]["OBX"]}


def test_a_disk_that_is_full_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    with site(tmp_path, storage={"reserve_mb": 10**9}) as here:
        film = hospital.film()
        assert hospital.send(here.port, [film])[str(film.SOPInstanceUID)] == NO_RESOURCES
        assert here.studies() == {}
        assert not list((tmp_path / "data" / "instances").rglob("*.dcm"))


def test_a_rule_that_names_no_engine_stops_the_start(tmp_path: Path) -> None:
    rows = {"rules": [{"name": "odd", "engine": "nothing-of-that-name"}]}
    with pytest.raises(SettingsError) as raised, site(tmp_path, **rows):
        pass
    assert raised.value.code == "unknown_engine"
    assert not (tmp_path / "data").exists(), "nothing was begun"


def test_the_order_comes_from_a_fhir_server(tmp_path: Path) -> None:
    ordered = {
        "resourceType": "ServiceRequest",
        "id": "41",
        "identifier": [{"system": "urn:acc", "value": "ACC-7"}],
        "status": "active",
        "intent": "order",
        "priority": "stat",
        "subject": {"reference": "Patient/7"},
        "reasonCode": [{"text": "Chest pain"}],
    }
    ehr = fhir_peer.Ehr(stored={"ServiceRequest/41": ordered, "Patient/7": {"resourceType": "Patient", "id": "7"}})
    with fhir_peer.serving(ehr) as url:
        fhir = {"name": "fhir", "kind": "fhir", "url": url, "orders": True, "accession_system": "urn:acc"}
        given = {"destinations": [fhir], "completion": {"quiet_s": 3.0}}
        with site(tmp_path, **given) as here:
            hospital.send(here.port, [hospital.film(AccessionNumber="ACC-7")])
            eventually(here.done)
            report, row, (told,) = here.report(), here.only(), here.audited("order")

    assert row["priority"] == "stat"
    assert report.context.order.reason == "Chest pain"
    assert (told.details["interface"], told.details["accession_number"]) == ("fhir", "ACC-7")
