"""The tables. Times are seconds since 1970 in UTC; JSON columns hold text.

Tables of the durable workflow live in the same database and belong to its library; they hold our own random study keys
and nothing of a patient.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

from radiolucent.records.person import MAIN_SITE

VERSION = 2
metadata = MetaData()

about = Table("radiolucent_schema", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

studies = Table(
    "studies",
    metadata,
    Column("study_key", String(32), primary_key=True),
    Column("study_instance_uid", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("status", String(16)),
    Column("code", String(64)),
    Column("revision", Integer, nullable=False),
    Column("priority", String(8), nullable=False),
    Column("rule", String(64)),
    Column("attempts", Integer, nullable=False),
    Column("claimed_by", String(96)),
    Column("first_received_at", Float, nullable=False),
    Column("last_received_at", Float, nullable=False),
    Column("due_at", Float),
    Column("expected_count", Integer),
    Column("done_at", Float),
    Column("accession_number", String(64), nullable=False),
    Column("patient_id", String(64), nullable=False),
    Column("issuer", String(256), nullable=False),
    Column("header", Text, nullable=False),
    Column("site", String(64), nullable=False, server_default=MAIN_SITE),
    Index("studies_by_state", "state", "due_at"),
    Index("studies_by_accession", "accession_number"),
    Index("studies_by_patient", "patient_id"),
)
"""``state``: receiving, ready, processing, done, unrouted, quarantined. ``header``: attributes of the study level."""

instances = Table(
    "instances",
    metadata,
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("study_key", String(32), ForeignKey("studies.study_key"), nullable=False),
    Column("series_instance_uid", String(64), nullable=False),
    Column("sop_class_uid", String(64), nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("role", String(8), nullable=False),
    Column("kind", String(24)),
    Column("source_uid", String(64)),
    Column("revision", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("path", String(512), nullable=False),
    Column("received_at", Float, nullable=False),
    Column("calling_ae", String(16), nullable=False),
    Column("header", Text, nullable=False),
    Index("instances_by_study", "study_key", "role"),
    Index("instances_by_series", "series_instance_uid"),
)
"""``role``: ``source`` or ``result``. ``path``: relative to the data folder. ``header``: series and instance level."""

results = Table(
    "results",
    metadata,
    Column("study_key", String(32), ForeignKey("studies.study_key"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("status", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("report", Text, nullable=False),
    Column("produced_at", Float, nullable=False),
)
"""``report``: the study's report as JSON. ``state``: preliminary, corrected, retracted."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", String(64), primary_key=True),
    Column("study_key", String(32), ForeignKey("studies.study_key"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("destination", String(64), nullable=False),
    Column("purpose", String(12), nullable=False),
    Column("state", String(12), nullable=False),
    Column("priority", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("retried_at", Integer, nullable=False),
    Column("next_at", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("sent_at", Float),
    Column("code", String(64)),
    Column("done", Text, nullable=False),
    Index("deliveries_by_state", "state", "next_at"),
    Index("deliveries_by_study", "study_key"),
)
"""An outbox. ``state``: waiting, sent, refused, dead, superseded. ``purpose``: result, retract. ``done``: UIDs.

``attempts`` only grows: it tells one attempt from another. ``retried_at``: how many there were when an operator last
said that it be tried again.
"""

orders = Table(
    "orders",
    metadata,
    Column("accession_number", String(64), primary_key=True),
    Column("study_instance_uid", String(64), nullable=False),
    Column("priority", String(8), nullable=False),
    Column("body", Text, nullable=False),
    Column("updated_at", Float, nullable=False),
    Index("orders_by_study", "study_instance_uid"),
)

patients = Table(
    "patients",
    metadata,
    Column("patient_id", String(64), primary_key=True),
    Column("issuer", String(256), primary_key=True),
    Column("body", Text, nullable=False),
    Column("merged_into_id", String(64)),
    Column("merged_into_issuer", String(256)),
    Column("updated_at", Float, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("sender", String(256), primary_key=True),
    Column("control_id", String(199), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("answer", Text, nullable=False),
    Column("received_at", Float, nullable=False),
)
"""HL7 messages already answered, so that a repeated one gets the same answer and changes nothing."""

audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("previous_sha256", String(64), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
)

workers = Table(
    "workers",
    metadata,
    Column("worker_id", String(128), primary_key=True),
    Column("seen_at", Float, nullable=False),
    Column("started_at", Float, nullable=False),
)
"""Processes that work on the queue; one that was not seen for a while is dead, and its studies are handed over."""

people = Table(
    "people",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("display", String(128), nullable=False),
    Column("roles", Text, nullable=False),
    Column("sites", Text, nullable=False),
    Column("password", String(256)),
    Column("is_disabled", Integer, nullable=False),
    Column("made_at", Float, nullable=False),
)
"""``password``: its argon2id hash; none until a person has set one."""

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("name", String(64), ForeignKey("people.name"), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("begun_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Index("sessions_by_name", "name"),
)
"""``digest``: of the secret that the browser holds."""

links = Table(
    "links",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("made_at", Float, nullable=False),
)
"""One-time links to set a password; ``name`` is empty in the link that makes the first administrator."""

identities = Table(
    "identities",
    metadata,
    Column("issuer", String(255), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("name", String(64), ForeignKey("people.name"), nullable=False, unique=True),
)
"""Which account a person of an OpenID provider has."""

factors = Table(
    "factors",
    metadata,
    Column("name", String(64), ForeignKey("people.name"), primary_key=True),
    Column("secret", String(64), nullable=False),
    Column("is_confirmed", Integer, nullable=False),
    Column("last_step", BigInteger, nullable=False),
)
"""Second factors; ``last_step``: time step of the last code that was accepted, none of which is accepted again."""

tokens = Table(
    "tokens",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("made_by", String(64), nullable=False),
    Column("made_at", Float, nullable=False),
    Column("used_at", Float),
)
"""Of machines; ``digest``: of the token, which nobody but its machine holds."""

openings = Table(
    "openings",
    metadata,
    Column("name", String(64), ForeignKey("people.name"), primary_key=True),
    Column("study_key", String(32), ForeignKey("studies.study_key"), primary_key=True),
    Column("until", Float, nullable=False),
)
"""Studies that somebody has opened in an emergency."""

attempts = Table(
    "attempts",
    metadata,
    Column("attempt_id", String(32), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("peer", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Index("attempts_by_time", "at"),
)
"""Failed sign-ins of the last quarter of an hour."""

decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", String(32), primary_key=True),
    Column("study_key", String(32), ForeignKey("studies.study_key"), nullable=False),
    Column("idempotency_key", String(64), nullable=False, unique=True),
    Column("report_id", String(64), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("reader", String(128), nullable=False),
    Column("signed_at", Float, nullable=False),
    Column("is_final", Boolean, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("supersedes", String(32), unique=True),
    Column("body", Text, nullable=False),
    Index("decisions_by_study", "study_key", "signed_at"),
    Index("decisions_by_time", "signed_at"),
)
"""``body``: the decision as JSON. ``supersedes`` is unique: a decision is superseded once."""

opinions = Table(
    "opinions",
    metadata,
    Column("study_key", String(32), ForeignKey("studies.study_key"), primary_key=True),
    Column("report_id", String(64), primary_key=True),
    Column("reader", String(128), primary_key=True),
    Column("at", Float, nullable=False),
    Column("body", Text, nullable=False),
)

truths = Table(
    "truths",
    metadata,
    Column("study_key", String(32), ForeignKey("studies.study_key"), primary_key=True),
    Column("finding", String(64), primary_key=True),
    Column("image", String(64), primary_key=True),
    Column("is_present", Boolean, nullable=False),
    Column("basis", String(128), nullable=False),
    Column("at", Float, nullable=False),
)
"""What is known later. ``image``: a SOP Instance UID, empty for the study as a whole. ``basis``: what it rests on."""

leases = Table(
    "leases",
    metadata,
    Column("study_key", String(32), ForeignKey("studies.study_key"), primary_key=True),
    Column("holder", String(128), nullable=False),
    Column("until", Float, nullable=False),
    Column("body", Text, nullable=False),
)
