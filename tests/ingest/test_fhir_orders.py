"""Orders read from a FHIR server over a real socket, and answers that must not be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from fhir_peer import Ehr, serving
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import JSONResponse, Response

from radiolucent.deliver.fhir import FhirConnection, FhirPeer
from radiolucent.errors import PeerRefused, PeerUnavailable, RadiolucentError
from radiolucent.ingest.fhir_orders import OrderSystems, find_order
from radiolucent.records.engine import Code
from radiolucent.records.study import Order, Patient

ACCESSION = "https://hospital.example.org/accession"
SYSTEMS = OrderSystems(
    accession=ACCESSION,
    patient="https://hospital.example.org/patient-id",
    issuers={"https://hospital.example.org/patient-id": "HOSPITAL"},
)


def _identifier(kind: str, value: str, system: str | None = None) -> dict[str, Any]:
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": kind}
    return {"type": {"coding": [coding]}, "value": value} | ({"system": system} if system else {})


def request(**changes: Any) -> dict[str, Any]:
    base = {
        "resourceType": "ServiceRequest",
        "id": "41",
        "identifier": [
            _identifier("PLAC", "P-9"),
            _identifier("FILL", "F-3"),
            _identifier("ACSN", "A-1", ACCESSION),
            {"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"},
        ],
        "status": "active",
        "intent": "order",
        "priority": "stat",
        "code": {
            "coding": [
                {"system": "urn:local", "code": "THX2"},
                {"system": "http://loinc.org", "code": "36643-5", "display": "XR Chest 2 Views"},
            ]
        },
        "subject": {"reference": "Patient/7"},
        "reasonCode": [{"text": "Chest\r^pain"}, {"coding": [{"display": "Dyspnoea"}]}],
    }
    return {name: value for name, value in (base | changes).items() if value is not None}


PATIENT = {
    "resourceType": "Patient",
    "id": "7",
    "identifier": [
        {"system": "urn:insurance", "value": "I-1"},
        {"system": "https://hospital.example.org/patient-id", "value": "PID-1", "use": "usual"},
    ],
    "name": [
        {"use": "nickname", "text": "Nick"},
        {"use": "official", "family": "Mül^ler", "given": ["Ana", "Maria", "B."], "prefix": ["Dr."]},
    ],
    "birthDate": "1961-02-28",
    "gender": "female",
}


def order_of(ehr: Ehr, accession_number: str = "A-1", systems: OrderSystems = SYSTEMS) -> Order | None:
    with serving(ehr) as url, FhirConnection(FhirPeer(url=url, timeout_s=10.0)) as connection:
        return find_order(connection, accession_number, systems)


def stored(*requests: dict[str, Any], **changes: Any) -> Ehr:
    return Ehr(stored={f"ServiceRequest/{r['id']}": r for r in requests} | {"Patient/7": PATIENT}, **changes)


@pytest.mark.parametrize("includes", [True, False], ids=["patient comes along", "patient is read"])
def test_an_order_with_its_patient(includes: bool) -> None:
    assert order_of(stored(request(), includes=includes)) == Order(
        accession_number="A-1",
        placer_order_number="P-9",
        filler_order_number="F-3",
        priority="stat",
        reason="Chest pain; Dyspnoea",
        procedure=Code(scheme="LN", value="36643-5", meaning="XR Chest 2 Views"),
        study_instance_uid="1.2.3",
        patient=Patient(
            patient_id="PID-1", issuer="HOSPITAL", name="Mül ler^Ana^Maria B.^Dr.", birth_date="19610228", sex="F"
        ),
    )


@pytest.mark.parametrize(
    ("said", "priority"),
    [
        ("stat", "stat"),
        ("asap", "stat"),
        ("urgent", "stat"),
        ("routine", "routine"),
        (None, "routine"),
        ("x", "routine"),
    ],
)
def test_priorities(said: str | None, priority: str) -> None:
    found = order_of(stored(request(priority=said)))
    assert found is not None
    assert found.priority == priority


@pytest.mark.parametrize(
    ("changes", "is_cancelled"),
    [
        ({"status": "revoked"}, True),
        ({"status": "entered-in-error"}, True),
        ({"doNotPerform": True}, True),
        ({"status": "completed"}, False),
        ({"status": "on-hold"}, False),
    ],
)
def test_cancelled_orders(changes: dict[str, Any], is_cancelled: bool) -> None:
    found = order_of(stored(request(**changes)))
    assert found is not None
    assert found.is_cancelled is is_cancelled


@pytest.mark.parametrize("changes", [{"intent": "proposal"}, {"intent": "plan"}, {"status": "draft"}])
def test_what_is_not_ordered_yet_is_no_order(changes: dict[str, Any]) -> None:
    assert order_of(stored(request(**changes))) is None


def test_no_order() -> None:
    ehr = stored(request())
    assert order_of(ehr, "A-2") is None
    assert len(ehr.requests) == 1
    assert order_of(ehr, "  ") is None
    assert len(ehr.requests) == 1  # nothing was asked


def test_the_search_names_the_system_and_escapes_the_number() -> None:
    odd = r"A|1,2$3\4 &5"
    ehr = stored(request(identifier=[_identifier("ACSN", odd, ACCESSION)]))
    found = order_of(ehr, odd)
    assert found is not None
    assert found.accession_number == odd
    assert found.placer_order_number == ""


def test_of_a_group_the_most_urgent_live_request_speaks() -> None:
    group = (
        request(id="1", priority="routine"),
        request(id="2", priority="urgent"),
        request(id="3", status="revoked"),
    )
    found = order_of(stored(*group))
    assert found is not None
    assert (found.priority, found.is_cancelled) == ("stat", False)


def test_requests_of_two_patients_are_not_guessed_between() -> None:
    with pytest.raises(PeerRefused) as raised:
        order_of(stored(request(), request(id="42", subject={"reference": "Patient/8"})))
    assert raised.value.code == "fhir_order_ambiguous"
    assert "A-1" not in str(raised.value)


def test_a_server_that_passes_over_the_search_is_not_believed() -> None:
    """It returns every order; none carries the number."""
    with pytest.raises(PeerRefused) as raised:
        order_of(stored(request(), passes_over_search=True), "A-2")
    assert raised.value.code == "fhir_order_answer"
    among = request(id="50", identifier=[_identifier("ACSN", "A-2", ACCESSION)], priority="routine")
    found = order_of(stored(request(), among, passes_over_search=True), "A-2")
    assert found is not None
    assert found.priority == "routine"


def test_without_a_system_the_type_tells_an_accession_number() -> None:
    bare = replace(SYSTEMS, accession=None)
    assert order_of(stored(request()), "A-1", bare) is not None
    assert order_of(stored(request()), "P-9", bare) is None
    untyped = request(identifier=[{"value": "A-1"}])
    assert order_of(stored(untyped), "A-1", bare) is not None
    assert order_of(stored(request(identifier=[_identifier("ACSN", "A-1", "urn:other")]))) is None


@pytest.mark.parametrize(
    "subject",
    [
        {"reference": "https://elsewhere.example.org/fhir/Patient/7"},
        {"reference": "Patient/../ServiceRequest/41"},
        {"reference": "Patient/."},
        {"reference": "Group/7"},
        {"display": "somebody"},
        None,
    ],
)
def test_a_patient_from_elsewhere_is_not_fetched(subject: dict[str, Any] | None) -> None:
    ehr = stored(request(subject=subject))
    found = order_of(ehr)
    assert found is not None
    assert found.patient is None
    assert len(ehr.requests) == 1


def test_a_contained_patient() -> None:
    contained = PATIENT | {"id": "p"}
    found = order_of(stored(request(subject={"reference": "#p"}, contained=[contained])))
    assert found is not None
    assert found.patient is not None
    assert found.patient.patient_id == "PID-1"


@pytest.mark.parametrize(
    ("changes", "patient"),
    [
        ({"identifier": [{"system": "urn:other", "value": "1"}]}, None),
        ({"birthDate": "1961-02", "gender": "unknown"}, Patient(patient_id="PID-1", issuer="HOSPITAL", name="N")),
        ({"birthDate": 1961, "gender": "other"}, Patient(patient_id="PID-1", issuer="HOSPITAL", name="N", sex="O")),
    ],
)
def test_what_dicom_cannot_hold_is_left_out(changes: dict[str, Any], patient: Patient | None) -> None:
    plain = PATIENT | {"name": [{"text": "N"}], "birthDate": None, "gender": None} | changes
    ehr = Ehr(stored={"ServiceRequest/41": request(), "Patient/7": plain})
    found = order_of(ehr)
    assert found is not None
    assert found.patient == patient


def test_without_a_system_the_medical_record_number_is_the_patients() -> None:
    numbers = [
        {"system": "urn:insurance", "value": "I-1", "use": "official"},
        _identifier("MR", "OLD", "urn:oid:1.2.3") | {"use": "old"},
        _identifier("MR", "PID-2", "urn:oid:1.2.3"),
    ]
    ehr = Ehr(stored={"ServiceRequest/41": request(), "Patient/7": PATIENT | {"identifier": numbers}})
    found = order_of(ehr, systems=replace(SYSTEMS, patient=None))
    assert found is not None
    assert found.patient is not None
    assert (found.patient.patient_id, found.patient.issuer) == ("PID-2", "1.2.3")


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (JSONResponse({"resourceType": "Patient"}), PeerRefused, "fhir_order_answer"),
        (JSONResponse({"resourceType": "Bundle", "type": "collection"}), PeerRefused, "fhir_order_answer"),
        (Response(b"<Bundle/>"), PeerRefused, "fhir_bad_answer"),
        (Response(b"{" + b" " * 17 * 2**20 + b"}"), PeerRefused, "fhir_bad_answer"),
        (Response(status_code=302, headers={"location": "http://127.0.0.1:1/"}), PeerRefused, "fhir_refused"),
        (Response(status_code=404), PeerRefused, "fhir_refused"),
        (Response(status_code=503), PeerUnavailable, "fhir_busy"),
    ],
)
def test_a_wrong_answer_is_said(answer: Response, kind: type[RadiolucentError], code: str) -> None:
    with pytest.raises(kind) as raised:
        order_of(Ehr(answers=[answer]))
    assert raised.value.code == code


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(request())), inner, max_size=4),
    max_leaves=8,
)


class Scripted:
    """Answers what it was given, whatever is asked."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self._answer = answer

    def get(self, path: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        return self._answer


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(sorted({*request(), *PATIENT})), JSON, max_size=8), JSON)
def test_ill_shaped_resources_are_read_or_refused_but_never_crash(changes: dict[str, Any], entry: Any) -> None:
    whole = request() | changes | {"resourceType": "ServiceRequest", "identifier": request()["identifier"]}
    patient = PATIENT | changes | {"resourceType": "Patient", "id": "7"}
    entries = [{"resource": whole}, {"resource": patient, "fullUrl": 5}, entry]
    answer = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    found = find_order(Scripted(answer), "A-1", SYSTEMS)
    assert found is None or found.accession_number == "A-1"
