"""What people decided, written for training: only where consent is recorded, and on the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from radiolucent.cohort.teaching import Taught, Written, write
from radiolucent.cohort.validation.roster import patient_digest
from radiolucent.deliver.folder import open_folder
from radiolucent.errors import SettingsError
from radiolucent.pipeline.journal import Journal
from radiolucent.records.engine import EngineSpec
from radiolucent.settings import Settings
from radiolucent.store import work
from radiolucent.store.blobs import Blobs
from radiolucent.wiring.store_cohort import KnownStudy, known_studies

EXPORT = "training_export"


class Consents:
    """Which studies may be learnt from: the rows ``[[training_consent]]`` with their files of accession numbers.

    Raises
    ------
    SettingsError
        ``training_consent`` where there is no row, or a file that cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.training_consent:
            raise _no_consent("no row [[training_consent]] in the settings")
        self._rows = [
            (row, None if row.studies is None else _numbers(row.studies)) for row in settings.training_consent
        ]

    def basis(self, site: str, accession_number: str) -> str | None:
        """On what ground a study may be learnt from; ``None`` where it may not."""
        for row, numbers in self._rows:
            if row.site == site and (numbers is None or accession_number in numbers):
                return row.basis
        return None


def _numbers(path: Path) -> frozenset[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _no_consent(f"a file of accession numbers that cannot be read ({type(error).__name__})") from error
    return frozenset(line.strip() for line in lines if line.strip())


def _no_consent(found: str) -> SettingsError:
    return SettingsError(
        "training_consent",
        found=found,
        expected="the sites and studies that may be learnt from, each with its ground",
        action="Record consent in [[training_consent]]; see docs/settings.md. Nothing was written.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    key: str
    study: KnownStudy
    row: work.StudyRow
    basis: str


def export_for_training(
    settings: Settings, journal: Journal, blobs: Blobs, spec: EngineSpec, *, out: Path, actor: str
) -> Written:
    """Labels, regions and pictures of every signed study that the engine has read and that may be learnt from.

    The audit log says so of each study, before anything is written.

    Raises
    ------
    SettingsError
        ``training_consent`` where no signed study may be learnt from; ``output_folder``.
    """
    consents = Consents(settings)
    left_out: Counter[str] = Counter()
    chosen = list(_chosen(journal, spec, consents, left_out))
    if not chosen:
        raise _no_consent(f"no signed study with consent ({left_out.total()} without)")
    folder = open_folder(out)
    with journal.entry() as entry:
        for each in chosen:
            entry.audit(
                "access",
                actor=actor,
                study_instance_uid=each.row.study_instance_uid,
                patient_id=each.row.patient_id,
                kind=EXPORT,
                engine=spec.id,
                basis=each.basis,
                regions=len(each.study.regions),
            )
    written = write(_images(journal, blobs, spec, chosen, left_out), spec, folder)
    return replace(written, left_out={**left_out, **written.left_out})


def _chosen(journal: Journal, spec: EngineSpec, consents: Consents, left_out: Counter[str]) -> Iterator[_Chosen]:
    for key, study in known_studies(journal, spec).items():
        if not study.is_signed:
            left_out["studies not signed"] += 1
            continue
        with journal.reading() as connection:
            row = work.study(connection, key)
        basis = consents.basis(row.site, row.accession_number)
        if basis is None:
            left_out["studies without consent"] += 1
        else:
            yield _Chosen(key=key, study=study, row=row, basis=basis)


def _images(
    journal: Journal, blobs: Blobs, spec: EngineSpec, chosen: Sequence[_Chosen], left_out: Counter[str]
) -> Iterator[Taught]:
    for each in chosen:
        with journal.reading() as connection:
            sources = work.sources(connection, each.key)
        for source in sources:
            uid, path = source.sop_instance_uid, blobs.path(source.path)
            labels = each.study.labels(uid, spec)
            if uid not in each.study.images or not path.is_file():
                continue
            if all(label != label for label in labels.values()):
                left_out["images of which nothing is known"] += 1
                continue
            yield Taught(
                image=path,
                uid=uid,
                group=patient_digest(each.row.patient_id, each.row.issuer) or each.key,
                source=each.row.site,
                consent=each.basis,
                labels=labels,
                regions=[(key, r) for key, r in each.study.regions if r.image.sop_instance_uid == uid],
            )
