"""The evidence pack of a running system: claims with their live figures, and the records beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import radiolucent
from radiolucent.audit.chain import Verification
from radiolucent.cohort.drift import Chart
from radiolucent.cohort.evidence.bill import bill
from radiolucent.cohort.evidence.claims import read_claims, read_risks, read_threats
from radiolucent.cohort.evidence.documents import conformance
from radiolucent.cohort.evidence.page import NOT_HERE, STATES, Asked, render
from radiolucent.cohort.package import plain
from radiolucent.deliver.folder import write_bytes
from radiolucent.errors import SettingsError
from radiolucent.judge.judge import engine_ref
from radiolucent.records.engine import EngineSpec
from radiolucent.records.result import DISCLAIMER
from radiolucent.report.dicom.uids import SOFTWARE_DEVICE_UID
from radiolucent.report.fhir import Carded, capability_statement, transparency_bundle

SCHEMA = "radiolucent.evidence/1"
PARTS = ("train", "val", "test")
BASE = "http://127.0.0.1:8080/fhir"
"""Of the FHIR interface, as the settings have it by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """One version of the software or of an engine (``sha256``: of its graph), and the days on which it was seen.

    ``times`` counts starts of the software, and revisions of results that an engine is named in.
    """

    id: str
    version: str
    sha256: str
    first: str
    last: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What a pack is made of; ``None`` is what this installation does not have.

    Parameters
    ----------
    cards
        Text of each engine's card, by id.
    splits
        Number of groups that each engine's package lists, by part, by id; empty where it lists none.
    overridden
        ``(called findings that people decided on, those they rejected or changed)``.
    versions
        Which versions of software and engines this installation has used, oldest first.
    validations
        Path and content of ``validation.json`` of each validation.
    """

    specs: Sequence[EngineSpec]
    cards: Mapping[str, str]
    splits: Mapping[str, Mapping[str, int]]
    audit: Verification | None
    charts: Sequence[Chart] | None
    overridden: tuple[int, int] | None
    versions: Sequence[Used]
    validations: Sequence[tuple[str, Mapping[str, Any]]]


def read_validation(folder: Path) -> tuple[str, Mapping[str, Any]]:
    """A validation's figures.

    Raises
    ------
    SettingsError
        ``reference`` for a folder that holds none.
    """
    try:
        said = json.loads((folder / "validation.json").read_text(encoding="utf-8"))
        if said["schema"] == "radiolucent.validation/1":
            return str(folder), said
    except (OSError, ValueError, KeyError):
        pass
    raise SettingsError(
        "reference",
        found=f"no validation in {folder.name}",
        expected="the folder of a `radiolucent validate`",
        action="Validate first, or leave it out.",
    )


def figures(sources: Sources, components: int) -> dict[str, list[str]]:
    """Live figures in words, by name, a line for each engine or validation; what is not here says so."""
    specs = sources.specs
    found = {
        "engines": [_engine(s) for s in specs],
        "population": [_population(s) for s in specs],
        "training": [f"{s.id}: {s.training_summary or 'not stated'}" for s in specs],
        "splits": [_split(name, parts) for name, parts in sources.splits.items()],
        "maps": [_maps(s) for s in specs],
        "validations": [_validation(name, said) for name, said in sources.validations],
        "oversight": _oversight(sources.overridden),
        "versions": [*(_used(u) for u in sources.versions), *_changes(sources.validations)],
        "drift": _drift(sources.charts),
        "audit": _audit(sources.audit),
        "components": [f"{components} components, listed in sbom.cdx.json"],
    }
    return {name: lines or [NOT_HERE] for name, lines in found.items()}


def _engine(spec: EngineSpec) -> str:
    levels = [f.evidence_level for f in spec.findings]
    callable_ones = sum(level in ("adequate", "limited") for level in levels)
    areas = [f.auc for f in spec.findings if f.auc is not None and f.evidence_level in ("adequate", "limited")]
    said = f", AUC {_span(areas)}" if areas else ""
    return f"{spec.id} {spec.version}: {callable_ones} of {len(levels)} findings may be called{said}"


def _population(spec: EngineSpec) -> str:
    wanted = spec.population
    views = f"; views {', '.join(wanted.views)}" if wanted.views else ""
    return f"{spec.id}: {_ages(spec)}; {', '.join(wanted.modalities)} of {', '.join(wanted.body_parts)}{views}"


def _split(name: str, parts: Mapping[str, int]) -> str:
    named = sorted(parts.items(), key=lambda one: (PARTS.index(one[0]) if one[0] in PARTS else len(PARTS), one[0]))
    told = ", ".join(f"{count} {part.replace('_', ' ')}" for part, count in named)
    return f"{name}: {told} groups" if told else f"{name}: no list of groups"


def _span(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _maps(spec: EngineSpec) -> str:
    validated = sum(f.map_status == "validated" for f in spec.findings)
    return f"{spec.id}: maps of {validated} of {len(spec.findings)} findings validated"


def _validation(name: str, said: Mapping[str, Any]) -> str:
    cohort, judged = said["cohort"], [f for f in said["findings"] if not f["saying"]]
    gaps = sum((f["q"] or 1) < 0.05 for g in said["subgroups"] for f in g["figures"] if f["q"] is not None)
    areas = [f["auc"]["value"] for f in judged]
    told = f", AUC {_span(areas)} on {len(areas)} findings" if areas else ""
    return (
        f"{said['engine']} {said['version']} on {cohort['read']} images of {cohort['patients']} patients "
        f"({Path(name).name}){told}, {gaps} differences between groups"
    )


def _used(used: Used) -> str:
    graph = f" ({used.sha256[:12]})" if used.sha256 else ""
    what = "results" if used.sha256 else "starts"
    return f"{used.id} {used.version}{graph}: {used.times} {what}, {used.first} to {used.last}"


def _changes(validations: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """The records of a change of version among the validations that are named."""
    changes = [(Path(name).name, said["change"]) for name, said in validations if said.get("change")]
    return [f"{made['old']} to {made['new']}: {made['verdict']} ({name})" for name, made in changes]


def _oversight(overridden: tuple[int, int] | None) -> list[str]:
    if overridden is None or overridden[0] == 0:
        return []
    return [f"{overridden[1]} of {overridden[0]} called findings were rejected or changed by a person"]


def _drift(charts: Sequence[Chart] | None) -> list[str]:
    if not charts:
        return []
    ready = [c for c in charts if c.is_ready]
    return [f"{len(ready)} of {len(charts)} charts past their baseline, {sum(len(c.alarms) for c in ready)} alarms"]


def _audit(found: Verification | None) -> list[str]:
    if found is None:
        return []
    return [f"{found.entries} entries, {'verified' if found.verified else f'{found.problem_count} problems'}"]


def write_pack(sources: Sources, out: Path, *, made_at: datetime) -> dict[str, int]:
    """Write the pack: page, JSON, FHIR resources, bill of materials, cards; gives the number of claims by state.

    Files are ``index.html``, ``evidence.json``, ``transparency.fhir.json``, ``capability.fhir.json``,
    ``sbom.cdx.json``, ``cards/*.md``, ``conformance/*.md``.
    """
    parts = bill()
    asked = Asked(claims=read_claims(), threats=read_threats(), risks=read_risks())
    live = figures(sources, len(parts["components"]))
    engines = [_version(s) for s in sources.specs]
    document = {
        "schema": SCHEMA,
        "made_at": made_at.isoformat(timespec="seconds"),
        "software": radiolucent.__version__,
        "engines": engines,
        "figures": live,
        "versions": [asdict(u) for u in sources.versions],
        "claims": [c.model_dump() for c in asked.claims],
        "threats": [t.model_dump() for t in asked.threats],
        "risks": [r.model_dump() for r in asked.risks],
        "audit": None if sources.audit is None else {"verified": sources.audit.verified, **asdict(sources.audit)},
        "disclaimer": DISCLAIMER,
    }
    cards = {f"{name}.md": card.encode("utf-8") for name, card in sources.cards.items()}
    for folder, files in (("cards", cards), ("conformance", conformance())):
        (out / folder).mkdir(exist_ok=True)
        for name, content in files.items():
            write_bytes(out / folder / name, content)
    _write_json(out / "sbom.cdx.json", parts)
    _write_json(out / "transparency.fhir.json", _transparency(sources, made_at))
    statement = capability_statement(software_version=radiolucent.__version__, base_url=BASE, now=made_at)
    _write_json(out / "capability.fhir.json", statement)
    _write_json(out / "evidence.json", plain(document))
    write_bytes(out / "index.html", render(asked, live, engines, made_at).encode("utf-8"))
    return {state: sum(c.state == state for c in asked.claims) for state in STATES}


def _write_json(path: Path, document: Any) -> None:
    write_bytes(path, (json.dumps(document, indent=1, default=str) + "\n").encode("utf-8"))


def _transparency(sources: Sources, made_at: datetime) -> dict[str, Any]:
    carded = [
        Carded(engine=engine_ref(s), intended_use=s.population.intended_use, card=sources.cards[s.id])
        for s in sources.specs
    ]
    return transparency_bundle(carded, version=radiolucent.__version__, device_uid=SOFTWARE_DEVICE_UID, made_at=made_at)


def _version(spec: EngineSpec) -> dict[str, str]:
    return {
        "id": spec.id,
        "version": spec.version,
        "sha256": spec.sha256,
        "intended_use": spec.population.intended_use,
        "ages": _ages(spec),
    }


def _ages(spec: EngineSpec) -> str:
    low, high = spec.population.min_age_years, spec.population.max_age_years
    if low is None and high is None:
        return "any age"
    return f"{low or 0:g} years and up" if high is None else f"{low or 0:g} to {high:g} years"
