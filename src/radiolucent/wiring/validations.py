"""Reports of validations as they lie in their folder, a folder for each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from radiolucent.cohort.validation.page import FAR
from radiolucent.cohort.validation.records import SCHEMA
from radiolucent.cohort.validation.subgroups import FOUND
from radiolucent.cohort.validation.writing import FIGURES, PRINTED
from radiolucent.errors import InputRefused

Json = dict[str, Any]


class Shelf:
    """The reports of one folder; what is no whole validation is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[Json]:
        """Head figures of each, the newest first."""
        found = [_head(path.name, path / FIGURES) for path in self._folders()]
        return sorted((each for each in found if each is not None), key=lambda each: each["made_at"], reverse=True)

    def _folders(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if path.is_dir()] if self._folder.is_dir() else []

    def read(self, name: str, file: str) -> bytes:
        """A file of a report that is there under this very name; a name that leads elsewhere is none.

        Raises
        ------
        InputRefused
            ``no_such_validation``.
        """
        for path in self._folders():
            if path.name == name and (path / file).is_file():
                return (path / file).read_bytes()
        raise InputRefused(
            "no_such_validation",
            found="a report that is not there",
            expected="one of the validations that are listed",
            action="Open the list of validations again.",
        )


def _head(name: str, path: Path) -> Json | None:
    try:
        made = path.stat().st_mtime
        return {"name": name, "has_pdf": path.with_name(PRINTED).is_file(), **_figures(path, made)}
    except (OSError, ValueError, KeyError, TypeError):
        return None


@lru_cache(maxsize=64)
def _figures(path: Path, made: float) -> Json:
    """Head figures; a file that was written anew is read anew."""
    said = json.loads(path.read_text(encoding="utf-8"))
    if said["schema"] != SCHEMA:
        raise ValueError(said["schema"])
    cells = [cell for cell in said["atlas"] if cell["q"] is not None]
    tests = [figure for group in said["subgroups"] for figure in group["figures"] if figure["q"] is not None]
    return {
        "made_at": datetime.fromtimestamp(made, UTC).isoformat(timespec="seconds"),
        "engine": said["engine"],
        "version": said["version"],
        "images": said["cohort"]["read"],
        "patients": said["cohort"]["patients"],
        "refused": sum(said["cohort"]["refused"].values()),
        "without_truth": said["cohort"]["without_truth"],
        "findings": [_judged(each) for each in said["findings"]],
        "gaps": sum(figure["q"] < FOUND for figure in tests),
        "elsewhere": sum(cell["q"] < FOUND and cell["distance"] - cell["by_chance"] > FAR for cell in cells),
        "cells": len(said["atlas"]),
        "change": None if said["change"] is None else "{old} to {new}: {verdict}".format(**said["change"]),
    }


def _judged(finding: Json) -> Json:
    auc = None if finding["saying"] else finding["auc"]
    shown = {name: finding[name] for name in ("key", "display", "positives", "images")}
    return shown | {"auc": None if auc is None else (auc["value"], auc["low"], auc["high"])}
