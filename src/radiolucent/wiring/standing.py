"""How an installation stands: counts, ages and the last studies, without a word of a patient."""

from __future__ import annotations

from typing import Any

from radiolucent.pipeline.heart import SILENT_S
from radiolucent.pipeline.journal import Journal
from radiolucent.store import outbox, upkeep, work, workers
from radiolucent.store.blobs import Blobs

MEGABYTE = 2**20


def standing(journal: Journal, blobs: Blobs, *, limit: int) -> dict[str, Any]:
    """What `radiolucent status` and ``/api/status`` show."""
    now = journal.clock().timestamp()
    with journal.reading() as connection:
        oldest = upkeep.oldest_waiting(connection)
        sends = outbox.counts(connection)
        return {
            "studies": work.counts(connection),
            "deliveries": [{"destination": d, "state": s, "count": n} for (d, s), n in sorted(sends.items())],
            "oldest_waiting_s": 0.0 if oldest is None else round(now - oldest, 1),
            "workers": workers.alive(connection, now=now, silent_s=SILENT_S),
            "disk_free_mb": blobs.free_bytes() // MEGABYTE,
            "recent": upkeep.recent(connection, limit=limit),
        }
