"""The worklist as the API tells it: rows of the store, ordered and filtered by the rules of `review`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from radiolucent.records.decision import Lease, ReviewState
from radiolucent.records.study import StudyContext
from radiolucent.review.leases import running
from radiolucent.review.states import NEEDS_SOMEBODY, Standing, Urgency, place, review_state, without_result
from radiolucent.store.reading import SaidFinding, WorkRow
from radiolucent.web.api.ports import Wanted

Json = dict[str, Any]
REASONS = {
    "no_rule": "No routing rule holds for this study.",
    "reader_crashed": "Reading it ended the reading process, again and again.",
    "retracted": "The result was taken back.",
}
AGES = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A study with what decides about it.

    ``hidden``: its findings are not shown to this reader yet; ``has_prior``: an earlier study of the patient is listed.
    """

    row: WorkRow
    context: StudyContext
    state: ReviewState
    urgency: Urgency
    lease: Lease | None
    hidden: bool
    has_prior: bool = False

    @property
    def positives(self) -> tuple[SaidFinding, ...]:
        """Findings over their threshold, where they may be shown."""
        said = self.row.said
        return () if said is None or self.hidden else tuple(f for f in said.findings if f.positive)


def listed(row: WorkRow, context: StudyContext, *, now: datetime, hidden: bool) -> Listed:
    """A row with its state and urgency; ``context`` as it is known today."""
    lease = running(row.lease, now)
    standing = Standing(
        state=row.state, status=row.status, is_decided=row.decided is not None, is_held=lease is not None
    )
    state = review_state(standing)
    positives = () if row.said is None else tuple(f for f in row.said.findings if f.positive)
    urgency = Urgency(
        state=state,
        is_alert=any(f.alert for f in positives),
        is_critical=any(f.critical for f in positives),
        is_stat=row.priority == "stat",
        rank=None,
        since=row.first_received_at,
    )
    return Listed(
        row=row,
        context=context,
        state=state,
        urgency=without_result(urgency) if hidden else urgency,
        lease=lease,
        hidden=hidden,
    )


def with_priors(listed: Sequence[Listed]) -> list[Listed]:
    """The same rows, told which of them have an earlier one of the same patient."""
    first: dict[str, datetime] = {}
    for each in listed:
        who, at = each.context.patient.patient_id, each.context.started
        if who and at is not None:
            first[who] = min(at, first.get(who, at))
    return [replace(each, has_prior=_is_after(each, first.get(each.context.patient.patient_id))) for each in listed]


def _is_after(each: Listed, first: datetime | None) -> bool:
    return first is not None and each.context.started is not None and first < each.context.started


def answer(all_rows: Sequence[Listed], wanted: Wanted, *, now: datetime, version: int) -> Json:
    """The worklist; counts are over everything the reader may see, items over what was asked for."""
    chosen = sorted((each for each in all_rows if _matches(each, wanted)), key=lambda each: place(each.urgency))
    waiting = [each for each in all_rows if each.state in NEEDS_SOMEBODY]
    findings = {f.key: f.display for each in all_rows for f in each.positives}
    engines = {f.engine for each in all_rows if each.row.said is not None for f in each.row.said.findings}
    return {
        "version": version,
        "items": [_item(each, place_, now) for place_, each in enumerate(chosen[: wanted.limit], 1)],
        "counts": Counter(each.state for each in all_rows),
        "waiting": len(waiting),
        "oldest_waiting_s": max((now.timestamp() - each.row.first_received_at for each in waiting), default=None),
        "engines": sorted(engines),
        "findings": [{"key": key, "display": findings[key]} for key in sorted(findings)],
        "flags": sorted({flag for each in all_rows for f in each.positives for flag in f.flags}),
    }


def _matches(each: Listed, wanted: Wanted) -> bool:
    found = each.positives
    said = each.row.said
    text = wanted.text.casefold().strip()
    patient = each.context.patient
    numbers = (patient.patient_id, each.row.patient_id, each.row.accession_number)
    words = (patient.name, *numbers, each.context.description)
    received = each.row.first_received_at
    return (
        (not wanted.states or each.state in wanted.states)
        and (not wanted.engines or (said is not None and any(f.engine in wanted.engines for f in said.findings)))
        and (not wanted.findings or any(f.key in wanted.findings for f in found))
        and (not wanted.confidences or any(f.confidence in wanted.confidences for f in found))
        and (not wanted.flags or any(not wanted.flags.isdisjoint(f.flags) for f in found))
        and (wanted.since is None or received >= wanted.since)
        and (wanted.until is None or received < wanted.until)
        and (not text or any(text in word.replace("^", " ").casefold() for word in words))
    )


def _item(each: Listed, rank: int, now: datetime) -> Json:
    row, context, positives = each.row, each.context, each.positives
    image: Mapping[str, Any] = {} if row.first_image is None else json.loads(row.first_image)
    first = positives[0] if positives else None
    code = "retracted" if row.status == "retracted" else row.code
    return {
        "study_key": row.study_key,
        "state": each.state,
        "state_reason": None if code is None else {"code": code, "text": REASONS.get(code, code.replace("_", " "))},
        "priority": row.priority,
        "critical": each.urgency.is_alert or each.urgency.is_critical,
        "rank": rank,
        "patient": patient(context, image),
        "accession_number": row.accession_number,
        "modality": first_value(image, "00080060"),
        "body_part": first_value(image, "00180015"),
        "description": context.description,
        "studied_at": iso(context.started),
        "received_at": iso(datetime.fromtimestamp(row.first_received_at, UTC)),
        "waiting_s": now.timestamp() - row.first_received_at if each.state in NEEDS_SOMEBODY else None,
        "primary": None
        if first is None
        else {name: getattr(first, name) for name in ("key", "display", "probability", "confidence", "zone")},
        "positives": len(positives),
        "ai_hidden": each.hidden,
        "flags": sorted({flag for f in positives for flag in f.flags}),
        "lease": None if each.lease is None else held(each.lease),
        "decided": _decided(each),
        "site": row.site,
        "has_prior": each.has_prior,
    }


def _decided(each: Listed) -> Json | None:
    made = each.row.decided
    if made is None or each.state != "decided":
        return None
    return {"outcome": made.outcome, "by": made.reader, "at": iso(datetime.fromtimestamp(made.at, UTC))}


def held(lease: Lease) -> Json:
    """A lease as others see it."""
    return {"holder": lease.holder.display, "since": iso(lease.since), "until": iso(lease.until)}


def iso(at: datetime | None) -> str | None:
    """ISO 8601 with the zone."""
    return None if at is None else at.isoformat()


def first_value(header: Mapping[str, Any], tag: str) -> str:
    """The first value of an element of DICOM JSON as text."""
    values = header.get(tag, {}).get("Value") or [""]
    return "" if values[0] is None else str(values[0])


def patient(context: StudyContext, image: Mapping[str, Any]) -> Json:
    """Who it is; the age as the image states it, else from the dates."""
    who = context.patient
    return {
        "name": who.name,
        "id": who.patient_id,
        "birth_date": who.birth_date,
        "sex": who.sex,
        "age_years": _age(first_value(image, "00101010"), who.birth_date, context.started),
    }


def _age(stated: str, birth: str, started: datetime | None) -> float | None:
    """AS (PS3.5 6.2) in years."""
    if len(stated) == 4 and stated[:3].isdigit() and stated[3] in AGES:
        return int(stated[:3]) / AGES[stated[3]]
    try:
        born = datetime.strptime(birth, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return None if started is None else round((started - born).days / 365.25, 1)
