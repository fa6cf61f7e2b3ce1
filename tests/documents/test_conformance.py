"""docs/conformance.md says what the code does: its tables are current, and a peer on the wire finds what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest
from documents import conformance_tables
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE, build_context, build_role
from pynetdicom.presentation import PresentationContext

from radiolucent.deliver import commitment
from radiolucent.ingest.callers import callers
from radiolucent.ingest.dicom_server import DicomServer, Doors
from radiolucent.report.dicom import (
    parametric_map,
    presentation_state,
    secondary_capture,
    segmentation,
    structured_report,
)
from radiolucent.settings import Dicom

PAGE = conformance_tables.PAGE.read_text(encoding="utf-8")
MOST_CONTEXTS = 128


def uids(name: str, column: int) -> list[str]:
    """What stands in a column of a table of the page, without its code marks."""
    found = PAGE.split(f"<!-- table {name} -->\n")[1].split("<!-- end -->")[0]
    rows = [[cell.strip() for cell in line.split(" | ")] for line in found.splitlines()[2:]]
    return [row[column].strip("`| ") for row in rows]


def test_the_tables_are_current() -> None:
    assert conformance_tables.filled(PAGE) == PAGE, "run: python tests/documents/conformance_tables.py"


def test_every_table_is_on_the_page_once() -> None:
    places = re.findall(r"^<!-- table ([a-z-]+) -->$", PAGE, flags=re.MULTILINE)
    assert sorted(places) == sorted(conformance_tables.TABLES)
    assert len(places) == PAGE.count("<!-- end -->")


def test_a_table_that_is_not_current_is_found() -> None:
    stale = PAGE.replace("Computed Radiography Image Storage", "Something else")
    assert stale != PAGE
    assert conformance_tables.filled(stale) == PAGE


@pytest.fixture
def door() -> Iterator[DicomServer]:
    doors = Doors(keep=lambda _: None, refused=lambda *_: None, prepare=commitment.accept_reports)
    server = DicomServer(Dicom(port=0), doors, callers(()))
    try:
        yield server
    finally:
        server.stop()


def accepted(server: DicomServer, contexts: Sequence[PresentationContext]) -> list[PresentationContext]:
    ae = AE(ae_title="ASKS")
    found: list[PresentationContext] = []
    for start in range(0, len(contexts), MOST_CONTEXTS):
        association = ae.associate(
            "127.0.0.1", server.port, contexts=list(contexts[start : start + MOST_CONTEXTS]), ae_title="RADIOLUCENT"
        )
        assert association.is_established
        found += association.accepted_contexts
        association.release()
    return found


def test_every_class_and_syntax_of_the_page_is_accepted(door: DicomServer) -> None:
    classes, syntaxes = uids("storage-classes", 1), uids("transfer-syntaxes", 1)
    assert len(classes) > 100
    found = accepted(door, [build_context(each, [ImplicitVRLittleEndian]) for each in classes])
    assert {str(context.abstract_syntax) for context in found} == set(classes)
    found = accepted(door, [build_context(classes[0], [each]) for each in syntaxes])
    assert [str(context.transfer_syntax[0]) for context in found] == syntaxes


def test_of_several_syntaxes_the_first_of_the_page_is_chosen(door: DicomServer) -> None:
    image, syntaxes = uids("storage-classes", 1)[0], uids("transfer-syntaxes", 1)
    (context,) = accepted(door, [build_context(image, syntaxes[::-1])])
    assert context.transfer_syntax == [syntaxes[0]]


def test_nothing_that_the_page_does_not_name_is_accepted(door: DicomServer) -> None:
    others = [
        "1.2.840.10008.5.1.4.1.2.2.1",  # Study Root FIND
        "1.2.840.10008.5.1.4.1.2.2.2",  # Study Root MOVE
        "1.2.840.10008.5.1.4.31",  # Modality Worklist
        "1.2.840.10008.3.1.2.3.3",  # MPPS
    ]
    verification = build_context("1.2.840.10008.1.1")
    found = accepted(door, [verification, *(build_context(each) for each in others)])
    assert [str(context.abstract_syntax) for context in found] == ["1.2.840.10008.1.1"]
    assert not set(others) & set(uids("presentation-contexts", 1))


def test_commitment_is_reported_to_us_in_reversed_roles(door: DicomServer) -> None:
    ae = AE(ae_title="ARCHIVE")
    role = build_role(commitment.PUSH_MODEL_CLASS_UID, scp_role=True)
    association = ae.associate(
        "127.0.0.1",
        door.port,
        contexts=[build_context(commitment.PUSH_MODEL_CLASS_UID)],
        ext_neg=[role],
        ae_title="RADIOLUCENT",
    )
    assert association.is_established
    (context,) = association.accepted_contexts
    association.release()
    assert (context.as_scp, context.as_scu) == (True, False)
    assert commitment.PUSH_MODEL_CLASS_UID in uids("presentation-contexts", 1)


def test_every_object_that_we_build_is_on_the_page() -> None:
    built = {
        module.SOP_CLASS_UID
        for module in (parametric_map, presentation_state, secondary_capture, segmentation, structured_report)
    }
    rejection = "1.2.840.10008.5.1.4.1.1.88.59"
    assert set(uids("objects-sent", 2)) == built | {rejection}


def test_every_route_of_the_page_is_a_resource() -> None:
    services = uids("web-routes", 0)
    assert {"QIDO-RS", "WADO-RS", "STOW-RS"} == set(services)
