"""What a FHIR destination of the settings says of its site reaches the bundle."""

from __future__ import annotations

import json
from dataclasses import replace

from fhir_cases import ORDER, report

from radiolucent.report.fhir.bundle import build_bundle
from radiolucent.settings.peers import Destination
from radiolucent.wiring.senders import fhir_options

SAID = {
    "issuers": {"HOSPITAL": "urn:oid:1.2.3.4"},
    "accession_system": "urn:oid:1.2.3.5",
    "wado_url": "https://pacs.example/dicom-web",
}


def test_naming_systems_addresses_and_time_zone_reach_the_bundle() -> None:
    row = Destination(name="ehr", kind="fhir", url="https://ehr.example", time_zone="Europe/Vienna", **SAID)  # type: ignore[arg-type]
    written = json.dumps(build_bundle(report(), fhir_options(row)))
    plain = json.dumps(build_bundle(report(), fhir_options(None)))
    for expected in ("urn:oid:1.2.3.4", "urn:oid:1.2.3.5", "https://pacs.example/dicom-web/studies/"):
        assert expected in written
        assert expected not in plain
    assert str(fhir_options(row).zone) == "Europe/Vienna"
    assert fhir_options(None).zone is None


def test_an_order_number_has_the_system_that_the_settings_name() -> None:
    row = Destination(name="ehr", kind="fhir", url="https://ehr.example", order_system="urn:oid:1.2.3.6")
    assert fhir_options(row).order_system == "urn:oid:1.2.3.6"
    ordered = report(context=replace(report().context, order=ORDER, accession_number=""))
    assert "urn:oid:1.2.3.6" in json.dumps(build_bundle(ordered, fhir_options(row)))
