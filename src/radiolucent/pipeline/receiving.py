"""The door of every image, whichever way it comes: identified, stored, committed, and only then said to be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from radiolucent.errors import InputRefused
from radiolucent.pipeline.faults import Faults
from radiolucent.pipeline.journal import Entry, Journal
from radiolucent.prepare.identity import Identified, identify_offered
from radiolucent.records.door import Offered
from radiolucent.records.person import MAIN_SITE
from radiolucent.records.received import Kept, Received
from radiolucent.store import intake
from radiolucent.store.blobs import Blobs

AT_THE_DOOR = frozenset({"association_rejected", "caller_refused", "token_missing", "token_may_not"})
"""Refusals of a caller, not of an instance."""


class Counted(Protocol):
    """Counts of what came and what was refused."""

    def received(self, size_bytes: int) -> None:
        """An instance was kept, or was here already."""

    def refused(self, code: str) -> None:
        """Something was not kept."""


class Intake:
    """Takes instances in.

    Parameters
    ----------
    quiet_s
        How long a study waits for more.
    most_bytes
        A larger dataset is refused.
    sites
        Site by sender; whoever is not named sends for the main one.
    on_due
        Called after an instance was committed whose study is complete with it.
    """

    def __init__(
        self,
        journal: Journal,
        blobs: Blobs,
        counted: Counted,
        faults: Faults,
        *,
        quiet_s: float,
        most_bytes: int,
        implementation_class_uid: str,
        sites: Mapping[str, str] | None = None,
        on_due: Callable[[], None] = lambda: None,
    ) -> None:
        self._journal, self._blobs, self._counted, self._faults = journal, blobs, counted, faults
        self._quiet_s, self._most_bytes = quiet_s, most_bytes
        self._implementation = implementation_class_uid
        self._on_due = on_due
        self._sites = dict(sites or {})
        self._expected: dict[str, str] = {}

    def keep(self, offered: Offered) -> Kept:
        """Keep one instance; when this returns, it is on disk and in the database.

        Raises
        ------
        InputRefused
            What `identify_offered` raises; ``instance_too_large``; ``duplicate_uid`` where another content has the UID.
        PeerUnavailable
            ``storage_full``, ``database_unavailable``: nothing was kept, and the sender may try again.
        """
        if len(offered.dataset) > self._most_bytes:
            raise InputRefused(
                "instance_too_large",
                found="an instance larger than dicom.max_instance_mb",
                expected="a smaller instance",
                action="Raise the limit, or leave this kind of object out.",
            )
        found = identify_offered(offered, implementation_class_uid=self._implementation)
        kept = self._keep(offered, found)
        if kept.outcome == "conflict":
            raise _other_content()
        self._faults.at("kept")
        self._counted.received(found.received.size_bytes)
        if kept.is_due:
            self._on_due()
        return kept

    @contextmanager
    def expecting(self, study_instance_uid: str, *, site: str) -> Iterator[None]:
        """Within, images of this study come because we asked for them, to compare with, through whichever door.

        They belong to the site of the study that they are compared with.
        """
        self._expected[study_instance_uid] = site
        try:
            yield
        finally:
            self._expected.pop(study_instance_uid, None)

    def refuse(self, code: str, sender: str, peer: str) -> None:
        """Put on record that something was not kept."""
        self._counted.refused(code)
        with self._journal.entry() as entry:
            stage = "connection" if code in AT_THE_DOOR else None
            entry.audit("refuse", outcome="minor_failure", actor=sender or "unknown", peer=peer, code=code, stage=stage)

    def _keep(self, offered: Offered, found: Identified) -> Kept:
        site = self._expected.get(found.received.study_instance_uid)
        received = replace(found.received, site=site or self._sites.get(offered.sender, MAIN_SITE))
        with self._journal.reading() as connection:
            known = intake.find_known(connection, received)
        path = ""
        if known is None or known.outcome == "cleared":
            known = None
            self._blobs.check_space(received.size_bytes)
            path = self._blobs.put(received.sha256, (found.head, offered.dataset))
            self._faults.at("stored")
        return self._journal.gathered(
            lambda entry: self._note(entry, offered, received, known=known, path=path, is_prior=site is not None)
        )

    def _note(
        self, entry: Entry, offered: Offered, received: Received, *, known: Kept | None, path: str, is_prior: bool
    ) -> Kept:
        at, quiet_s = entry.at, self._quiet_s
        kept = known or intake.keep(entry.connection, received, path=path, now=at, quiet_s=quiet_s, is_prior=is_prior)
        if kept.outcome == "same" and not is_prior:
            is_wanted = intake.is_wanted(entry.connection, kept.study_key, site=received.site, now=at, quiet_s=quiet_s)
            kept = replace(kept, reopened=is_wanted)
        if kept.outcome != "conflict":
            entry.audit(
                "receive",
                actor=offered.sender or "unknown",
                peer=offered.peer,
                study_instance_uid=received.study_instance_uid,
                patient_id=received.patient.patient_id,
                sop_instance_uid=received.sop_instance_uid,
                sha256=received.sha256,
                outcome_of=kept.outcome,
                reopened="yes" if kept.reopened else None,
            )
        self._faults.at("keeping")
        return kept


def _other_content() -> InputRefused:
    return InputRefused(
        "duplicate_uid",
        found="a SOP Instance UID that is kept already with other content",
        expected="one content per SOP Instance UID (PS3.3 C.12.1)",
        action="Find out which one is right; the first was kept, this one was not.",
    )
