"""Truth that is known later, as pathology or follow-up tell it: a table of labels for studies that were read here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from radiolucent.cohort.reported_truth import codes_of, reported_truth
from radiolucent.cohort.truth import LABELS, STATED, check_header, keys_of, read_table, wrong
from radiolucent.errors import InputRefused
from radiolucent.ingest.reports import is_reports, read_reports
from radiolucent.pipeline.journal import Journal
from radiolucent.records.engine import EngineSpec
from radiolucent.settings import Settings
from radiolucent.store import truths
from radiolucent.store.database import Database
from radiolucent.store.truths import Truth
from radiolucent.wiring.analysis import registry
from radiolucent.wiring.serving import clock

Row = tuple[int, str, Mapping[str, bool]]
CHANNELS = 2
"""As many as a table may have pictures for; here they are not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What a table brought: labels and studies, and the rows (by line) that name no study here, or several.

    ``notes`` say what else must be known of coded reports.
    """

    labels: int
    studies: int
    unmatched: tuple[int, ...]
    notes: tuple[str, ...] = ()


def add_truth(settings: Settings, path: Path, *, basis: str, by: str, codes: Path | None = None) -> Added:
    """Keep what a table says of studies of this installation, in the place of what was said of the same before.

    Parameters
    ----------
    path
        The table of ``validate --truth``. Its ``image`` is a SOP Instance UID, or a file of that name, or the study's
        UID or accession number where the label is the study's. Or coded reports (`ingest.reports`), study by study.
    basis
        What the truth rests on, in words.
    codes
        With reports: a site's own codes of findings.

    Raises
    ------
    SettingsError
        ``truth_table``; nothing of it is kept.
    """
    specs = registry(settings.reader.engines or None).specs
    keys = tuple(dict.fromkeys(key for spec in specs for key in keys_of(spec)))
    rows, notes = _of_reports(path, specs, codes) if is_reports(path) else (list(_rows(path, keys)), ())
    journal = Journal(Database(settings.database), clock=clock)
    with journal.entry() as entry:
        places = {line: truths.named(entry.connection, name) for line, name, _ in rows}
        unmatched = tuple(line for line, found in places.items() if len(found) != 1)
        known = [
            Truth(study_key=key, image=image, finding=finding, is_present=is_present)
            for line, _, labels in rows
            if line not in unmatched
            for key, image in places[line]
            for finding, is_present in labels.items()
        ]
        truths.put(entry.connection, known, basis=basis, now=entry.at)
        studies = {each.study_key for each in known}
        added = Added(labels=len(known), studies=len(studies), unmatched=unmatched, notes=notes)
        entry.audit(
            "truth",
            actor=by,
            basis=basis,
            labels=added.labels,
            studies=added.studies,
            table_sha256=_digest(path),
        )
    return added


def _digest(path: Path) -> str:
    """Of a file, or of the files of a folder by name, one behind the other."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _of_reports(path: Path, specs: Sequence[EngineSpec], codes: Path | None) -> tuple[list[Row], tuple[str, ...]]:
    """A row for each study that reports say something of, by its UID, else by its accession number; and notes."""
    try:
        truth = reported_truth(read_reports(path), codes_of(specs, codes))
    except InputRefused as error:
        wrong(path.name, error.found, error.expected)
    names = {study: number for number, study in truth.by_accession.items()}
    names |= {study: uid for uid, study in truth.by_uid.items()}
    rows: list[Row] = [
        (study + 1, names[study], {key: value == 1 for key, value in labels.items()})
        for study, labels in enumerate(truth.labels)
        if labels
    ]
    return rows, tuple(truth.words())


def _rows(path: Path, keys: tuple[str, ...]) -> Iterator[Row]:
    """Line, name and labels of each row."""
    header, rows = read_table(path)
    check_header(path.name, header, keys=keys, channels=CHANNELS, needed=("image",), further=STATED)
    seen: set[str] = set()
    for line, row in rows:
        where, name = f"{path.name} row {line}", Path(row["image"]).name.removesuffix(".dcm")
        if name in seen or not name:
            wrong(where, "a study that an earlier row names" if name else "no image", "each image or study once")
        seen.add(name)
        for key in set(keys) & set(header):
            if row[key] not in LABELS:
                wrong(where, f"{key} = {row[key]!r}", "1, 0 or nothing (unknown)")
        yield line, name, {key: row[key] == "1" for key in keys if row.get(key)}
