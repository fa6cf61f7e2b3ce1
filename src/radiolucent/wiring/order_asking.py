"""The order of a study from a FHIR server, where no HL7 message has told it."""

from __future__ import annotations

import logging

from radiolucent.deliver.fhir import FhirConnection, FhirPeer
from radiolucent.errors import PeerUnavailable, RadiolucentError
from radiolucent.ingest.fhir_orders import OrderSystems, find_order
from radiolucent.logs import event
from radiolucent.pipeline.journal import Journal
from radiolucent.records.study import Order
from radiolucent.settings.peers import Destination
from radiolucent.store import hospital, work
from radiolucent.wiring.senders import fhir_peer

log = logging.getLogger(__name__)


class OrderAsking:
    """Asks a FHIR destination for the orders of studies.

    Raises
    ------
    SettingsError
        ``secret_file``, ``fhir_peer``.
    """

    def __init__(self, row: Destination, journal: Journal) -> None:
        self._name, self._journal = row.name, journal
        self._peer: FhirPeer = fhir_peer(row)
        self._systems = OrderSystems(
            accession=row.accession_system,
            patient=row.patient_system,
            issuers={system: issuer for issuer, system in row.issuers.items()},
        )

    def ask(self, study_key: str) -> None:
        """Keep the order of a study that has an accession number and no order yet, as one that came by HL7.

        Raises
        ------
        PeerUnavailable
            The server may be asked again.
        """
        with self._journal.reading() as connection:
            study = work.study(connection, study_key)
            uid, number = study.study_instance_uid, study.accession_number
            known = hospital.order_of(connection, accession_number=number, study_instance_uid=uid)
        if known is not None or not number.strip():
            return
        order: Order | None = None
        failed: RadiolucentError | None = None
        try:
            with FhirConnection(self._peer) as server:
                order = find_order(server, number, self._systems)
        except RadiolucentError as error:
            failed = error
            event(log, "order_not_read", level=logging.WARNING, destination=self._name, code=error.code)
        with self._journal.entry() as entry:
            if order is not None:
                hospital.put_order(entry.connection, order, now=entry.at)
            entry.audit(
                "query" if order is None else "order",
                outcome="success" if failed is None else "minor_failure",
                peer=self._peer.url,
                study_instance_uid=study.study_instance_uid,
                patient_id=study.patient_id,
                interface="fhir",
                accession_number=number,
                priority=None if order is None else order.priority,
                code=None if failed is None else failed.code,
            )
        if isinstance(failed, PeerUnavailable):
            raise failed
