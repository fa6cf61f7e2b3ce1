"""The software bill of materials of the running installation (CycloneDX 1.5)."""

from __future__ import annotations

import re
from importlib import metadata
from typing import Any

import radiolucent

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def needed() -> list[metadata.Distribution]:
    """Our own package and everything it needs at run time that is installed here, by name."""
    found: dict[str, metadata.Distribution] = {}
    pending = ["radiolucent"]
    while pending:
        name = re.sub(r"[-_.]+", "-", pending.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        for line in found[name].requires or ():
            match = NAME.match(line)
            if match and "extra ==" not in line:
                pending.append(match.group())
    return [found[name] for name in sorted(found)]


def bill() -> dict[str, Any]:
    """The bill as a CycloneDX document: name, version, licence as its makers state it, and package URL."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "radiolucent", "version": radiolucent.__version__}},
        "components": [_component(d) for d in needed() if d.name != "radiolucent"],
    }


def _component(distribution: metadata.Distribution) -> dict[str, Any]:
    name, version = distribution.name, distribution.version
    made: dict[str, Any] = {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"}
    said = distribution.metadata.json
    stated = str(said.get("license_expression") or said.get("license") or "")
    if stated and len(stated) < 80:
        made["licenses"] = [{"license": {"name": stated}}]
    return made
