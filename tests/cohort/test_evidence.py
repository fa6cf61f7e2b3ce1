"""The evidence pack: every proof is there, every figure is live, every gap is visible."""

from __future__ import annotations

import ast
import base64
import json
import re
from functools import lru_cache
from pathlib import Path

import fhir_cases
import pytest
from installation_cases import House
from store_cases import NOW, in_work, report
from typer.testing import CliRunner

import radiolucent
from radiolucent.cli.main import app
from radiolucent.cohort.evidence.bill import bill, needed
from radiolucent.cohort.evidence.claims import Row, read_claims, read_risks, read_sources, read_threats
from radiolucent.cohort.evidence.page import NOT_HERE, grouped
from radiolucent.report.fhir import systems
from radiolucent.store import work

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = {"chest-film", "brain-mri-tumor", "head-ct-hemorrhage", "bone-fracture"}
CLAIMS, THREATS, RISKS = read_claims(), read_threats(), read_risks()
GROUPS = grouped(
    [*((c.group, c) for c in CLAIMS), *((t.boundary, t) for t in THREATS), *(("Risks", risk) for risk in RISKS)]
)


@lru_cache
def functions_of(path: Path) -> frozenset[str]:
    """Names of a module's functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def missing(proof: str) -> str | None:
    """Why a proof cannot be seen; ``None`` where it can."""
    name, _, test = proof.partition("::")
    name, _, heading = name.partition("#")
    path = ROOT / name
    if not path.is_file():
        return "no such file"
    if test:
        return None if test in functions_of(path) else "no such test"
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return None if not heading or heading in headings else "no such heading"


@pytest.mark.parametrize("rows", GROUPS.values(), ids=GROUPS)
def test_every_proof_is_there(rows: list[Row]) -> None:
    assert {proof: why for row in rows for proof in row.proof if (why := missing(proof))} == {}
    assert [row for row in rows if not row.proof and row.state != "gap"] == [], "what is claimed has a proof"


def test_what_holds_a_threat_or_a_risk_was_tried_and_what_is_left_is_said() -> None:
    for row in (*THREATS, *RISKS):
        assert row.state == "gap" or row.control
        assert row.state == "there" or row.left, f"{row}: held in part, and nothing is said to be left"
    untried = [r for r in (*THREATS, *RISKS) if r.state == "there" and not any("::" in p for p in r.proof)]
    assert untried == [], "what is held is held by a test"
    kinds = {t.boundary: {other.kind for other in THREATS if other.boundary == t.boundary} for t in THREATS}
    for door in ("DICOM door", "HL7 door", "DICOMweb and FHIR", "Page and its API"):
        assert len(kinds[door]) == 6, f"every letter of STRIDE is asked of {door}"


def test_every_item_of_a_checklist_is_asked_once() -> None:
    items = {name: [c.requirement for c in CLAIMS if c.group == name] for name in read_sources()}
    claim, decide, future = items.values()
    assert claim == [str(number) for number in range(1, 45)]
    assert len(set(decide)) == len(decide) == 28 + 10, "28 parts of 17 items, and ten generic ones"
    letters = [re.sub(r"[0-9]+", "", name) for name in future]
    assert {name: letters.count(name) for name in letters} == {"F": 3, "U": 4, "T": 6, "Us": 5, "R": 3, "E": 2, "G": 7}


def test_a_missing_proof_is_found() -> None:
    assert missing("docs/none.md") == "no such file"
    assert missing("docs/audit.md#No such heading") == "no such heading"
    assert missing("tests/cohort/test_evidence.py::test_none") == "no such test"
    assert missing("tests/cohort/test_evidence.py::test_a_missing_proof_is_found") is None


def test_the_five_dimensions_and_the_articles_are_asked() -> None:
    asked = {c.requirement for c in CLAIMS}
    assert {"Transparency", "Clinician interpretability", "Generalisation", "Override", "Failure modes"} <= asked
    assert {re.match(r"Article (\d+)", name).group(1) for name in asked if name.startswith("Article")} == {  # type: ignore[union-attr]
        *("12", "13", "14", "26")
    }
    assert len([c for c in CLAIMS if c.group.startswith("Good machine learning")]) == 10
    assert any(c.state == "gap" for c in CLAIMS)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack of the shipped engines alone."""
    folder = tmp_path_factory.mktemp("evidence")
    done = CliRunner().invoke(app, ["evidence", "--out", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


def test_a_pack_without_an_installation_shows_what_is_not_here(pack: Path) -> None:
    said = json.loads((pack / "evidence.json").read_text())
    assert said["software"] == radiolucent.__version__
    assert {e["id"] for e in said["engines"]} == SHIPPED
    assert said["audit"] is None
    assert said["figures"]["audit"] == said["figures"]["drift"] == said["figures"]["oversight"] == [NOT_HERE]
    assert any(line.startswith("chest-film 0.2.0: ") for line in said["figures"]["engines"])
    page = (pack / "index.html").read_text()
    assert page.count(f"</a>: {NOT_HERE}") >= 8
    assert page.count("<b>a gap</b>") == sum(row.state == "gap" for row in (*CLAIMS, *THREATS, *RISKS))
    assert page.count("(empty)") >= sum(not c.text for c in CLAIMS), "a gap that nobody filled is seen to be empty"
    assert any("828 train" in line and "212 test" in line for line in said["figures"]["splits"])
    assert not re.search(r"https?://|<script|\sstyle=", page)
    for file, source in (("cards/chest-film.md", "engines/chest-film/CARD.md"), ("conformance/hl7.md", "docs/hl7.md")):
        assert (pack / file).read_bytes() == (ROOT / source).read_bytes()
    assert all((pack / link).is_file() for link in re.findall(r'href="([^#"]+)"', page))
    fhir_cases.check_legal(json.loads((pack / "capability.fhir.json").read_text()))


def test_a_pack_of_an_installation_verifies_its_audit_log(tmp_path: Path) -> None:
    house = House(tmp_path)
    with house.journal.entry() as entry:
        entry.audit("start", version="x", worker="w")
    job = in_work(house.database)
    with house.database.transaction() as connection:
        assert work.record(connection, job, report(job, engines=(fhir_cases.ENGINE,)), (), (), now=NOW + 10)
    house.close()
    config = tmp_path / "radiolucent.toml"
    config.write_text(f'data = "{tmp_path}"\ndatabase_url = "sqlite:///{tmp_path / "store.sqlite"}"\n')
    done = CliRunner().invoke(app, ["evidence", "--out", str(tmp_path / "pack"), "--config", str(config)])
    assert done.exit_code == 0, done.output
    said = json.loads((tmp_path / "pack" / "evidence.json").read_text())
    assert said["audit"]["verified"] is True
    assert said["figures"]["audit"] == ["1 entries, verified"]
    (start, engine) = said["versions"]
    assert (start["id"], start["version"], start["times"]) == ("radiolucent", "x", 1)
    assert (engine["id"], engine["times"], engine["first"], engine["last"]) == ("chest-film", 1, *["2026-01-02"] * 2)
    assert said["figures"]["versions"][0].startswith("radiolucent x: 1 starts, ")


def test_engines_and_cards_are_fhir_resources(pack: Path) -> None:
    bundle = json.loads((pack / "transparency.fhir.json").read_text())
    fhir_cases.check_legal(bundle)
    there = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    engines = [r for r in there.values() if r.get("meta", {}).get("profile") == [systems.AI_DEVICE]]
    assert {e["modelNumber"] for e in engines} == {
        "chest-film",
        "brain-mri-tumor",
        "head-ct-hemorrhage",
        "bone-fracture",
    }
    for engine in engines:
        assert {"system": systems.AI_DEVICE_TYPE, "code": "Artificial-Intelligence"} in engine["type"]["coding"]
        assert there[engine["parent"]["reference"]]["manufacturer"] == "Radiolucent"
        extensions = {e["url"]: e for e in engine["extension"]}
        card = there[extensions[systems.MODEL_CARD_OF]["valueReference"]["reference"]]
        assert [c["code"] for c in card["type"]["coding"]] == ["AIModelCard"], "the profile closes this list"
        said = base64.b64decode(card["content"][0]["attachment"]["data"])
        assert said == (ROOT / "engines" / engine["modelNumber"] / "CARD.md").read_bytes()


def test_the_bill_names_what_runs() -> None:
    parts = {c["name"].lower(): c for c in bill()["components"]}
    assert {"numpy", "onnxruntime", "pydicom", "sqlalchemy", "starlette"} <= parts.keys()
    assert not {"torch", "pytest"} & parts.keys()
    assert parts["numpy"]["purl"].startswith("pkg:pypi/numpy@")
    assert len(needed()) > 25
