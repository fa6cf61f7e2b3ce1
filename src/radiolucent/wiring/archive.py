"""Our archive as the DICOMweb server wants it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, BinaryIO

from radiolucent.pipeline.journal import Journal
from radiolucent.pipeline.receiving import Intake
from radiolucent.records.door import Offered
from radiolucent.records.person import Sight
from radiolucent.store import archive as rows
from radiolucent.store.blobs import Blobs
from radiolucent.web.dicomweb.archive import InstanceRow, Query, SeriesRow, StudyRow
from radiolucent.web.dicomweb.matching import select

CHUNK = 100
Header = dict[str, dict[str, Any]]


class StoredArchive:
    """Kept images and results, searched and opened."""

    def __init__(self, journal: Journal, blobs: Blobs) -> None:
        self._journal, self._blobs = journal, blobs

    def find_studies(self, query: Query) -> Iterable[StudyRow]:
        """Studies that match."""
        return list(select((study for study, _ in self._studies(query)), query))

    def find_series(self, query: Query) -> Iterable[SeriesRow]:
        """Series that match."""
        return list(select(self._series(query), query))

    def find_instances(self, query: Query) -> Iterable[InstanceRow]:
        """Instances that match."""
        return list(select((row for _, found in self._studies(query) for row in found), query))

    def locate(
        self, study: str, series: str | None = None, instance: str | None = None, *, sight: Sight
    ) -> Sequence[InstanceRow]:
        """All instances in sight of a study, a series or one instance."""
        with self._journal.reading() as connection:
            found = list(rows.studies_of(connection, {"StudyInstanceUID": study}, sight))
            if not found:
                return []
            kept = rows.instances_of(connection, [found[0].study_key], series=series, instance=instance)
        header = _study(found[0], kept)
        return [_instance(row, header) for row in kept]

    def open_instance(self, sop_instance_uid: str) -> BinaryIO:
        """Part 10 bytes as kept."""
        with self._journal.reading() as connection:
            path = rows.path_of(connection, sop_instance_uid)
        if path is None:
            raise FileNotFoundError
        return self._blobs.open(path)

    def _studies(self, query: Query) -> Iterator[tuple[StudyRow, list[InstanceRow]]]:
        narrow = [c for c in query.conditions if c.kind in ("exact", "any_of") and c.keyword in rows.INDEXED]
        exact = {c.keyword: c.values[0] for c in narrow if len(c.values) == 1}
        with self._journal.reading() as connection:
            candidates = list(rows.studies_of(connection, exact, query.sight))
        for start in range(0, len(candidates), CHUNK):
            some = candidates[start : start + CHUNK]
            with self._journal.reading() as connection:
                kept = rows.instances_of(connection, [s.study_key for s in some])
            by_study: dict[str, list[rows.InstanceHeader]] = {}
            for row in kept:
                by_study.setdefault(row.study_key, []).append(row)
            for study in some:
                own = by_study.get(study.study_key, [])
                made = _study(study, own)
                yield made, [_instance(row, made) for row in own]

    def _series(self, query: Query) -> Iterator[SeriesRow]:
        for _, found in self._studies(query):
            for _, group in groupby(found, key=lambda row: row.series.series_instance_uid):
                members = list(group)
                yield replace(members[0].series, number_of_series_related_instances=len(members))


class WebReceiver:
    """The door of every image, for STOW-RS."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def keep(self, offered: Offered) -> None:
        """Keep an instance; raises as `Intake.keep`."""
        self._intake.keep(offered)


def _text(header: Header, tag: str) -> str:
    values = header.get(tag, {}).get("Value") or [""]
    first = values[0]
    if isinstance(first, dict):
        groups = [str(first.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).rstrip("=")
    return "" if first is None else str(first)


def _number(header: Header, tag: str) -> int | None:
    try:
        return int(_text(header, tag))
    except ValueError:
        return None


def _study(row: rows.StudyHeader, kept: Sequence[rows.InstanceHeader]) -> StudyRow:
    header: Header = json.loads(row.header)
    return StudyRow(
        study_instance_uid=row.study_instance_uid,
        study_date=_text(header, "00080020"),
        study_time=_text(header, "00080030"),
        accession_number=_text(header, "00080050"),
        study_description=_text(header, "00081030"),
        modalities_in_study=tuple(sorted({_text(json.loads(k.header), "00080060") for k in kept} - {""})),
        referring_physician_name=_text(header, "00080090"),
        patient_name=_text(header, "00100010"),
        patient_id=_text(header, "00100020"),
        issuer_of_patient_id=_text(header, "00100021"),
        patient_birth_date=_text(header, "00100030"),
        patient_sex=_text(header, "00100040"),
        study_id=_text(header, "00200010"),
        number_of_study_related_series=len({k.series_instance_uid for k in kept}),
        number_of_study_related_instances=len(kept),
    )


def _instance(row: rows.InstanceHeader, study: StudyRow) -> InstanceRow:
    header: Header = json.loads(row.header)
    series = SeriesRow(
        study=study,
        series_instance_uid=row.series_instance_uid,
        modality=_text(header, "00080060"),
        series_number=_number(header, "00200011"),
        series_description=_text(header, "0008103E"),
        series_date=_text(header, "00080021"),
        series_time=_text(header, "00080031"),
        body_part_examined=_text(header, "00180015"),
        performed_procedure_step_start_date=_text(header, "00400244"),
        performed_procedure_step_start_time=_text(header, "00400245"),
    )
    return InstanceRow(
        series=series,
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        instance_number=_number(header, "00200013"),
        rows=_number(header, "00280010"),
        columns=_number(header, "00280011"),
        bits_allocated=_number(header, "00280100"),
        number_of_frames=_number(header, "00280008"),
    )
