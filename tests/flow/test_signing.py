"""Signing, from the API to everywhere a result goes: the verified report, HL7, FHIR, the audit chain."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from flow import hospital
from flow.hospital import eventually
from flow.test_flow import Site, fhir_server, sent_to, site, to_ehr, to_pacs

from radiolucent.errors import SettingsError
from radiolucent.records.person import Person
from radiolucent.store import work
from radiolucent.wiring.store_cohort import known_studies
from radiolucent.wiring.truth import add_truth

SR = hospital.OBJECTS[0]
BOX = [[10.0, 12.0], [30.0, 40.0]]


@dataclass
class Reader:
    """A signed-in person."""

    http: httpx.Client

    def get(self, path: str) -> Any:
        return self.http.get(f"/api{path}")

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return self.http.post(f"/api{path}", json={} if body is None else body)


@dataclass
class Place:
    """A hospital with one study read, and its people."""

    here: Site
    pacs: hospital.Pacs
    ehr: hospital.Listener
    fhir: Any
    film: Any
    stack: ExitStack

    def reader(self, name: str, role: str) -> Reader:
        people, door = self.here.running.installation.people, self.here.running.http
        assert door is not None
        link = people.add(Person(name=name, display=f"Dr {name.title()}", roles=(role,)), by="test")
        client = self.stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{door.port}", timeout=30))
        session = client.post("/api/enrol", json={"token": link, "password": "seven green lamps"}).json()
        client.headers["X-CSRF-Token"] = session["csrf"]
        return Reader(client)

    @property
    def key(self) -> str:
        return str(self.here.only()["study_key"])

    def draft(self, view: dict[str, Any], assessment: str = "accepted", **more: Any) -> dict[str, Any]:
        """A whole decision on every positive finding."""
        said: dict[str, Any] = {"assessment": assessment}
        if assessment == "rejected":
            said |= {"reason_code": "artefact", "comment": "A button of the gown."}
        if assessment == "modified":
            changed = {"key": "bright", "display": "Bright", "confidence": "low", "comment": "Lower."}
            region = {"image_key": 0, "kind": "box", "points": BOX}
            said |= {"reason_code": "other_place", "changed": changed | {"regions": [region]}}
        decided = [{"engine": f["engine"], "key": f["key"], **said} for f in view["findings"] if f["positive"]]
        return {
            "idempotency_key": str(uuid.uuid4()),
            "report_id": view["report_id"],
            "is_final": True,
            "findings": decided,
            "supersedes": None if view["decision"] is None else view["decision"]["decision_id"],
        } | more

    def signed(self) -> Any:
        """The last verified report in the PACS."""
        found = [d for k, _, d in self.pacs.received if k == SR and d.VerificationFlag == "VERIFIED"]
        return found[-1] if found else None

    def revision(self, number: int) -> Any:
        with self.here.running.installation.journal.reading() as connection:
            return work.report(connection, self.key, number)


@contextmanager
def place(folder: Path, **pacs_rows: Any) -> Iterator[Place]:
    with ExitStack() as stack:
        pacs, ehr = stack.enter_context(hospital.pacs()), stack.enter_context(hospital.listener())
        fhir = stack.enter_context(fhir_server())
        rows = sent_to(to_pacs(pacs, **pacs_rows), to_ehr(ehr), {"name": "fhir", "kind": "fhir", "url": fhir.url})
        here = stack.enter_context(site(folder, **rows))
        film = hospital.film(AccessionNumber="ACC7", NumberOfStudyRelatedInstances=1)
        hospital.send(here.port, [film])
        eventually(here.done)
        yield Place(here=here, pacs=pacs, ehr=ehr, fhir=fhir, film=film, stack=stack)


def reports(fhir: Any, kind: str = "DiagnosticReport") -> list[dict[str, Any]]:
    return [r for r in fhir.stored.values() if r["resourceType"] == kind]


def test_a_modified_region_is_signed_and_told_everywhere(tmp_path: Path) -> None:
    with place(tmp_path) as it:
        ana = it.reader("ana", "radiologist")
        view = ana.get(f"/studies/{it.key}").json()
        preliminary = {d.SOPInstanceUID for k, _, d in it.pacs.received if k == SR}
        answer = ana.post(f"/studies/{it.key}/decision", it.draft(view, "modified", comment="Seen on one view."))
        assert (answer.status_code, answer.json()["outcome"]) == (201, "modified"), answer.text
        eventually(it.here.done)
        document = it.signed()
        after = ana.get(f"/studies/{it.key}").json()
        (listed,) = ana.post("/worklist", {}).json()["items"]
        (_, message), events = it.ehr.of("ACC7"), it.here.audited("decision")
        installation = it.here.running.installation
        verdict = installation.journal.log.verify()
        (taught,) = known_studies(installation.journal, installation.specs[0]).values()

    assert [(key, region.points) for key, region in taught.regions] == [("bright", ((10.0, 12.0), (30.0, 40.0)))]
    assert taught.labels(it.film.SOPInstanceUID, installation.specs[0])["bright"] == 1.0
    observer = document.VerifyingObserverSequence[0]
    assert (observer.VerifyingObserverName.family_name, document.PreliminaryFlag) == ("Dr Ana", "FINAL")
    before = document.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert {each.ReferencedSOPInstanceUID for each in before} == preliminary
    assert [list(item.GraphicData) for item in _coordinates(document)] == [
        [12.0, 10.0, 40.0, 10.0, 40.0, 30.0, 12.0, 30.0, 12.0, 10.0]
    ]
    assert (message["OBR"][0][25], {row[11] for row in message["OBX"]}) == ("F", {"F"})
    assert message["OBR"][0][32].startswith("ana&Dr Ana")
    (report,) = reports(it.fhir)
    assert (report["status"], report["resultsInterpreter"][0]["display"]) == ("final", "Dr Ana")
    verifiers = [
        a for p in reports(it.fhir, "Provenance") for a in p["agent"] if a["type"]["coding"][0]["code"] == "verifier"
    ]
    assert [a["who"]["display"] for a in verifiers] == ["Dr Ana"]
    assert (after["state"], after["decision"]["reader"]["name"]) == ("decided", "ana")
    told = listed["decided"]
    assert (listed["state"], told["outcome"], told["by"]) == ("decided", "modified", "ana")
    assert told["at"] == after["decision"]["signed_at"]
    assert verdict.verified
    assert [(e.actor, e.details["outcome_of_result"]) for e in events if e.details["kind"] == "signed"] == [
        ("ana", "modified")
    ]


def _coordinates(item: Any) -> Iterator[Any]:
    for each in item.get("ContentSequence", []):
        if each.ValueType == "SCOORD":
            yield each
        yield from _coordinates(each)


def test_the_same_request_twice_signs_once(tmp_path: Path) -> None:
    with place(tmp_path) as it:
        ana, bob = it.reader("ana", "radiologist"), it.reader("bob", "radiologist")
        draft = it.draft(ana.get(f"/studies/{it.key}").json())
        first, second = (ana.post(f"/studies/{it.key}/decision", draft) for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json()["decision_id"] == second.json()["decision_id"]
        assert len(ana.get(f"/studies/{it.key}/decisions").json()) == 1
        stolen = bob.post(f"/studies/{it.key}/decision", draft)
        assert (stolen.status_code, stolen.json()["code"]) == (409, "request_reused")


def test_a_rejected_finding_is_taken_back_where_the_destination_asks(tmp_path: Path) -> None:
    with place(tmp_path, retract_rejected=True) as it:
        ana = it.reader("ana", "radiologist")
        view = ana.get(f"/studies/{it.key}").json()
        assert ana.post(f"/studies/{it.key}/decision", it.draft(view, "rejected")).status_code == 201
        eventually(it.here.done)
        (note,) = [d for k, _, d in it.pacs.received if k == hospital.REJECTION]
        sent = {u: k for k, u, _ in it.pacs.received}
        (_, message) = it.ehr.of("ACC7")

    items = note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    withdrawn = {sent[each.ReferencedSOPInstanceUID] for series in items for each in series.ReferencedSOPSequence}
    assert withdrawn == set(hospital.OBJECTS) - {SR, hospital.REJECTION}, "what shows it; the reports stay"
    bright = [row for row in message["OBX"] if "Bright" in row[3]]
    assert [row[5].split("^")[1] for row in bright] == ["Absent"]
    assert {r["status"] for r in reports(it.fhir, "Media") if "Visual" in str(r)} <= {"entered-in-error"}
    found = [r for r in reports(it.fhir, "Observation") if "Bright" in str(r["code"])]
    assert [r["valueCodeableConcept"]["text"] for r in found] == ["Absent: so a person decided"]


def test_a_missed_finding_is_added_and_a_second_read_supersedes(tmp_path: Path) -> None:
    with place(tmp_path) as it:
        ana, bob, sue = it.reader("ana", "radiologist"), it.reader("bob", "radiologist"), it.reader("sue", "senior")
        missed = {"key": None, "display": "Rib fracture", "confidence": "moderate", "comment": "Left sixth."}
        view = ana.get(f"/studies/{it.key}").json()
        first = ana.post(f"/studies/{it.key}/decision", it.draft(view, added=[missed | {"regions": []}]))
        assert first.json()["outcome"] == "supplemented"
        eventually(it.here.done)
        view = bob.get(f"/studies/{it.key}").json()
        assert bob.post(f"/studies/{it.key}/decision", it.draft(view)).json()["code"] == "second_read"
        blind = bob.post(f"/studies/{it.key}/decision", it.draft(view, supersedes=None))
        assert (blind.status_code, blind.json()["code"]) == (409, "decision_superseded")
        second = sue.post(f"/studies/{it.key}/decision", it.draft(sue.get(f"/studies/{it.key}").json()))
        assert (second.status_code, second.json()["second_read"]) == (201, True)
        eventually(it.here.done)
        (tmp_path / "truth.csv").write_text("image,bright\nACC7,0\n")
        add_truth(it.here.running.installation.settings, tmp_path / "truth.csv", basis="follow-up", by="test")
        told = sue.get("/oversight").json()
        table = sue.http.get("/api/oversight.csv").text
        messages, document = it.ehr.of("ACC7"), it.signed()
        ribs = [r for r in reports(it.fhir, "Observation") if "Rib" in str(r["code"])]

    assert any("Rib fracture" in row[3] for row in messages[1]["OBX"])
    assert messages[2]["OBR"][0][25] == "C", "what was final is corrected"
    assert [r["status"] for r in ribs] == ["entered-in-error"]
    assert [r["status"] for r in reports(it.fhir)] == ["amended"]
    before = document.PredecessorDocumentsSequence[0].ReferencedSeriesSequence
    assert sum(len(each.ReferencedSOPSequence) for each in before) == 2, "the engine's report and the first decision"
    assert (told["totals"]["n"], told["totals"]["accepted"], told["totals"]["missed"]) == (2, 2, 1)
    assert table.splitlines()[0].startswith("engine,version,finding,reader")
    relied = {row["reader"]: (row["right"], row["wrong"], row["wrong_agreed"]) for row in told["reliance"]["rows"]}
    assert relied == {"ana": (0, 1, 1), "sue": (0, 1, 1)}, "both let a false alarm stand"
    assert [(row["wrong"], row["agreed_wrong"]) for row in told["reliance"]["engines"]] == [(2, None)], "too few to say"


def test_what_is_read_anew_waits_for_a_person_before_it_is_told(tmp_path: Path) -> None:
    with place(tmp_path) as it:
        sue = it.reader("sue", "senior")
        sue.post(f"/studies/{it.key}/decision", it.draft(sue.get(f"/studies/{it.key}").json()))
        eventually(it.here.done)
        told = len(it.ehr.of("ACC7"))
        assert sue.post(f"/studies/{it.key}/rerun").status_code == 204
        eventually(lambda: it.revision(3) is not None and it.here.done())
        assert len(it.ehr.of("ACC7")) == told == 2
        assert [r["status"] for r in reports(it.fhir)] == ["final"]
        view = sue.get(f"/studies/{it.key}").json()
        assert view["state"] == "to_review"
        assert view["decision"] is None, "the decision was on another result"
        stale = sue.post(f"/studies/{it.key}/decision", it.draft(view, report_id="f" * 32))
        assert (stale.status_code, stale.json()["code"]) == (409, "result_superseded")
        assert sue.post(f"/studies/{it.key}/decision", it.draft(view)).status_code == 201
        eventually(it.here.done)
        assert (it.ehr.of("ACC7")[-1]["OBR"][0][25], [r["status"] for r in reports(it.fhir)]) == ("C", ["amended"])
        assert sue.post(f"/studies/{it.key}/rerun").status_code == 204
        eventually(lambda: it.revision(5) is not None and it.here.done())
        assert sue.post(f"/studies/{it.key}/retract", {"reason": "quality"}).status_code == 200
        eventually(it.here.done)
        (note,) = [d for k, _, d in it.pacs.received if k == hospital.REJECTION]
        items = note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        withdrawn = {each.ReferencedSOPInstanceUID for series in items for each in series.ReferencedSOPSequence}
        assert withdrawn >= {u for k, u, d in it.pacs.received if k == SR}, "what was signed before, too"
        assert {row[11] for row in it.ehr.of("ACC7")[-1]["OBX"]} == {"W"}
        assert [r["status"] for r in reports(it.fhir)] == ["entered-in-error"]
        gone = sue.post(f"/studies/{it.key}/decision", it.draft(view))
        assert (gone.status_code, gone.json()["code"]) == (409, "nothing_to_decide")


def test_a_signed_result_is_taken_back_as_a_whole(tmp_path: Path) -> None:
    with place(tmp_path) as it:
        sue = it.reader("sue", "senior")
        sue.post(f"/studies/{it.key}/decision", it.draft(sue.get(f"/studies/{it.key}").json()))
        eventually(it.here.done)
        sue.post(f"/studies/{it.key}/retract", {"reason": "patient_safety"})
        eventually(it.here.done)
        (note,) = [d for k, _, d in it.pacs.received if k == hospital.REJECTION]
        message = it.ehr.of("ACC7")[-1]
    items = note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    withdrawn = {each.ReferencedSOPInstanceUID for series in items for each in series.ReferencedSOPSequence}
    assert withdrawn == {u for k, u, _ in it.pacs.received if k != hospital.REJECTION}
    assert (message["OBR"][0][25], {row[11] for row in message["OBX"]}) == ("C", {"W"})


def test_a_pacs_that_was_away_gets_everything_with_the_signed_report(tmp_path: Path) -> None:
    with ExitStack() as stack:
        away = hospital.Pacs(statuses=[0xA700] * 1000)
        pacs = stack.enter_context(hospital.pacs(away))
        rows = sent_to(to_pacs(pacs))
        here = stack.enter_context(site(tmp_path, delivery={"first_wait_s": 30.0}, **rows))
        film = hospital.film(AccessionNumber="ACC7", NumberOfStudyRelatedInstances=1)
        hospital.send(here.port, [film])
        eventually(lambda: here.studies() and here.only()["state"] == "done")
        it = Place(here=here, pacs=pacs, ehr=None, fhir=None, film=film, stack=stack)  # type: ignore[arg-type]
        ana = it.reader("ana", "radiologist")
        away.statuses.clear()
        ana.post(f"/studies/{it.key}/decision", it.draft(ana.get(f"/studies/{it.key}").json()))
        eventually(here.done)
        assert {o.instance.sop_instance_uid for o in here.report().objects} == pacs.of(film.StudyInstanceUID)


def test_whoever_must_look_first_sees_and_signs_nothing_before(tmp_path: Path) -> None:
    with ExitStack() as stack:
        pacs = stack.enter_context(hospital.pacs())
        here = stack.enter_context(site(tmp_path, read_first=[{"findings": ["bright"]}], **sent_to(to_pacs(pacs))))
        film = hospital.film(NumberOfStudyRelatedInstances=1)
        hospital.send(here.port, [film])
        eventually(here.done)
        it = Place(here=here, pacs=pacs, ehr=None, fhir=None, film=film, stack=stack)  # type: ignore[arg-type]
        ana, qa = it.reader("ana", "radiologist"), it.reader("quinn", "qa")
        hidden = ana.get(f"/studies/{it.key}").json()
        assert (hidden["ai_hidden"], hidden["findings"]) == (True, [])
        early = ana.post(f"/studies/{it.key}/decision", it.draft(hidden))
        assert (early.status_code, early.json()["code"]) == (403, "read_first")
        view = ana.post(f"/studies/{it.key}/opinion", {"nothing": True}).json()
        assert ana.post(f"/studies/{it.key}/decision", it.draft(view)).status_code == 201
        told = qa.get("/oversight").json()["bias"]
    assert told["agreed_first"][0] < 1
    assert told["moved_to_engine"][0] == 1, "saw nothing first, and accepted the finding then"


def test_reading_first_for_what_no_engine_knows_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised, site(tmp_path, read_first=[{"findings": ["no_such"]}]):
        pass
    assert (raised.value.code, "no_such" in raised.value.found) == ("setting_wrong", True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"findings": []}, "decision_incomplete"),
        ({"is_final": "perhaps"}, "request_invalid"),
        ({"added": [{"key": "no_such", "display": "x", "regions": []}]}, "decision_incomplete"),
        (
            {
                "added": [
                    {
                        "key": None,
                        "display": "x",
                        "regions": [{"image_key": 0, "kind": "box", "points": [[0, 0], [99, 9]]}],
                    }
                ]
            },
            "decision_incomplete",
        ),
        (
            {
                "added": [
                    {
                        "key": None,
                        "display": "x",
                        "regions": [{"image_key": 7, "kind": "box", "points": [[0, 0], [9, 9]]}],
                    }
                ]
            },
            "decision_incomplete",
        ),
        ({"comment": "x" * 3000}, "request_invalid"),
    ],
)
def test_a_decision_that_is_not_whole_writes_nothing(standing: Place, change: dict[str, Any], code: str) -> None:
    ana = _ann(standing)
    view = ana.get(f"/studies/{standing.key}").json()
    answer = ana.post(f"/studies/{standing.key}/decision", standing.draft(view) | change)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert ana.get(f"/studies/{standing.key}/decisions").json() == []


def test_who_may_not_sign_does_not(standing: Place) -> None:
    tech = standing.reader("tim", "technologist")
    view = tech.get(f"/studies/{standing.key}").json()
    answer = tech.post(f"/studies/{standing.key}/decision", standing.draft(view))
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    held = _ann(standing).post(f"/studies/{standing.key}/lease")
    assert held.status_code == 200
    bob = standing.reader("bob", "radiologist")
    refused = bob.post(f"/studies/{standing.key}/decision", standing.draft(view))
    assert (refused.status_code, refused.json()["code"]) == (409, "lease_held")
    assert bob.get(f"/studies/{standing.key}/decisions").json() == []


def test_an_auditor_sees_who_did_what_and_verifies_it(standing: Place) -> None:
    auditor = standing.reader("ada", "auditor")
    shown = auditor.get("/audit").json()["entries"]
    assert shown[-1]["actor"] == "ada"
    assert {e["action"] for e in shown} >= {"start", "receive"}
    assert str(standing.film.PatientName) not in str(shown)
    assert auditor.post("/audit/verify").json()["verified"]
    assert auditor.get(f"/studies/{standing.key}").status_code == 403


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("standing")) as it:
        yield it


def _ann(it: Place) -> Reader:
    if not hasattr(it, "ann"):
        it.ann = it.reader("ann", "radiologist")  # type: ignore[attr-defined]
    return it.ann  # type: ignore[attr-defined,no-any-return]
