"""Whatever a header or message may hold, the bundle is legal R4 and its narrative legal XHTML."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from xml.etree import ElementTree

from fhir_cases import CONTEXT, OPTIONS, check_legal, finding, only, report, walk
from hypothesis import example, given, settings
from hypothesis import strategies as st

from radiolucent.records.engine import Code
from radiolucent.records.result import Reason
from radiolucent.records.study import Order, Patient
from radiolucent.report.fhir import FhirOptions, build_bundle

# every character there is, lone surrogates and controls among them: headers are decoded by others
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=24)
NAMES = st.one_of(ANYTHING, st.lists(ANYTHING, max_size=9).map("^".join), st.lists(ANYTHING, max_size=5).map("=".join))
CODES = st.builds(
    Code, scheme=st.one_of(st.sampled_from(["SCT", "LN", "L"]), ANYTHING), value=ANYTHING, meaning=ANYTHING
)
PATIENTS = st.builds(Patient, patient_id=ANYTHING, issuer=ANYTHING, name=NAMES, birth_date=ANYTHING, sex=ANYTHING)
ORDERS = st.builds(
    Order, accession_number=ANYTHING, placer_order_number=ANYTHING, reason=ANYTHING, procedure=st.none() | CODES
)
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1900, 1, 2), datetime(2200, 1, 1), timezones=st.none() | ZONES)


@settings(max_examples=100)
@given(
    patient=PATIENTS,
    order=st.none() | ORDERS,
    accession=ANYTHING,
    started=st.none() | MOMENTS,
    words=ANYTHING,
    code=CODES,
    options=st.sampled_from([OPTIONS, FhirOptions()]),
)
@example(
    patient=Patient(patient_id="\x00\t ", name="^^^", issuer="\ud800"),
    order=None,
    accession="\n",
    started=None,
    words="<b>&\x0b\ufffe",
    code=Code(scheme="", value="", meaning=""),
    options=FhirOptions(),
)
@example(
    patient=Patient(patient_id=""),
    order=Order(accession_number="", procedure=Code(scheme="SCT", value=" ", meaning=" ")),
    accession="",
    started=None,
    words=" ",
    code=Code(scheme="SCT", value="", meaning=""),
    options=OPTIONS,
)
def test_odd_values_never_make_an_illegal_bundle(patient, order, accession, started, words, code, options) -> None:
    context = replace(
        CONTEXT,
        patient=patient,
        order=order,
        accession_number=accession,
        started=started,
        description=words,
        referring_physician=words,
    )
    given_report = report(
        context=context,
        impression=words,
        modality=words,
        findings=(finding(display=words, code=code, reasons=(words,), zone=words),),
        refusals=(Reason(code=words, text=words),),
    )
    bundle = build_bundle(given_report, options)
    json.dumps(bundle, ensure_ascii=False, allow_nan=False).encode("utf-8")
    for entry in bundle["entry"]:
        check_legal(entry["resource"])
    assert [
        v for k, v in walk(bundle) if k in ("display", "text", "value") and isinstance(v, str) and v != v.strip()
    ] == []
    ElementTree.fromstring(only(bundle, "DiagnosticReport")["text"]["div"])


@given(first=ANYTHING, second=ANYTHING, issuer=ANYTHING)
def test_two_patients_share_a_condition_only_where_their_identifiers_are_the_same_text(first, second, issuer) -> None:
    def condition(patient_id: str) -> str:
        context = replace(CONTEXT, patient=Patient(patient_id=patient_id, issuer=issuer))
        return str(build_bundle(report(context=context), OPTIONS)["entry"][0]["request"]["ifNoneExist"])

    def value(patient_id: str) -> str:
        context = replace(CONTEXT, patient=Patient(patient_id=patient_id, issuer=issuer))
        return str(only(build_bundle(report(context=context), OPTIONS), "Patient")["identifier"][0]["value"])

    assert (condition(first) == condition(second)) == (value(first) == value(second))
