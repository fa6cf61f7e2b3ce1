"""The way to each destination of the settings: built by report, sent by deliver."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from radiolucent.deliver import commitment, dicom, mllp
from radiolucent.deliver.fhir import FhirConnection, FhirPeer
from radiolucent.errors import PeerRefused, PeerUnavailable, SettingsError
from radiolucent.pipeline.sending import ObjectFile, PartlySent, Sender
from radiolucent.records.destination import DicomDestination, DimsePeer, WebPeer
from radiolucent.records.study import StudyReport
from radiolucent.report.dicom.uids import SOFTWARE_DEVICE_UID, uid_from
from radiolucent.report.fhir.bundle import build_bundle
from radiolucent.report.fhir.options import FhirOptions
from radiolucent.report.hl7.oru import Hl7Route, build_oru
from radiolucent.settings import Settings
from radiolucent.settings.peers import Destination
from radiolucent.wiring import tls

COMMITMENT_WAIT_S = 10.0


def senders(settings: Settings) -> dict[str, Sender]:
    """A sender for every destination, by name.

    Raises
    ------
    SettingsError
        ``secret_file``, ``tls_files``, ``commitment_needs_dimse``, ``fhir_peer``: a wish that cannot be granted.
    """
    return {row.name: _sender(row, settings) for row in settings.destinations}


def _sender(row: Destination, settings: Settings) -> Sender:
    if row.kind == "mllp":
        return MllpSender(row, settings)
    if row.kind == "fhir":
        return FhirSender(row)
    return DicomSender(row, settings)


class DicomSender:
    """Objects by C-STORE or STOW-RS; with storage commitment where it is wanted."""

    def __init__(self, row: Destination, settings: Settings) -> None:
        self.interface: Literal["dimse", "stow"] = "dimse" if row.kind == "dimse" else "stow"
        self.address = row.host or row.url or ""
        self._destination = DicomDestination(
            name=row.name, peer=_peer(row, settings), profile=row.profile, wants_commitment=row.commitment
        )
        dicom.check(self._destination)

    def send(
        self,
        report: StudyReport,
        files: Sequence[ObjectFile],
        *,
        earlier: Sequence[StudyReport],  # noqa: ARG002  objects stand for themselves
        delivery_id: str,
    ) -> Sequence[str]:
        """Send what the destination can show; raises as `Sender.send`."""
        sent = dicom.send(files, self._destination)
        if sent.error is not None:
            raise PartlySent(sent.stored, sent.error)
        peer = self._destination.peer
        if self._destination.wants_commitment and isinstance(peer, DimsePeer) and sent.stored:
            wanted = frozenset(sent.stored)
            refs = [each.instance for each in report.objects if each.instance.sop_instance_uid in wanted]
            transaction = uid_from("commitment", delivery_id, *sorted(wanted))
            try:
                answer = commitment.request_commitment(
                    refs, peer, transaction_uid=transaction, wait_s=COMMITMENT_WAIT_S
                )
            except (PeerUnavailable, PeerRefused) as error:
                raise PartlySent(sent.stored, error) from error
            if answer is not None and not answer.is_complete:
                failed = {each.sop_instance_uid for each in answer.failed}
                raise PartlySent([uid for uid in sent.stored if uid not in failed], not_committed(len(failed)))
        return sent.stored


class MllpSender:
    """A report as ORU^R01."""

    interface: Literal["mllp"] = "mllp"

    def __init__(self, row: Destination, settings: Settings) -> None:
        assert row.host is not None and row.port is not None  # noqa: PT018  the settings have checked it
        self.address = row.host
        self._peer = mllp.MllpPeer(
            host=row.host,
            port=row.port,
            answer_timeout_s=row.timeout_s,
            tls=tls.peer(row.tls, where=f"destination {row.name}"),
        )
        self._route = Hl7Route(
            destination=row.name,
            sending_application=settings.site.application,
            sending_facility=settings.site.facility,
            receiving_application=row.application,
            receiving_facility=row.facility,
            mode=row.mode,
            character_set=row.character_set,
        )

    def send(
        self,
        report: StudyReport,
        files: Sequence[ObjectFile],  # noqa: ARG002  a message names objects, it does not carry them
        *,
        earlier: Sequence[StudyReport],  # noqa: ARG002
        delivery_id: str,  # noqa: ARG002
    ) -> Sequence[str]:
        """Send the message and wait until it is acknowledged; raises as `Sender.send`."""
        message = build_oru(report, self._route)
        mllp.send(message.payload, message.control_id, self._peer)
        return ()


class FhirSender:
    """A report as one FHIR transaction."""

    interface: Literal["fhir"] = "fhir"

    def __init__(self, row: Destination) -> None:
        assert row.url is not None
        self.address = row.url
        self._peer = fhir_peer(row)
        self._options = fhir_options(row)

    def send(
        self,
        report: StudyReport,
        files: Sequence[ObjectFile],  # noqa: ARG002
        *,
        earlier: Sequence[StudyReport],
        delivery_id: str,  # noqa: ARG002
    ) -> Sequence[str]:
        """Send the transaction; raises as `Sender.send`."""
        with FhirConnection(self._peer) as connection:
            connection.transact(build_bundle(report, self._options, earlier=earlier))
        return ()


def fhir_options(row: Destination | None) -> FhirOptions:
    """What a FHIR destination says of its site; nothing where there is none."""
    if row is None:
        return FhirOptions(software_device_uid=SOFTWARE_DEVICE_UID)
    return FhirOptions(
        patient_system=row.patient_system,
        issuers=row.issuers,
        accession_system=row.accession_system,
        order_system=row.order_system,
        zone=None if row.time_zone is None else ZoneInfo(row.time_zone),
        wado_url=row.wado_url,
        software_device_uid=SOFTWARE_DEVICE_UID,
    )


def fhir_peer(row: Destination) -> FhirPeer:
    """How to reach a FHIR server; whatever is wrong with it is told at start-up.

    Raises
    ------
    SettingsError
        ``secret_file``, ``fhir_peer``.
    """
    assert row.url is not None
    files = row.tls
    peer = FhirPeer(
        url=row.url,
        token=secret(row.token, row.name),
        user=row.user,
        password=secret(row.password, row.name),
        ca=None if files is None else files.ca,
        certificate=None if files is None else files.certificate,
        key=None if files is None else files.key,
        timeout_s=row.timeout_s,
    )
    FhirConnection(peer).close()
    return peer


def not_committed(count: int) -> PeerRefused:
    """What a destination said that took objects and will not answer for them."""
    return PeerRefused(
        "not_committed",
        found=f"a destination that stored {count} objects and does not commit itself to keep them",
        expected="storage commitment for everything that was stored (PS3.4 annex J)",
        action="Ask its operator why, then `radiolucent deliveries retry`.",
    )


def _peer(row: Destination, settings: Settings) -> DimsePeer | WebPeer:
    context = tls.peer(row.tls, where=f"destination {row.name}")
    if row.kind == "dimse":
        assert row.host is not None and row.port is not None and row.ae_title is not None  # noqa: PT018
        return DimsePeer(
            host=row.host,
            port=row.port,
            called_ae_title=row.ae_title,
            calling_ae_title=settings.dicom.ae_title,
            dimse_timeout_s=row.timeout_s,
            tls=context,
        )
    assert row.url is not None
    return WebPeer(
        url=row.url,
        token=secret(row.token, row.name),
        user=row.user,
        password=secret(row.password, row.name),
        timeout_s=row.timeout_s,
        tls=context,
    )


def secret(path: Path | None, name: str) -> str | None:
    """The text of a token or password file of a peer; ``None`` without a file.

    Raises
    ------
    SettingsError
        ``secret_file``.
    """
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            "secret_file",
            found=f"a token or password file of {name} that cannot be read",
            expected="a text file with nothing but the secret",
            action="Mend the path in the settings file, or the file's permissions.",
        ) from error
