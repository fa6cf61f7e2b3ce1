"""A decision as the API tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from radiolucent.records.decision import Decision
from radiolucent.store.outbox import Delivery


def decision_json(decision: Decision, sent: Sequence[Delivery]) -> dict[str, Any]:
    """The decision with how its report is being delivered."""
    draft = asdict(decision.draft)
    return {
        "decision_id": decision.decision_id,
        "study_key": decision.study_key,
        "report_id": decision.report_id,
        "reader": asdict(decision.reader),
        "signed_at": decision.signed_at.isoformat(),
        "is_final": decision.draft.is_final,
        "outcome": decision.outcome,
        "findings": draft["findings"],
        "added": draft["added"],
        "comment": decision.draft.comment,
        "supersedes": decision.draft.supersedes,
        "audit_sequence": decision.audit_sequence,
        "deliveries": [
            {"destination": each.destination, "state": each.state}
            for each in sent
            if each.revision == decision.revision
        ],
        "second_read": decision.second_read,
    }
