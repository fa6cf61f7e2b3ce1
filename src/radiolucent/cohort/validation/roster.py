"""Which images a cohort holds, what is true of them, and which may not be measured on."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from radiolucent.cohort.reported_truth import codes_of, reported_truth
from radiolucent.cohort.truth import STATED, Case, check_header, keys_of, read_boxes, read_case, read_table, wrong
from radiolucent.cohort.validation.study_truth import Joined, join_studies
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import EngineError, InputRefused, SettingsError
from radiolucent.ingest.discover import is_skipped
from radiolucent.ingest.reports import is_reports, read_reports
from radiolucent.records.engine import EngineSpec

SPLIT = "split.csv"
"""Beside a package's manifest: ``group_sha256,part`` of every group that its makers had."""
DIGITS = 16
MEASURABLE = ("", "test")
NAMED = 8
Rows = list[tuple[int, dict[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The images to read.

    Parameters
    ----------
    left_out
        Number of images that are not measured on, by why.
    unmatched
        Names of the truth table's images that are not there (the first few), and how many there are in all.
    without_truth
        Images of which no label is known.
    notes
        What else must be known of the truth, in words.
    studies_left_out
        Number of studies of an archive that are none of the cohort, or did not come whole, by why.
    """

    cases: tuple[Case, ...]
    left_out: Mapping[str, int]
    unmatched: tuple[str, ...]
    unmatched_count: int
    without_truth: int
    notes: tuple[str, ...] = ()
    studies_left_out: Mapping[str, int] = field(default_factory=dict)


def digest_of(group: str) -> str:
    """How a split list names a group, which may be a patient identifier."""
    return hashlib.sha256(group.encode("utf-8")).hexdigest()[:DIGITS]


def patient_digest(patient_id: str, issuer: str) -> str:
    """A group that tells patients apart and names none; blank where no identifier is given."""
    return hashlib.sha256(f"{issuer}|{patient_id}".encode()).hexdigest()[:DIGITS] if patient_id else ""


def split_of(files: PackageFiles) -> dict[str, str]:
    """Part by digest of the group, as the package's split list says; empty where it has none."""
    try:
        content = files.read(SPLIT)
    except EngineError:
        return {}
    reader = csv.DictReader(io.StringIO(content.decode("utf-8")))
    return {row["group_sha256"]: row["part"] for row in reader}


def read_roster(
    source: Path,
    *,
    spec: EngineSpec,
    split: Mapping[str, str],
    truth: Path | None = None,
    codes: Path | None = None,
    boxes: Path | None = None,
) -> Roster:
    """The images of a folder, joined with a truth table, or of a table of paths.

    Parameters
    ----------
    source
        A folder (searched to its ends), or a CSV whose column ``image`` holds paths relative to its own folder.
    split
        Part by digest of the group (`split_of`): groups that the engine was trained, chosen or limited on are left out.
    truth
        Only with a folder: a table whose ``image`` is a relative path, a file name or a file's stem, or the UID or
        accession number of a study; or coded reports (`ingest.reports`).
    codes
        Only with reports: a site's own codes of findings (`reported_truth.codes_of`).

    Raises
    ------
    SettingsError
        ``truth_table``; ``cohort_leak`` where the table itself puts one group on both sides; ``cohort_empty``.
    """
    keys = keys_of(spec)
    notes: list[str] = []
    if not source.is_dir():
        base, (rows, unmatched) = source, _table_rows(source, spec, keys)
    elif truth is not None and is_reports(truth):
        base, (rows, unmatched, notes) = source / truth.name, _reported_rows(source, truth, spec, keys, codes)
    else:
        base = source / (truth.name if truth else "images")
        rows, unmatched, notes = _folder_rows(source, truth, spec, keys)
    placed = read_boxes(boxes, keys=keys, images={row["image"] for _, row in rows}) if boxes else {}
    _check_leaks(rows)
    kept, left_out = _measurable(rows, split)
    if not kept:
        raise nothing_to_measure(f"no image to measure on ({_counts(left_out, unmatched)})")
    cases = tuple(read_case(base, line, row, keys=keys, placed=placed, filled=("image",)) for line, row in kept)
    return Roster(
        cases=cases,
        left_out=left_out,
        unmatched=tuple(name for name in unmatched[:NAMED] if name),
        unmatched_count=len(unmatched),
        notes=tuple(notes),
        without_truth=sum(all(value != value for value in case.labels.values()) for case in cases),
    )


def nothing_to_measure(found: str) -> SettingsError:
    """The error of a cohort without an image."""
    return SettingsError(
        "cohort_empty",
        found=found,
        expected="at least one image that the engine was not made with",
        action="Check the paths, the column part, and the package's split list.",
    )


def _counts(left_out: Mapping[str, int], unmatched: list[str]) -> str:
    told = [f"{count} {why}" for why, count in left_out.items()]
    return ", ".join([*told, f"{len(unmatched)} rows without a file"])


def _checked(path: Path, spec: EngineSpec, keys: tuple[str, ...]) -> Rows:
    header, rows = read_table(path)
    channels = len(spec.input.channels)
    check_header(path.name, header, keys=keys, channels=channels, needed=("image",), further=STATED)
    return rows


def _table_rows(path: Path, spec: EngineSpec, keys: tuple[str, ...]) -> tuple[Rows, list[str]]:
    rows = _checked(path, spec, keys)
    seen = Counter(row["image"] for _, row in rows)
    if twice := [name for name, count in seen.items() if count > 1]:
        wrong(path.name, f"one image in two rows ({_names(twice)})", "each image once")
    there = [(line, row) for line, row in rows if (path.parent / row["image"]).is_file()]
    found = {line for line, _ in there}
    return there, [Path(row["image"]).name for line, row in rows if line not in found]


def _folder_rows(
    folder: Path, truth: Path | None, spec: EngineSpec, keys: tuple[str, ...]
) -> tuple[Rows, list[str], list[str]]:
    files = sorted(_files(folder))
    known = {} if truth is None else {row["image"]: row for _, row in _checked(truth, spec, keys)}
    by_file: dict[str, dict[str, str]] = {}
    used: dict[str, str] = {}
    for file in files:
        names = (file, Path(file).name, Path(file).stem)
        name = next((n for n in names if n in known), None)
        if name is None:
            continue
        if used.setdefault(name, file) != file:
            wrong(f"image {name!r}", f"two files of that name ({used[name]} and {file})", "the path within the folder")
        by_file[file] = known[name]
    rest = known.keys() - used.keys()
    joined = join_studies(
        folder,
        [file for file in files if file not in by_file] if rest else (),
        lambda uid, accession: next((name for name in (uid, accession) if name in rest), None),
        lambda name: known[str(name)],
        keys=keys,
    )
    unmatched = [name for name in known if name not in used and name not in joined.used]
    if truth is not None and not used and not joined.used:
        wrong(truth.name, f"no image that lies in the folder ({_names(unmatched)})", "paths or names of its files")
    return _rows(files, {**by_file, **joined.rows}), unmatched, _unsure(joined)


def _reported_rows(
    folder: Path, path: Path, spec: EngineSpec, keys: tuple[str, ...], codes: Path | None
) -> tuple[Rows, list[str], list[str]]:
    try:
        truth = reported_truth(read_reports(path), codes_of([spec], codes))
    except InputRefused as error:
        wrong(path.name, error.found, error.expected)
    files = sorted(_files(folder))
    cells = [{key: f"{value:g}" for key, value in labels.items()} for labels in truth.labels]
    joined = join_studies(folder, files, truth.study_of, lambda study: cells[cast(int, study)], keys=keys)
    if not joined.used:
        wrong(path.name, "no study that has an image in the folder", "UIDs or accession numbers of its DICOM files")
    unmatched = [""] * (len(cells) - len(joined.used))
    return _rows(files, joined.rows), unmatched, [*truth.words(), *_unsure(joined)]


def _rows(files: Sequence[str], known: Mapping[str, dict[str, str]]) -> Rows:
    return [(number, {**known.get(file, {}), "image": file}) for number, file in enumerate(files, start=1)]


def _unsure(joined: Joined) -> list[str]:
    if not joined.unsure:
        return []
    return [f"of {joined.unsure} images a finding of their study is not known, because the study has several images"]


def _files(folder: Path) -> Iterable[str]:
    for parent, names, files in os.walk(folder):
        names[:] = [name for name in names if not name.startswith(".")]
        for file in files:
            if not is_skipped(file):
                yield (Path(parent) / file).relative_to(folder).as_posix()


def _check_leaks(rows: Rows) -> None:
    """One group on both sides of a split is refused, with the names of its files."""
    sides: dict[str, dict[bool, str]] = {}
    for _, row in rows:
        if group := row.get("group"):
            sides.setdefault(group, {}).setdefault(row.get("part", "") in MEASURABLE, Path(row["image"]).name)
    leaks = [f"{both[True]} and {both[False]}" for both in sides.values() if len(both) == 2]
    if leaks:
        raise SettingsError(
            "cohort_leak",
            found=f"{len(leaks)} patients on both sides of the split: {_names(leaks)}",
            expected="each patient (group) in one part only",
            action="Split by patient, or leave the column part out; then every image counts as test.",
        )


def _measurable(rows: Rows, split: Mapping[str, str]) -> tuple[Rows, dict[str, int]]:
    kept, left_out = [], Counter[str]()
    for line, row in rows:
        part = split.get(digest_of(row.get("group", "")), "")
        if row.get("part", "") not in MEASURABLE:
            left_out[f"in part {row['part']} of the table"] += 1
        elif part not in MEASURABLE:
            left_out[f"in part {part} of the engine's split list"] += 1
        else:
            kept.append((line, {**row, "part": "test"}))
    return kept, dict(left_out)


def _names(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(Path(name).name for name in names[:NAMED]) + more
