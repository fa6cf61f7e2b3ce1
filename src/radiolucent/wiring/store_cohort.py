"""The images of a running installation as a cohort: what an engine has read, with what people signed as its truth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from radiolucent.cohort.truth import Case, keys_of
from radiolucent.cohort.validation.roster import Roster, nothing_to_measure
from radiolucent.pipeline.journal import Journal
from radiolucent.records.engine import EngineSpec
from radiolucent.records.study import StudyReport
from radiolucent.settings import Settings
from radiolucent.store import truths, work
from radiolucent.store.blobs import Blobs
from radiolucent.store.daily import Place, places_after, reports_at
from radiolucent.store.database import Database
from radiolucent.wiring.serving import MEGABYTE, clock

AT_ONCE = 100


@dataclass(slots=True)
class _Study:
    """What is known of a study that an engine has read: which images, and what a person signed (by finding).

    ``later``: what turned out to be true, by image (empty: of the study as a whole) and finding.
    """

    images: frozenset[str]
    present: dict[str, frozenset[str]]
    absent: frozenset[str]
    is_signed: bool = False
    later: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)


def store_roster(settings: Settings, spec: EngineSpec) -> Roster:
    """Every source image of every study that the engine has read, oldest first.

    Raises
    ------
    SettingsError
        ``cohort_empty``.
    """
    journal = Journal(Database(settings.database), clock=clock)
    blobs = Blobs(settings.data, reserve_bytes=settings.storage.reserve_mb * MEGABYTE)
    known: dict[str, _Study] = {}
    with journal.reading() as connection:
        places = places_after(connection, Place())
    for start in range(0, len(places), AT_ONCE):
        with journal.reading() as connection:
            found = reports_at(connection, places[start : start + AT_ONCE])
        for place in sorted(found):
            _learn(known, place.study_key, found[place], spec)
    cases: list[Case] = []
    with journal.reading() as connection:
        later = truths.by_image(connection)
    for key, study in known.items():
        study.later = later.get(key, {})
        with journal.reading() as connection:
            rows, site = work.sources(connection, key), work.site_of(connection, key)
        for row in rows:
            path = blobs.path(row.path)
            if row.sop_instance_uid in study.images and path.is_file():
                cases.append(
                    Case(
                        row=len(cases) + 1,
                        image=path,
                        second=None,
                        group="",
                        part="test",
                        source="",
                        labels=dict(_labels(study, row.sop_instance_uid, spec)),
                        masks={},
                        boxes={},
                        subgroups={"site": site or "", "sent by": row.calling_ae},
                    )
                )
    if not cases:
        raise nothing_to_measure("the store holds no image that this engine has read")
    return Roster(
        cases=tuple(cases),
        left_out={},
        unmatched=(),
        unmatched_count=0,
        without_truth=sum(all(math.isnan(label) for label in case.labels.values()) for case in cases),
    )


def _learn(known: dict[str, _Study], key: str, report: StudyReport, spec: EngineSpec) -> None:
    """Take in one report of a study; reports come in the order in which they were made."""
    if report.state == "retracted":
        known.pop(key, None)
        return
    if not any(engine.id == spec.id for engine in report.engines):
        return
    images = frozenset(ref.sop_instance_uid for ref in report.images)
    study = _Study(images=images, present={}, absent=frozenset())
    if report.is_signed:
        mine = [f for f in report.findings if f.engine.id == spec.id]
        there = {f.key: frozenset(ref.sop_instance_uid for ref in f.images) for f in mine if f.holds}
        there |= {each.key: frozenset() for each in report.stated if each.key is not None}
        study.present = {name: images if len(images) == 1 else where for name, where in there.items()}
        study.absent = frozenset(f.key for f in mine) - there.keys()
        study.is_signed = True
    known[key] = study


def _labels(study: _Study, image: str, spec: EngineSpec) -> Iterator[tuple[str, float]]:
    """What is known of one image: what turned out to be true, else what a signature says.

    A signature says present where a finding is most plain, absent where it is in no image. Of a study of several images
    a finding that is present says nothing of the images it is not plain on.
    """
    for key in keys_of(spec):
        known = _later(study, image, key)
        is_here = key in study.later.get(image, {}) or len(study.images) == 1
        if known is False or (known is None and study.is_signed and key in study.absent):
            yield key, 0.0
        elif (known and is_here) or image in study.present.get(key, ()):
            yield key, 1.0
        else:
            yield key, math.nan


def _later(study: _Study, image: str, key: str) -> bool | None:
    """What turned out to be true of an image; what is true of a study need not show in each of its images."""
    found = study.later.get(image, {}).get(key)
    return study.later.get("", {}).get(key) if found is None else found
