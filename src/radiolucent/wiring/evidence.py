"""The evidence pack of an installation: its engines, its store, its validations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from radiolucent.audit import checkpoint
from radiolucent.audit.canonical import parse
from radiolucent.audit.chain import Verification, verify
from radiolucent.audit.key import read_public_keys
from radiolucent.cohort.evidence.pack import Sources, Used, read_validation, write_pack
from radiolucent.cohort.validation.roster import split_of
from radiolucent.deliver.folder import open_folder
from radiolucent.engines.package import CARD
from radiolucent.pipeline.journal import Journal
from radiolucent.settings import Settings
from radiolucent.store.daily import Place, places_after, reports_at
from radiolucent.store.database import Database
from radiolucent.wiring.analysis import registry
from radiolucent.wiring.operator import Desk, own_public_key
from radiolucent.wiring.serving import clock

AT_ONCE = 100
START = '"start"'


def evidence(
    out: Path, *, settings: Settings | None, folders: Sequence[Path] | None, validations: Sequence[Path]
) -> dict[str, int]:
    """Write the pack into ``out``; gives the number of claims by state.

    Raises
    ------
    SettingsError
        ``reference`` for a folder without a validation, ``no_store``, ``output_folder``.
    """
    engines = registry(folders or (None if settings is None else settings.reader.engines) or None)
    said = [read_validation(folder) for folder in validations]
    desk = None if settings is None else Desk(settings)
    overridden, used = (None, []) if settings is None else _history(settings)
    sources = Sources(
        specs=engines.specs,
        cards={s.id: engines.files(s.id).read(CARD).decode("utf-8", errors="replace") for s in engines.specs},
        splits={s.id: Counter(split_of(engines.files(s.id)).values()) for s in engines.specs},
        audit=None if desk is None else _verified(desk),
        charts=None if desk is None else desk.drift(),
        overridden=overridden,
        versions=[*([] if desk is None else _starts(desk)), *used],
        validations=said,
    )
    return write_pack(sources, open_folder(out), made_at=datetime.now(UTC))


def _verified(desk: Desk) -> Verification:
    if not desk.checkpoints.exists():
        return verify(desk.audit_entries(), None)
    with own_public_key(desk, None) as key:
        return verify(desk.audit_entries(), checkpoint.read(desk.checkpoints, read_public_keys(key)))


def _history(settings: Settings) -> tuple[tuple[int, int], list[Used]]:
    """What people made of called findings (`Sources.overridden`), and which engines results name.

    Of a study the last signed report counts for the first.
    """
    journal = Journal(Database(settings.database), clock=clock)
    with journal.reading() as connection:
        places = places_after(connection, Place())
    last: dict[str, tuple[int, int]] = {}
    engines: dict[tuple[str, str, str], list[str]] = {}
    for start in range(0, len(places), AT_ONCE):
        with journal.reading() as connection:
            found = reports_at(connection, places[start : start + AT_ONCE])
        for place in sorted(found):
            report = found[place]
            for engine in report.engines:
                engines.setdefault((engine.id, engine.version, engine.sha256), []).append(_day(report.produced_at))
            if report.is_signed:
                called = report.positives
                last[place.study_key] = (len(called), sum(not f.holds for f in called))
    overridden = sum(n for n, _ in last.values()), sum(n for _, n in last.values())
    return overridden, _used(engines)


def _starts(desk: Desk) -> list[Used]:
    """Versions of the software, by the starts that the audit log holds."""
    starts: dict[tuple[str, str, str], list[str]] = {}
    for entry in desk.audit_entries():
        if START in entry.text:
            event = parse(entry.text)
            if event.action == "start":
                key = ("radiolucent", str(event.details.get("version", "")), "")
                starts.setdefault(key, []).append(_day(event.at))
    return _used(starts)


def _used(seen: Mapping[tuple[str, str, str], Sequence[str]]) -> list[Used]:
    made = [
        Used(id=key[0], version=key[1], sha256=key[2], first=min(days), last=max(days), times=len(days))
        for key, days in seen.items()
    ]
    return sorted(made, key=lambda one: (one.id, one.first, one.version))


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()
