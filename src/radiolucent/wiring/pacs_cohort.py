"""A cohort out of an archive: its images pulled into a folder that is gone once the report is written."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from radiolucent.cohort.validation.records import Ask
from radiolucent.cohort.validation.roster import Roster, nothing_to_measure, read_roster, split_of
from radiolucent.cohort.validation.validate import Progress
from radiolucent.deliver.folder import write_bytes
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import InputRefused, SettingsError
from radiolucent.ingest.callers import callers
from radiolucent.ingest.dicom_server import DicomServer, Doors
from radiolucent.ingest.pull import Pace, PullLimits
from radiolucent.ingest.pull_cohort import CohortArchive, Harvest, Manners, Pulled, Wanted, pull_cohort
from radiolucent.pipeline.journal import Journal
from radiolucent.prepare.identity import identify_offered
from radiolucent.records.door import Offered
from radiolucent.records.engine import EngineSpec
from radiolucent.records.received import Received
from radiolucent.settings import Settings
from radiolucent.settings.peers import Archive as ArchiveRow
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID
from radiolucent.store.blobs import disk_full
from radiolucent.store.database import Database, file_of
from radiolucent.wiring import tls
from radiolucent.wiring.operator import CLI
from radiolucent.wiring.pulling import archive_of
from radiolucent.wiring.serving import MEGABYTE, clock

FOLDER, LEDGER = "pulled", "studies.jsonl"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""Pictures of screens and results of others, ours among them: never measured on."""
MODALITY = "00080060"
AGES = re.compile(r"([0-9]+)-([0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """Which cohort of which archive.

    Parameters
    ----------
    archive
        Its name in the settings.
    wanted
        Without modalities: those of the engine.
    keeps_images
        Whether the images stay in the folder ``pulled`` when the report is written.
    """

    archive: str
    wanted: Wanted
    images_per_second: float
    keeps_images: bool = False


def pull_of(
    archive: str,
    *,
    modalities: Sequence[str],
    days: tuple[date | None, date | None],
    body_part: str,
    description: str,
    ages: str | None,
    studies: int,
    images_per_second: float,
    keeps_images: bool,
) -> Pull:
    """What a command line asks for, checked; ``ages`` is ``18-60``, and without a last day it is today.

    Raises
    ------
    SettingsError
        ``validate_option``.
    """
    since, until = days
    until = until if since is None else until or date.today()
    bounds = None if ages is None else AGES.fullmatch(ages)
    if ages is not None and bounds is None:
        raise _wrong(f"--ages {ages}", "the youngest and the oldest age in years, as 18-60")
    if since is not None and until is not None and until < since:
        raise _wrong(f"--since {since} and --until {until}", "a first day that is not after the last")
    if images_per_second <= 0:
        raise _wrong(f"--rate {images_per_second:g}", "more than 0 images a second")
    try:
        re.compile(description)
    except re.error:
        raise _wrong(f"--description {description!r}", "a regular expression") from None
    return Pull(
        archive=archive,
        wanted=Wanted(
            modalities=tuple(each.upper() for each in modalities),
            since=since,
            until=until,
            description=description,
            body_part=body_part,
            ages=None if bounds is None else (float(bounds[1]), float(bounds[2])),
            studies=studies,
        ),
        images_per_second=images_per_second,
        keeps_images=keeps_images,
    )


def _wrong(found: str, expected: str) -> SettingsError:
    return SettingsError("validate_option", found=found, expected=expected, action="See `radiolucent validate --help`.")


def from_pacs(
    pull: Pull, ask: Ask, files: PackageFiles, settings: Settings | None, out: Path, progress: Progress
) -> tuple[Ask, Callable[[EngineSpec], Roster]]:
    """The question of the folder into which images are pulled, and how to pull them.

    Raises
    ------
    SettingsError
        ``validate_option`` without settings, or with other images beside.
    """
    if settings is None or ask.source is not None:
        raise _wrong(
            "--pacs without --config, or with a folder or table",
            "the settings file that names the archive, and no other images",
        )
    folder = folder_of(out)

    def read(spec: EngineSpec) -> Roster:
        return read_roster(folder, spec=spec, split=split_of(files), truth=ask.truth, codes=ask.codes, boxes=ask.boxes)

    return replace(ask, source=folder), lambda spec: pulled_roster(
        settings, pull, spec, lambda: read(spec), out=out, progress=progress
    )


def folder_of(out: Path) -> Path:
    """Where pulled images lie, made where it is missing; nobody else may look into it."""
    made = out / FOLDER
    made.mkdir(parents=True, exist_ok=True, mode=0o700)
    return made


def discard(out: Path) -> None:
    """Delete what was pulled."""
    shutil.rmtree(out / FOLDER, ignore_errors=True)


def pulled_roster(
    settings: Settings,
    pull: Pull,
    spec: EngineSpec,
    read: Callable[[], Roster],
    *,
    out: Path,
    progress: Progress,
) -> Roster:
    """Pull what is not here yet, then ``read`` the folder; what the archive refused stands under what was left out.

    Raises
    ------
    SettingsError
        ``validate_option`` for an archive that the settings do not name, ``cohort_empty``, ``port_in_use``.
    PeerUnavailable, PeerRefused
        What the archive answers; run again, it goes on where it was.
    """
    row = _row(settings, pull.archive)
    wanted = pull.wanted if pull.wanted.modalities else replace(pull.wanted, modalities=spec.population.modalities)
    limits = PullLimits(studies=1, instances=row.max_instances)
    manners = Manners(
        pace=Pace(row.interval_s, clock=time.monotonic, sleep=time.sleep),
        images_per_second=pull.images_per_second,
        sleep=time.sleep,
    )
    with _Scratch(row, settings, wanted, folder_of(out), limits, progress).open() as scratch:
        found = pull_cohort(scratch.archive, wanted, scratch.fetch, known=scratch.known, limits=limits, manners=manners)
    _leave_only(folder_of(out), {study.study_instance_uid for study in found.studies})
    _put_on_record(settings, row, found)
    told = _told(found)
    if not any(study.images for study in found.studies):
        raise nothing_to_measure(", ".join(f"{count} studies {why}" for why, count in told.items()) or "no study")
    roster = read()
    return replace(roster, studies_left_out=told)


def _row(settings: Settings, name: str) -> ArchiveRow:
    for row in settings.archives:
        if row.name == name:
            return row
    raise SettingsError(
        "validate_option",
        found=f"--pacs {name!r}",
        expected=f"an archive of the settings ({', '.join(row.name for row in settings.archives) or 'there is none'})",
        action="Add a table [[archives]] to the settings file, or name one that is there.",
    )


def _leave_only(folder: Path, studies: set[str]) -> None:
    """Delete what an earlier run with other filters pulled."""
    for each in folder.iterdir():
        if each.is_dir() and each.name not in studies:
            shutil.rmtree(each)


def _told(found: Harvest) -> dict[str, int]:
    """What was not measured on, in words: studies that did not match, and what the archive refused."""
    refused = Counter(f"refused by the archive ({study.code})" for study in found.studies if study.code)
    partly = sum(not study.is_whole and study.code is None for study in found.studies)
    empty = sum(study.is_whole and not study.images for study in found.studies)
    more = {"come in part, what came is measured": partly, "without an image of the modality": empty}
    return {**found.left_out, **refused, **{why: count for why, count in more.items() if count}}


def _put_on_record(settings: Settings, row: ArchiveRow, found: Harvest) -> None:
    """In the audit log of the installation, where there is one."""
    file = file_of(settings.database)
    if file is not None and not file.exists():
        return
    with Journal(Database(settings.database), clock=clock).entry() as entry:
        entry.audit(
            "query",
            actor=CLI,
            peer=row.host or row.url or "",
            interface="dimse" if row.kind == "dimse" else "dicomweb",
            archive=row.name,
            fetched=sum(study.images for study in found.studies),
        )


class _Scratch:
    """The folder of pulled images: ``<study>/<instance>.dcm``, and a ledger of what came of each study."""

    def __init__(
        self,
        row: ArchiveRow,
        settings: Settings,
        wanted: Wanted,
        folder: Path,
        limits: PullLimits,
        progress: Progress,
    ) -> None:
        self.archive: CohortArchive = archive_of(row, settings)
        self._row, self._settings, self._wanted = row, settings, wanted
        self._folder, self._limits, self._progress = folder, limits, progress
        self._asking, self._begun = "", 0
        known = _ledger(folder / LEDGER)
        self.known = {uid: each for uid, each in known.items() if not each.images or (folder / uid).is_dir()}

    @contextmanager
    def open(self) -> Iterator[_Scratch]:
        """Within, images can come; an archive that moves them does so through our DICOM door, open for as long."""
        if self._row.kind != "dimse" or self._row.retrieve != "move":
            yield self
            return
        dicom = self._settings.dicom
        doors = Doors(keep=self._keep, refused=lambda *_: None)
        door = DicomServer(dicom, doors, callers(dicom.callers), tls=tls.door(dicom.tls, where="dicom"))
        try:
            yield self
        finally:
            door.stop()

    def fetch(self, study_instance_uid: str) -> Pulled:
        """Get one study and write down what came of it."""
        self._asking = study_instance_uid
        self._begun += 1
        self._progress("pulling", self._begun, self._wanted.studies)
        found = self.archive.fetch(study_instance_uid, self._keep, limits=self._limits)
        folder = self._folder / study_instance_uid
        made = Pulled(
            study_instance_uid=study_instance_uid,
            images=len(list(folder.glob("*.dcm"))) if folder.is_dir() else 0,
            is_whole=found.is_complete,
        )
        with (self._folder / LEDGER).open("a", encoding="utf-8") as ledger:
            ledger.write(json.dumps(asdict(made)) + "\n")
        return made

    def _keep(self, offered: Offered) -> None:
        """Write an image of the study that was asked for; objects of another kind are passed over."""
        found = identify_offered(offered, implementation_class_uid=IMPLEMENTATION_CLASS_UID)
        received = found.received
        if received.study_instance_uid != self._asking:
            raise _not_asked_for()
        if not self._is_wanted(received):
            return
        if shutil.disk_usage(self._folder).free < self._settings.storage.reserve_mb * MEGABYTE + len(offered.dataset):
            raise disk_full()
        folder = self._folder / received.study_instance_uid
        folder.mkdir(exist_ok=True)
        write_bytes(folder / f"{received.sop_instance_uid}.dcm", found.head + bytes(offered.dataset))

    def _is_wanted(self, received: Received) -> bool:
        header: dict[str, Any] = json.loads(received.instance_header)
        modality = next(iter(header.get(MODALITY, {}).get("Value") or ()), "")
        return modality in self._wanted.modalities and not received.sop_class_uid.startswith(SECONDARY_CAPTURE)


def _ledger(path: Path) -> dict[str, Pulled]:
    """What came of studies in an earlier run; a line that a crash left half is asked for again."""
    known: dict[str, Pulled] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                said = Pulled(**json.loads(line))
            except (ValueError, TypeError):
                continue
            known[said.study_instance_uid] = said
    return known


def _not_asked_for() -> InputRefused:
    return InputRefused(
        "uid_mismatch",
        found="an image of a study that was not asked for",
        expected="images of the study that is being pulled",
        action="Nothing: it is not kept. Senders of images need a running installation.",
    )
