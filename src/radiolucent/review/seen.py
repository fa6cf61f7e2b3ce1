"""Whether somebody may see a study."""

from __future__ import annotations

from radiolucent.errors import InputRefused
from radiolucent.records.person import Sight


def check_seen(sight: Sight, site: str | None, study_key: str) -> None:
    """Let pass who may see a study of that site; ``None`` is the site of no study.

    Raises
    ------
    InputRefused
        ``no_such_study``, ``other_site``.
    """
    if site is None:
        raise no_such_study()
    if not sight.covers(site, study_key):
        raise InputRefused(
            "other_site",
            found="a study of another site",
            expected="a study of a site that you read for",
            action="In an emergency open it with a reason; that is put on record.",
        )


def no_such_study() -> InputRefused:
    """A study that is not here."""
    return InputRefused(
        "no_such_study",
        found="a study that is not here",
        expected="a study of the worklist",
        action="Load the worklist anew.",
    )
