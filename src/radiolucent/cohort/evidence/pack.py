"""The evidence pack of a running system: claims with their live figures, and the records beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import radiolucent
from radiolucent.audit.chain import Verification
from radiolucent.cohort.drift import Chart
from radiolucent.cohort.evidence.bill import bill
from radiolucent.cohort.evidence.claims import Claim, read_claims
from radiolucent.cohort.package import plain
from radiolucent.cohort.validation.page import style
from radiolucent.deliver.folder import write_bytes
from radiolucent.errors import SettingsError
from radiolucent.records.engine import EngineSpec
from radiolucent.records.result import DISCLAIMER

SCHEMA = "radiolucent.evidence/1"
NOT_HERE = "not measured here"
STATES = {"there": "there", "partly": "partly there", "gap": "a gap"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What a pack is made of; ``None`` is what this installation does not have.

    Parameters
    ----------
    cards
        Text of each engine's card, by id.
    overridden
        ``(called findings that people decided on, those they rejected or changed)``.
    validations
        Path and content of ``validation.json`` of each validation.
    """

    specs: Sequence[EngineSpec]
    cards: Mapping[str, str]
    audit: Verification | None
    charts: Sequence[Chart] | None
    overridden: tuple[int, int] | None
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


def figures(sources: Sources, components: int) -> dict[str, str]:
    """Live figures in words, by name; what is not here says so."""
    return {
        "engines": "; ".join(_engine(s) for s in sources.specs) or NOT_HERE,
        "maps": "; ".join(_maps(s) for s in sources.specs) or NOT_HERE,
        "validations": "; ".join(_validation(name, said) for name, said in sources.validations) or NOT_HERE,
        "oversight": _oversight(sources.overridden),
        "drift": _drift(sources.charts),
        "audit": _audit(sources.audit),
        "components": f"{components} components, listed in sbom.cdx.json",
    }


def _engine(spec: EngineSpec) -> str:
    levels = [f.evidence_level for f in spec.findings]
    callable_ones = sum(level in ("adequate", "limited") for level in levels)
    areas = [f.auc for f in spec.findings if f.auc is not None and f.evidence_level in ("adequate", "limited")]
    said = f", AUC {_span(areas)}" if areas else ""
    return f"{spec.id} {spec.version}: {callable_ones} of {len(levels)} findings may be called{said}"


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


def _oversight(overridden: tuple[int, int] | None) -> str:
    if overridden is None or overridden[0] == 0:
        return NOT_HERE
    return f"{overridden[1]} of {overridden[0]} called findings were rejected or changed by a person"


def _drift(charts: Sequence[Chart] | None) -> str:
    if not charts:
        return NOT_HERE
    ready = [c for c in charts if c.is_ready]
    return f"{len(ready)} of {len(charts)} charts past their baseline, {sum(len(c.alarms) for c in ready)} alarms"


def _audit(found: Verification | None) -> str:
    if found is None:
        return NOT_HERE
    return f"{found.entries} entries, {'verified' if found.verified else f'{found.problem_count} problems'}"


def write_pack(sources: Sources, out: Path, *, made_at: str) -> dict[str, int]:
    """Write ``index.html``, ``evidence.json``, ``sbom.cdx.json`` and the cards; gives the number of claims by state."""
    claims, parts = read_claims(), bill()
    live = figures(sources, len(parts["components"]))
    counts = {state: sum(c.state == state for c in claims) for state in STATES}
    versions = [
        {
            "id": s.id,
            "version": s.version,
            "sha256": s.sha256,
            "intended_use": s.population.intended_use,
            "ages": _ages(s),
        }
        for s in sources.specs
    ]
    document = {
        "schema": SCHEMA,
        "made_at": made_at,
        "software": radiolucent.__version__,
        "engines": versions,
        "figures": live,
        "claims": [c.model_dump() for c in claims],
        "audit": None if sources.audit is None else {"verified": sources.audit.verified, **asdict(sources.audit)},
        "disclaimer": DISCLAIMER,
    }
    (out / "cards").mkdir(exist_ok=True)
    for name, card in sources.cards.items():
        write_bytes(out / "cards" / f"{name}.md", card.encode("utf-8"))
    write_bytes(out / "sbom.cdx.json", (json.dumps(parts, indent=1) + "\n").encode("utf-8"))
    write_bytes(out / "evidence.json", (json.dumps(plain(document), indent=1, default=str) + "\n").encode("utf-8"))
    page = _page(claims, live, counts, versions, made_at)
    write_bytes(out / "index.html", page.encode("utf-8"))
    return counts


def _ages(spec: EngineSpec) -> str:
    low, high = spec.population.min_age_years, spec.population.max_age_years
    if low is None and high is None:
        return "any age"
    return f"{low or 0:g} years and up" if high is None else f"{low or 0:g} to {high:g} years"


def _page(
    claims: Iterable[Claim],
    live: Mapping[str, str],
    counts: Mapping[str, int],
    engines: Sequence[Mapping[str, str]],
    made_at: str,
) -> str:
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(claim.group, []).append(claim)
    environment = Environment(
        loader=PackageLoader("radiolucent.cohort.evidence", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("evidence.html.j2").render(
        groups=groups, live=live, counts=counts, engines=engines, states=STATES, software=radiolucent.__version__,
        made_at=made_at, not_here=NOT_HERE, disclaimer=DISCLAIMER, **style(),
    )  # fmt: skip
