"""The demo as a new user meets it: a link, studies of which one can be compared, a signed decision."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import httpx

from radiolucent.settings import Settings
from radiolucent.wiring.demo import served
from radiolucent.wiring.evidence import evidence


def the_evidence_is_of_what_was_done(folder: Path, *, decided: int) -> None:
    """The pack of the demo, built while it is served."""
    evidence(folder / "pack", settings=Settings(data=folder / "data"), folders=None, validations=())
    said = json.loads((folder / "pack" / "evidence.json").read_text())
    assert said["audit"]["verified"] is True
    assert said["figures"]["oversight"] == [f"0 of {decided} called findings were rejected or changed by a person"]
    assert {used["id"] for used in said["versions"]} >= {"radiolucent", "chest-film", "bone-fracture"}
    assert said["figures"]["drift"][0].endswith(" 0 alarms")


def test_a_link_leads_to_a_signed_decision(tmp_path: Path) -> None:
    told: list[str] = []
    with served(tmp_path / "data", told.append) as demo:
        address, _, secret = demo.link.partition("/#/enter/")
        with httpx.Client(base_url=f"{address}/api", timeout=30) as client:
            session = client.post("/enter", json={"token": secret})
            assert session.json()["user"]["display"] == "Dr. Demo"
            client.headers["X-CSRF-Token"] = session.json()["csrf"]
            items = client.post("/worklist", json={}).json()["items"]
            assert len(items) == demo.studies == len(told) == 6
            assert {item["modality"] for item in items} == {"CR", "CT", "DX"}
            views = [client.get(f"/studies/{item['study_key']}").json() for item in items]
            view = views[0]
            assert items[0]["has_prior"]
            assert view["priors"], "the first study can be compared"
            assert view["changes"], "and was"
            assert view["findings"][0]["maps"][0]["is_painted"], "the map key shows something"
            decision = {
                "idempotency_key": str(uuid.uuid4()),
                "report_id": view["report_id"],
                "is_final": True,
                "findings": [
                    {"engine": f["engine"], "key": f["key"], "assessment": "accepted"}
                    for f in view["findings"]
                    if f["positive"]
                ],
            }
            assert client.post(f"/studies/{view['study_key']}/decision", json=decision).status_code == 201
            assert client.delete("/session").status_code == 204
            again = client.post("/session", json={"name": demo.name, "password": demo.password})
            assert again.json()["user"]["display"] == "Dr. Demo"
        the_evidence_is_of_what_was_done(tmp_path, decided=len(decision["findings"]))
    with served(tmp_path / "data", told.append) as later:
        assert later.studies == 6, "the same folder goes on where it was"
