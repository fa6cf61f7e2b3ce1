"""Tables of those we call: where results go, and where earlier studies are looked for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from radiolucent.settings.kinds import AeTitle, File, Name, Port, Seconds, Table, TimeZone, Tls, WebAddress, WrittenSet


class Destination(Table):
    """Where results go. ``kind`` decides which rows count.

    ``dimse``: ``host``, ``port``, ``ae_title``; ``stow`` and ``fhir``: ``url``, and ``token`` (a file), or ``user`` and
    ``password`` (a file); ``mllp``: ``host``, ``port``, ``application``, ``facility``, acknowledgement
    ``mode`` and ``character_set`` (MSH-18). ``patient_system`` (``issuers``: by issuer), ``accession_system`` and
    ``order_system`` are the identifier systems of a FHIR server,
    which with ``orders`` is asked for the order of a study (ServiceRequest). ``wado_url``: where it finds images and
    results; ``time_zone``: of study times that name none. ``retract_rejected``: objects that show a
    finding which a reader rejected are taken back there (``dimse`` and ``stow``).
    """

    name: Name
    kind: Literal["dimse", "stow", "mllp", "fhir"]
    host: str | None = None
    port: Port | None = None
    ae_title: AeTitle | None = None
    url: str | None = None
    token: File | None = None
    user: str | None = None
    password: File | None = None
    profile: Literal["orthanc", "ohif", "weasis", "old-pacs"] = "orthanc"
    commitment: bool = False
    application: str = ""
    facility: str = ""
    mode: Literal["original", "enhanced"] = "original"
    character_set: WrittenSet = "UNICODE UTF-8"
    patient_system: str | None = None
    issuers: dict[str, str] = Field(default={})
    accession_system: str | None = None
    order_system: str | None = None
    wado_url: WebAddress | None = None
    time_zone: TimeZone | None = None
    orders: bool = False
    retract_rejected: bool = False
    timeout_s: Seconds = 30.0
    tls: Tls | None = None

    @model_validator(mode="after")
    def _complete(self) -> Destination:
        needed = {"dimse": ("host", "port", "ae_title"), "mllp": ("host", "port"), "stow": ("url",), "fhir": ("url",)}
        missing = [row for row in needed[self.kind] if getattr(self, row) is None]
        if missing:
            raise ValueError(f"{', '.join(missing)} for a destination of kind {self.kind}")
        return self


class Archive(Table):
    """Where earlier studies of a patient are looked for.

    ``dimse``: ``host``, ``port``, ``ae_title``; ``dicomweb``: ``url``.
    ``retrieve``: by C-GET, or by C-MOVE to our own DICOM door, whose title the archive must know. Only studies of the
    last ``years`` with at most ``max_instances`` count; requests are ``interval_s`` apart. A search that
    is not answered, or a study that does not come whole, within ``total_s`` is given up.
    """

    name: Name
    kind: Literal["dimse", "dicomweb"]
    host: str | None = None
    port: Port | None = None
    ae_title: AeTitle | None = None
    retrieve: Literal["get", "move"] = "get"
    url: str | None = None
    token: File | None = None
    user: str | None = None
    password: File | None = None
    years: int = Field(default=10, ge=1, le=100)
    max_instances: int = Field(default=50, ge=1)
    interval_s: Seconds = 0.2
    timeout_s: Seconds = 30.0
    total_s: Seconds = 300.0
    tls: Tls | None = None

    @model_validator(mode="after")
    def _complete(self) -> Archive:
        needed = {"dimse": ("host", "port", "ae_title"), "dicomweb": ("url",)}
        missing = [row for row in needed[self.kind] if getattr(self, row) is None]
        if missing:
            raise ValueError(f"{', '.join(missing)} for an archive of kind {self.kind}")
        return self
