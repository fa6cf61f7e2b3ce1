"""The images of a running installation as a cohort: what an engine has read, with what people signed as its truth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from radiolucent.cohort.truth import Case, keys_of
from radiolucent.cohort.validation.roster import MEASURABLE, Roster, digest_of, nothing_to_measure, patient_digest
from radiolucent.pipeline.journal import Journal
from radiolucent.records.engine import EngineSpec
from radiolucent.records.study import Region, StudyReport
from radiolucent.settings import Settings
from radiolucent.store import truths, work
from radiolucent.store.blobs import Blobs
from radiolucent.store.daily import Place, places_after, reports_at
from radiolucent.store.database import Database
from radiolucent.wiring.serving import MEGABYTE, clock

AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStudy:
    """What is known of a study that an engine has read: which images, and what a person signed.

    Parameters
    ----------
    images
        SOP Instance UIDs of its source images.
    present
        By key of a finding that is there: the images on which that is known.
    absent
        Keys of findings that are on no image.
    regions
        What a person drew, by key of the finding, where it holds.
    later
        What turned out to be true, by image (empty: of the study as a whole) and finding; it goes before a signature.
    """

    images: frozenset[str]
    present: Mapping[str, frozenset[str]]
    absent: frozenset[str]
    regions: tuple[tuple[str, Region], ...] = ()
    is_signed: bool = False
    later: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)

    def labels(self, image: str, spec: EngineSpec) -> dict[str, float]:
        """What is known of one image by key: what turned out to be true, else what a signature says: 1, 0, or ``nan``.

        A signature says present where a finding is most plain or a person drew it, absent where it is in no image. Of a
        study of several images a finding that is present says nothing of the images it is not plain on.
        """
        return {key: self._label(key, image) for key in keys_of(spec)}

    def _label(self, key: str, image: str) -> float:
        known = self._later(key, image)
        is_here = key in self.later.get(image, {}) or len(self.images) == 1
        if known is False or (known is None and self.is_signed and key in self.absent):
            return 0.0
        return 1.0 if (known and is_here) or image in self.present.get(key, ()) else math.nan

    def _later(self, key: str, image: str) -> bool | None:
        """What turned out to be true of an image; what is true of a study need not show in each of its images."""
        found = self.later.get(image, {}).get(key)
        return self.later.get("", {}).get(key) if found is None else found


def known_studies(journal: Journal, spec: EngineSpec) -> dict[str, KnownStudy]:
    """Every study that the engine has read, by its key, in the order of their first reports."""
    known: dict[str, KnownStudy] = {}
    with journal.reading() as connection:
        places = places_after(connection, Place())
    for start in range(0, len(places), AT_ONCE):
        with journal.reading() as connection:
            found = reports_at(connection, places[start : start + AT_ONCE])
        for place in sorted(found):
            _learn(known, place.study_key, found[place], spec)
    with journal.reading() as connection:
        later = truths.by_image(connection)
    return {key: replace(study, later=later.get(key, {})) for key, study in known.items()}


def store_roster(settings: Settings, spec: EngineSpec, *, split: Mapping[str, str]) -> Roster:
    """Every source image of every study that the engine has read, oldest first, without what it was made with.

    Raises
    ------
    SettingsError
        ``cohort_empty``.
    """
    journal = Journal(Database(settings.database), clock=clock)
    blobs = Blobs(settings.data, reserve_bytes=settings.storage.reserve_mb * MEGABYTE)
    cases: list[Case] = []
    left_out: Counter[str] = Counter()
    for key, study in known_studies(journal, spec).items():
        with journal.reading() as connection:
            rows, place = work.sources(connection, key), work.study(connection, key)
        group = patient_digest(place.patient_id, place.issuer)
        part = split.get(digest_of(group), "")
        for row in rows:
            path = blobs.path(row.path)
            if row.sop_instance_uid not in study.images or not path.is_file():
                continue
            if part not in MEASURABLE:
                left_out[f"in part {part} of the engine's split list"] += 1
            else:
                cases.append(
                    Case(
                        row=len(cases) + 1,
                        image=path,
                        second=None,
                        group=group,
                        part="test",
                        source="",
                        labels=study.labels(row.sop_instance_uid, spec),
                        masks={},
                        boxes={},
                        subgroups={"site": place.site, "sent by": row.calling_ae},
                    )
                )
    if not cases:
        raise nothing_to_measure("the store holds no image that this engine has read")
    return Roster(
        cases=tuple(cases),
        left_out=dict(left_out),
        unmatched=(),
        unmatched_count=0,
        without_truth=sum(all(math.isnan(label) for label in case.labels.values()) for case in cases),
    )


def _learn(known: dict[str, KnownStudy], key: str, report: StudyReport, spec: EngineSpec) -> None:
    """Take in one report of a study; reports come in the order in which they were made."""
    if report.state == "retracted":
        known.pop(key, None)
        return
    if not any(engine.id == spec.id for engine in report.engines):
        return
    images = frozenset(ref.sop_instance_uid for ref in report.images)
    known[key] = _signed(report, images, spec) if report.is_signed else _unsigned(images)


def _unsigned(images: frozenset[str]) -> KnownStudy:
    return KnownStudy(images=images, present={}, absent=frozenset())


def _signed(report: StudyReport, images: frozenset[str], spec: EngineSpec) -> KnownStudy:
    mine = [f for f in report.findings if f.engine.id == spec.id]
    changed = [f.assessed.changed for f in mine if f.assessed is not None and f.assessed.changed is not None]
    said = [each for each in (*changed, *report.added) if each.key is not None]
    regions = tuple((str(each.key), region) for each in said for region in each.regions)
    there = {f.key: {ref.sop_instance_uid for ref in f.images} for f in mine if f.holds}
    for each in said:
        drawn = {region.image.sop_instance_uid for region in each.regions}
        there[str(each.key)] = there.get(str(each.key), set()) | drawn
    return KnownStudy(
        images=images,
        present={name: images if len(images) == 1 else frozenset(where) for name, where in there.items()},
        absent=frozenset(f.key for f in mine) - there.keys(),
        regions=regions,
        is_signed=True,
    )
