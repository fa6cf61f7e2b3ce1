"""The tables of docs/conformance.md, made from the code: ``python tests/documents/conformance_tables.py`` writes them.

Between ``<!-- table NAME -->`` and ``<!-- end -->`` of the page stands what `TABLES` makes under that name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from pydicom.uid import UID
from pynetdicom import AE
from starlette.routing import Route

from radiolucent.deliver import commitment, parcels
from radiolucent.deliver.profiles import PROFILES
from radiolucent.ingest import dicom_server
from radiolucent.ingest.callers import callers
from radiolucent.pipeline.study_report import KINDS
from radiolucent.prepare.header import NATIVE
from radiolucent.prepare.source_image import NOT_SOURCE_IMAGES, RT_IMAGE
from radiolucent.prepare.stored import GDCM_ONLY, PLUGINS
from radiolucent.records.engine import Code
from radiolucent.settings import Dicom
from radiolucent.standards import codes, dimse_refusals
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID
from radiolucent.web.dicomweb import outcome, problems
from radiolucent.web.dicomweb.attributes import ATTRIBUTES
from radiolucent.web.dicomweb.limits import WebLimits
from radiolucent.web.dicomweb.media import FRAME_TYPES
from radiolucent.web.dicomweb.routes import dicomweb_routes
from radiolucent.web.dicomweb.transcode import is_transcodable

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
PLACE = re.compile(r"(<!-- table ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
DIMSE_STATUSES = (
    *(0x0000, 0x0107, 0x0116, 0xB000, 0xB006, 0xB007, 0x0111, 0xA700, 0x0110, 0x0213),
    *(0x0117, 0x0122, 0x0124, 0xA900, 0xC000),
)
STATUS_NAMES = {
    0x0000: "Success",
    0x0107: "Attribute list error",
    0x0110: "Processing failure",
    0x0111: "Duplicate SOP instance",
    0x0116: "Attribute value out of range",
    0x0117: "Invalid SOP instance",
    0x0122: "SOP class not supported",
    0x0124: "Not authorised",
    0x0213: "Resource limitation",
    0xA700: "Out of resources",
    0xA900: "Data set does not match SOP class",
    0xB000: "Coercion of data elements",
    0xB006: "Elements discarded",
    0xB007: "Data set does not match SOP class (warning)",
    0xC000: "Cannot understand",
}
OUTCOMES = {
    "done": "stored",
    "later": "not stored; tried again by itself",
    "never": "not stored; the delivery is `refused`",
}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def yes(holds: bool) -> str:
    return "yes" if holds else ""


def application_entity() -> AE:
    """Ours, as it is with default settings."""
    made = dicom_server._application_entity(Dicom(), callers(()))
    commitment.accept_reports(made)
    return made


def storage_classes() -> str:
    """SOP classes accepted as SCP, and whether an engine may read them."""
    found = {str(context.abstract_syntax) for context in application_entity().supported_contexts}
    rows = []
    for uid in sorted(found, key=lambda u: [int(part) for part in u.split(".")]):
        if uid in (dicom_server.VERIFICATION, commitment.PUSH_MODEL_CLASS_UID):
            continue
        is_other = uid != RT_IMAGE and any(
            uid == start or (start.endswith(".") and uid.startswith(start)) for start, _ in NOT_SOURCE_IMAGES
        )
        rows.append((UID(uid).name, f"`{uid}`", yes(not is_other)))
    return table(("SOP class", "UID", "may be read"), rows)


def transfer_syntaxes() -> str:
    readable = {*map(str, NATIVE), *map(str, PLUGINS), *map(str, GDCM_ONLY)}
    rows = [
        (
            UID(str(uid)).name,
            f"`{uid}`",
            yes(str(uid) in readable),
            yes(is_transcodable(str(uid))),
            ", ".join(f"`{each}`" for each in FRAME_TYPES.get(str(uid), ())),
        )
        for uid in dicom_server.SYNTAXES
    ]
    head = ("Transfer syntax", "UID", "engines read it", "served uncompressed", "frames served as they are")
    return table(head, rows)


def presentation_contexts() -> str:
    """What else is accepted as SCP or in a reversed role."""
    roles = {dicom_server.VERIFICATION: "SCP", commitment.PUSH_MODEL_CLASS_UID: "SCU (reports only, role reversed)"}
    rows = []
    for context in application_entity().supported_contexts:
        uid = str(context.abstract_syntax)
        if uid in roles:
            syntaxes = ", ".join(f"{UID(str(s)).name} `{s}`" for s in context.transfer_syntax)
            rows.append((UID(uid).name, f"`{uid}`", syntaxes, roles[uid]))
    return table(("Abstract syntax", "UID", "Transfer syntaxes", "Our role"), rows)


def store_statuses() -> str:
    when = {
        dicom_server.SUCCESS: "on disk and committed, or here already with the same content",
        dicom_server.OUT_OF_RESOURCES: "disk below its reserve, or the database does not answer; send it again",
        dicom_server.CANNOT_UNDERSTAND: "the header cannot be read, or the instance is larger than allowed",
        dicom_server.PROCESSING_FAILURE: "a defect of ours; the instance is not kept",
        dicom_server.DOES_NOT_MATCH: "request and data set name different UIDs",
        dicom_server.DUPLICATE: "another content has this SOP Instance UID; what we have stays",
        dicom_server.NOT_AUTHORISED: "the calling title may not send from this address",
    }
    return table(
        ("Status", "Meaning", "When"), [(f"{s:04X}", STATUS_NAMES[s], when[s]) for s in (0, *sorted(when.keys() - {0}))]
    )


def association_parameters() -> str:
    ae, settings = application_entity(), Dicom()
    rows = [
        ("Application Context Name", "`1.2.840.10008.3.1.1.1`"),
        ("Implementation Class UID", f"`{ae.implementation_class_uid}`"),
        ("Implementation Version Name", f"`{ae.implementation_version_name}`"),
        ("Largest PDU received", f"{ae.maximum_pdu_size} bytes"),
        ("Associations accepted at a time", f"{settings.max_associations} (`dicom.max_associations`)"),
        ("Associations opened at a time", "`delivery.parallel`, one for each delivery"),
        ("Asynchronous operations window", "not negotiated: one at a time"),
        ("SOP class extended, user identity", "not negotiated; ignored when offered"),
        ("Called title", "must be ours (`dicom.require_called_ae`)"),
        ("Silence that ends an association", f"{settings.idle_timeout_s:g} s (`dicom.idle_timeout_s`)"),
    ]
    assert (ae.implementation_class_uid, ae.require_called_aet) == (IMPLEMENTATION_CLASS_UID, True)
    return table(("What", "Value"), rows)


def objects_sent() -> str:
    rows = []
    for uid, kind in KINDS.items():
        if kind == "secondary_capture" and uid != "1.2.840.10008.5.1.4.1.1.7":
            continue
        taken = [name for name, profile in PROFILES.items() if kind in profile.kinds]
        rows.append((kind.replace("_", " "), UID(uid).name, f"`{uid}`", ", ".join(f"`{name}`" for name in taken)))
    return table(("Object", "SOP class", "UID", "Sent under `profile`"), rows)


def offered_syntaxes() -> str:
    ours = parcels.Parcel(
        path=Path(), sop_class_uid="1", sop_instance_uid="1", transfer_syntax_uid="1.2.840.10008.1.2.1", size_bytes=0
    )
    return table(("Transfer syntax", "UID"), [(UID(syntax).name, f"`{syntax}`") for _, syntax in ours.offers])


def peer_statuses() -> str:
    rows = [(f"{s:04X}", STATUS_NAMES[s], OUTCOMES[dimse_refusals.stored(s)]) for s in DIMSE_STATUSES]
    return table(("Status", "Meaning", "What we do"), rows)


def web_routes() -> str:
    services = {"POST": "STOW-RS", "search": "QIDO-RS", "read": "WADO-RS"}
    rows = []
    for route in dicomweb_routes(None, None):  # type: ignore[arg-type]  # nothing is asked of them
        assert isinstance(route, Route) and route.methods is not None  # noqa: PT018
        is_search = route.path.rsplit("/", 1)[-1] in ("studies", "series", "instances")
        method = "POST" if "POST" in route.methods else "GET"
        service = services["POST"] if method == "POST" else services["search" if is_search else "read"]
        rows.append((service, method, f"`{route.path.replace('{path:path}', '{tags}')}`"))
    return table(("Service", "Method", "Resource"), sorted(rows, key=lambda row: row[0]))


def web_keys() -> str:
    matching = {
        "text": "exact, `*`, `?`",
        "name": "exact, `*`, `?`, whatever its case",
        "code": "any of a list, `*`, `?`",
        "uid": "any of a list",
        "date": "exact, range",
        "time": "exact, range",
        "number": "exact",
        "none": "not a key",
    }
    return table(
        ("Level", "Attribute", "Tag", "Matching"),
        [(a.level, a.keyword, f"({a.tag[:4]},{a.tag[4:]})", matching[a.matching]) for a in ATTRIBUTES],
    )


def web_statuses() -> str:
    by_status: dict[int, list[str]] = {}
    for code, status in problems.STATUS_OF.items():
        by_status.setdefault(status, []).append(f"`{code}`")
    by_status[problems.NOT_ACCEPTABLE] = ["any other: it cannot be given as asked"]
    return table(("Status", "Codes"), [(status, ", ".join(found)) for status, found in sorted(by_status.items())])


def web_failures() -> str:
    rows = [(f"{reason:04X}", f"`{code}`") for code, reason in outcome.REASON_OF.items()]
    rows += [
        (f"{outcome.OUT_OF_RESOURCES:04X}", "any that speaks of the moment: `storage_full`, `database_unavailable`"),
        (f"{outcome.CANNOT_UNDERSTAND:04X}", "any other refusal"),
        (f"{outcome.PROCESSING_FAILURE:04X}", "a defect of ours"),
    ]
    return table(("Failure Reason (0008,1197)", "Code"), sorted(rows))


def web_limits() -> str:
    limits = WebLimits()
    rows = []
    for field in fields(WebLimits):
        value = getattr(limits, field.name)
        rows.append((field.name.replace("_", " "), f"{value:g}" if isinstance(value, float) else value))
    return table(("Limit", "Value"), rows)


def coded_terms() -> str:
    found: list[Code] = []
    for name, value in vars(codes).items():
        each = value if isinstance(value, Mapping) else {name: value}
        found += [code for code in each.values() if isinstance(code, Code) and code not in found]
    ordered = sorted(found, key=lambda code: (code.scheme, code.value))
    return table(("Scheme", "Value", "Meaning"), [(c.scheme, f"`{c.value}`", c.meaning) for c in ordered])


TABLES: dict[str, Callable[[], str]] = {
    "storage-classes": storage_classes,
    "transfer-syntaxes": transfer_syntaxes,
    "presentation-contexts": presentation_contexts,
    "store-statuses": store_statuses,
    "association-parameters": association_parameters,
    "objects-sent": objects_sent,
    "offered-syntaxes": offered_syntaxes,
    "peer-statuses": peer_statuses,
    "web-routes": web_routes,
    "web-keys": web_keys,
    "web-statuses": web_statuses,
    "web-failures": web_failures,
    "web-limits": web_limits,
    "coded-terms": coded_terms,
}


def filled(page: str) -> str:
    """The page with every table as the code has it now."""
    return PLACE.sub(lambda place: f"{place[1]}{TABLES[place[2]]()}{place[3]}", page)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
