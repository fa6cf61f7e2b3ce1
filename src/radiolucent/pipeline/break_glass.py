"""Break-glass: in an emergency somebody opens one study of another site, and everybody hears of it."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Protocol

from radiolucent.errors import InputRefused
from radiolucent.logs import event
from radiolucent.pipeline.journal import Journal
from radiolucent.review.seen import no_such_study
from radiolucent.store import openings, work

log = logging.getLogger(__name__)
OPEN_S = 3600.0
FEWEST_CHARACTERS = 10


class Counted(Protocol):
    """Counts emergencies."""

    def broke_glass(self) -> None:
        """A study was opened in an emergency."""


class BreakGlass:
    """Opens single studies for an hour: an alert in the audit log, a meter, a line in the log."""

    def __init__(self, journal: Journal, counted: Counted) -> None:
        self._journal, self._counted = journal, counted

    def open(self, name: str, study_key: str, *, reason: str, peer: str) -> datetime:
        """Open a study to an account, whatever its site; gives back until when.

        Raises
        ------
        InputRefused
            ``no_such_study``; ``reason_too_short`` for fewer than ten characters.
        """
        reason = reason.strip()
        if len(reason) < FEWEST_CHARACTERS:
            raise InputRefused(
                "reason_too_short",
                found="no reason, or one of a few characters",
                expected=f"a reason of {FEWEST_CHARACTERS} characters or more",
                action="Say why you must see this study; it is put on record.",
            )
        with self._journal.entry() as entry:
            if work.site_of(entry.connection, study_key) is None:
                raise no_such_study()
            until = entry.now + timedelta(seconds=OPEN_S)
            openings.put(entry.connection, name, study_key, now=entry.at, until=until.timestamp())
            study = work.study(entry.connection, study_key)
            entry.audit(
                "access",
                outcome="serious_failure",
                actor=name,
                peer=peer,
                study_instance_uid=study.study_instance_uid,
                patient_id=study.patient_id,
                kind="break_glass",
                interface="page",
                site=study.site,
                until=until.isoformat(),
                reason=reason,
            )
        self._counted.broke_glass()
        event(log, "break_glass", level=logging.WARNING, study=study_key)
        return until
