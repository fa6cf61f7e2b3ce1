"""The evidence pack: every proof is there, every figure is live, every gap is visible."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from installation_cases import House
from store_cases import in_work, record
from typer.testing import CliRunner

import radiolucent
from radiolucent.cli.main import app
from radiolucent.cohort.evidence.bill import bill, needed
from radiolucent.cohort.evidence.claims import Claim, read_claims
from radiolucent.cohort.evidence.pack import NOT_HERE

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = read_claims()


def missing(proof: str) -> str | None:
    """Why a proof cannot be seen; ``None`` where it can."""
    name, _, test = proof.partition("::")
    name, _, heading = name.partition("#")
    path = ROOT / name
    if not path.is_file():
        return "no such file"
    text = path.read_text(encoding="utf-8")
    if test:
        functions = {n.name for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
        return None if test in functions else "no such test"
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return None if not heading or heading in headings else "no such heading"


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.requirement)
def test_every_proof_of_a_claim_is_there(claim: Claim) -> None:
    assert {proof: why for proof in claim.proof if (why := missing(proof))} == {}
    assert claim.proof or claim.state == "gap", "what is claimed has a proof"


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


def test_a_pack_without_an_installation_shows_what_is_not_here(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["evidence", "--out", str(tmp_path / "pack")])
    assert done.exit_code == 0, done.output
    said = json.loads((tmp_path / "pack" / "evidence.json").read_text())
    assert said["software"] == radiolucent.__version__
    assert {e["id"] for e in said["engines"]} == {
        "chest-film",
        "brain-mri-tumor",
        "head-ct-hemorrhage",
        "bone-fracture",
    }
    assert said["audit"] is None
    assert said["figures"]["audit"] == said["figures"]["drift"] == said["figures"]["oversight"] == NOT_HERE
    assert "chest-film 0.2.0: " in said["figures"]["engines"]
    page = (tmp_path / "pack" / "index.html").read_text()
    assert page.count(f": {NOT_HERE}") >= 8
    assert not re.search(r"https?://|<script|\sstyle=", page)
    assert (tmp_path / "pack" / "cards" / "chest-film.md").read_text() == (
        ROOT / "engines/chest-film/CARD.md"
    ).read_text()


def test_a_pack_of_an_installation_verifies_its_audit_log(tmp_path: Path) -> None:
    house = House(tmp_path)
    with house.journal.entry() as entry:
        entry.audit("start", version="x", worker="w")
    assert record(house.database, in_work(house.database))
    house.close()
    config = tmp_path / "radiolucent.toml"
    config.write_text(f'data = "{tmp_path}"\ndatabase_url = "sqlite:///{tmp_path / "store.sqlite"}"\n')
    done = CliRunner().invoke(app, ["evidence", "--out", str(tmp_path / "pack"), "--config", str(config)])
    assert done.exit_code == 0, done.output
    said = json.loads((tmp_path / "pack" / "evidence.json").read_text())
    assert said["audit"]["verified"] is True
    assert said["figures"]["audit"] == "1 entries, verified"


def test_the_bill_names_what_runs() -> None:
    parts = {c["name"].lower(): c for c in bill()["components"]}
    assert {"numpy", "onnxruntime", "pydicom", "sqlalchemy", "starlette"} <= parts.keys()
    assert not {"torch", "pytest"} & parts.keys()
    assert parts["numpy"]["purl"].startswith("pkg:pypi/numpy@")
    assert len(needed()) > 25
