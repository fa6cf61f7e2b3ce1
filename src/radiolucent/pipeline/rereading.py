"""Having a study read again, as whoever may wishes."""

from __future__ import annotations

from radiolucent.errors import SettingsError
from radiolucent.pipeline.journal import Journal
from radiolucent.store import work


def read_again(journal: Journal, study_key: str, *, actor: str, peer: str = "") -> None:
    """Open a finished, unrouted or quarantined study, which is here, again.

    Raises
    ------
    SettingsError
        ``study_not_ready``.
    """
    with journal.entry() as entry:
        if not work.rerun(entry.connection, study_key):
            raise not_ready("a study that is still being received or read")
        study = work.study(entry.connection, study_key)
        entry.audit(
            "rerun",
            actor=actor,
            peer=peer,
            study_instance_uid=study.study_instance_uid,
            patient_id=study.patient_id,
        )


def not_ready(found: str) -> SettingsError:
    """A study with which this cannot be done now."""
    return SettingsError(
        "study_not_ready",
        found=found,
        expected="the key of a study in a state that this can be done in",
        action="See `radiolucent status` for the studies, their keys and their states.",
    )
