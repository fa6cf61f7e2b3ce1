"""The durable workflows: the bare order of a study's steps, and one attempt at one delivery. The only home of dbos.

Workflows and steps are named, their arguments are keys and counts. The application version is pinned to the release
that wrote the workflows; a release that changes their order changes it.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, ParamSpec, TypeVar

from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID, StepOptions

from radiolucent.errors import PeerUnavailable, RadiolucentError
from radiolucent.logs import event
from radiolucent.pipeline.faults import Faults
from radiolucent.pipeline.sending import Dispatch
from radiolucent.pipeline.steps import Steps
from radiolucent.store.outbox import Delivery
from radiolucent.store.work import Job

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
WORKFLOW_VERSION = "radiolucent-1"
ROUTINE, URGENT, SEND = "read-routine", "read-urgent", "send"
POLL_S = {ROUTINE: 0.25, URGENT: 0.03, SEND: 0.05}
"""A look at a queue takes some 3 ms of processor time, also when it is empty."""
FIRST, LATER = 1, 10
STEP_ATTEMPTS = 20
OVER = ("SUCCESS", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED")
Standing = Literal["missing", "open", "over"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Width:
    """How much runs side by side in this process."""

    readers: int
    urgent: int
    senders: int
    max_attempts: int


class Durable:
    """The workflow engine of one process.

    Parameters
    ----------
    url
        Database of the workflows; on PostgreSQL the store's own.
    worker_id
        Which process this is; one that starts again under its name goes on with its own work.
    works
        Whether this process takes work off the queues, or only puts it there.
    """

    def __init__(
        self, steps: Steps, dispatch: Dispatch, faults: Faults, *, url: str, worker_id: str, width: Width, works: bool
    ) -> None:
        self._steps, self._dispatch, self._faults, self._width = steps, dispatch, faults, width
        self._works = works
        config: DBOSConfig = {
            "name": "radiolucent",
            "system_database_url": url,
            "application_version": WORKFLOW_VERSION,
            "executor_id": worker_id,
            "enable_otlp": False,
            "log_level": "ERROR",
        }
        DBOS(config=config)

        def read_study(study_key: str, revision: int, priority: str) -> str:
            return self._read(study_key, revision, priority)

        def send_delivery(delivery_id: str) -> str:
            return self._send(delivery_id)

        self._read_study = DBOS.workflow(name="read_study")(read_study)
        self._send_delivery = DBOS.workflow(name="send_delivery")(send_delivery)

    def start(self) -> None:
        """Open the queues; work that was under way when this process last ended goes on."""
        if not self._works:
            DBOS.listen_queues([])
        DBOS.launch()
        for name, width in (
            (ROUTINE, self._width.readers),
            (URGENT, self._width.urgent or self._width.readers),
            (SEND, self._width.senders),
        ):
            DBOS.register_queue(
                name, worker_concurrency=width, polling_interval_sec=POLL_S[name], on_conflict="always_update"
            )
        library = logging.getLogger("dbos")
        library.handlers.clear()  # its own would print tracebacks; ours writes what happened and no values
        library.propagate = True

    def stop(self, *, timeout_s: float) -> None:
        """Take nothing new, let what runs end, close."""
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=int(timeout_s))

    def enqueue(self, job: Job) -> None:
        """Put a study on its queue; the same study and revision is there once, however often this is called."""
        self._faults.at("due")
        with SetWorkflowID(identity_of(job)):
            DBOS.enqueue_workflow(
                URGENT if job.priority == "stat" else ROUTINE,
                self._read_study,
                job.study_key,
                job.revision,
                job.priority,
            )
        self._faults.at("enqueued")

    def enqueue_delivery(self, delivery: Delivery) -> None:
        """Put one attempt at a delivery on the queue, once."""
        priority = FIRST if delivery.priority == "stat" else LATER
        with SetWorkflowID(attempt_of(delivery)), SetEnqueueOptions(priority=priority):
            DBOS.enqueue_workflow(SEND, self._send_delivery, delivery.delivery_id)
        self._faults.at("queued")

    def delivery_failed(self, delivery: Delivery) -> None:
        """Note that an attempt ended without saying how."""
        self._dispatch.failed(delivery)

    def hand_over(self, dead: Sequence[str]) -> None:
        """Put the unfinished work of dead processes back on the queues."""
        DBOS._recover_pending_workflows(list(dead))

    def busy(self) -> set[str]:
        """Processes that have taken work and not ended it."""
        pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        return {workflow.executor_id for workflow in pending if workflow.executor_id}

    def standing(self, identity: str) -> Standing:
        """Whether a workflow waits or runs, has ended in whatever way, or is not there."""
        status = DBOS.get_workflow_status(identity)
        if status is None:
            return "missing"
        return "over" if status.status in OVER else "open"

    def forget(self, *, before_ms: int, limit: int = 1000) -> int:
        """Delete finished workflows; the store holds what came of them."""
        done = DBOS.list_workflows(status="SUCCESS", end_time=_iso(before_ms), limit=limit, load_input=False)
        identities = [workflow.workflow_id for workflow in done]
        if identities:
            DBOS.delete_workflows(identities)
        return len(identities)

    def _read(self, study_key: str, revision: int, priority: str) -> str:
        job = Job(study_key=study_key, revision=revision, priority="stat" if priority == "stat" else "routine")
        identity = str(DBOS.workflow_id)
        routed = DBOS.run_step(_step("route"), _telling_nothing(self._route), job, identity)
        if routed is None:
            return "stale"
        rule, engine, destinations = routed
        if rule is None:
            return "unrouted"
        for attempt in range(1, self._width.max_attempts + 1):
            outcome, code, text = DBOS.run_step(_step("read"), _telling_nothing(self._steps.read), job, engine)
            if outcome != "crashed":
                break
            last = attempt == self._width.max_attempts
            DBOS.run_step(_step("crashed"), _telling_nothing(self._steps.crashed), job, final=last)
        else:
            return "quarantined"
        if outcome == "stale":
            return "stale"
        record = _telling_nothing(self._steps.record)
        kept = DBOS.run_step(_step("record"), record, job, destinations, outcome, code, text)
        return "recorded" if kept else "stale"

    def _route(self, job: Job, by: str) -> tuple[str | None, str | None, tuple[str, ...]] | None:
        """Plain values: what is kept of a step must be readable by the next release."""
        routed = self._steps.route(job, by=by)
        return None if routed is None else (routed.rule, routed.engine, routed.destinations)

    def _send(self, delivery_id: str) -> str:
        self._faults.at("sending")
        state = DBOS.run_step(_step("attempt"), _telling_nothing(self._dispatch.attempt), delivery_id)
        self._faults.at("sent")
        return state


def identity_of(job: Job) -> str:
    """Name of the workflow that reads a study: one for each revision and urgency."""
    return f"read-{job.study_key}-{job.revision}" + ("-urgent" if job.priority == "stat" else "")


def attempt_of(delivery: Delivery) -> str:
    """Name of the workflow that makes the next attempt at a delivery."""
    return f"send-{delivery.delivery_id}-{delivery.attempts}"


class StepFailed(Exception):
    """A step met something that nobody foresaw; says of which type."""


def _telling_nothing(do: Callable[P, T]) -> Callable[P, T]:
    """The step, its unforeseen errors without their texts: the library keeps errors, and a text may quote a patient."""

    @functools.wraps(do)
    def guarded(*args: P.args, **options: P.kwargs) -> T:
        try:
            return do(*args, **options)
        except RadiolucentError:
            raise
        except Exception as error:  # noqa: BLE001
            event(log, "step_failed", level=logging.ERROR, error=True, step=do.__name__)
            failed = StepFailed(type(error).__name__)
        raise failed

    return guarded


def _step(name: str) -> StepOptions:
    """A step that outlasts a database that is away for some minutes."""
    return {
        "name": name,
        "retries_allowed": True,
        "max_attempts": STEP_ATTEMPTS,
        "interval_seconds": 0.5,
        "backoff_rate": 1.5,
        "should_retry": _is_worth_retrying,
    }


def _is_worth_retrying(error: BaseException) -> bool:
    return isinstance(error, PeerUnavailable)


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
