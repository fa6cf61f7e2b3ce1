"""Our DICOM door: Verification and Storage SCP (PS3.4 annexes A and B). Success is said only of what is kept."""

from __future__ import annotations

import copy
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AssociationServer

from radiolucent import logs
from radiolucent.errors import InputRefused, PeerUnavailable, RadiolucentError, SettingsError
from radiolucent.ingest.callers import Callers
from radiolucent.ingest.dicom_transport import Handler
from radiolucent.records.door import Offered
from radiolucent.settings import Dicom
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

log = logging.getLogger(__name__)
VERIFICATION = "1.2.840.10008.1.1"
SYNTAXES = [ExplicitVRLittleEndian, *(s for s in ALL_TRANSFER_SYNTAXES if s != ExplicitVRLittleEndian)]
"""All of them. Of several in one context the first is taken: explicit, so that private elements keep their VR."""
SUCCESS, OUT_OF_RESOURCES, DOES_NOT_MATCH, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xA900, 0xC000
DUPLICATE, NOT_AUTHORISED, PROCESSING_FAILURE = 0x0111, 0x0124, 0x0110
STATUS_OF = {"uid_mismatch": DOES_NOT_MATCH, "duplicate_uid": DUPLICATE, "caller_refused": NOT_AUTHORISED}
LOGGED = (evt.EVT_DIMSE_RECV, evt.EVT_DIMSE_SENT, evt.EVT_PDU_RECV, evt.EVT_PDU_SENT)
"""Events that pynetdicom puts into words, message by message, whether anybody reads them or not; we let it not."""
COMMENT_CHARACTERS = 64
"""Error Comment (0000,0902) is LO."""

Door = Callable[[Offered], None]
Told = Callable[[str, str, str], None]
"""Of a refusal: code, calling title, peer."""


def status_of(error: RadiolucentError) -> int:
    """C-STORE status (PS3.4 table B.2-1, PS3.7 annex C) for an instance that was not kept."""
    if isinstance(error, PeerUnavailable):
        return OUT_OF_RESOURCES
    return STATUS_OF.get(error.code, CANNOT_UNDERSTAND if isinstance(error, InputRefused) else PROCESSING_FAILURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What the server calls: ``keep`` returns when an instance is kept, or raises; ``refused`` hears of every no.

    ``prepare`` may add further services to the application entity, whose events ``further`` handles.
    """

    keep: Door
    refused: Told
    prepare: Callable[[AE], None] = lambda _: None
    further: tuple[tuple[evt.EventType, Callable[[evt.Event], object]], ...] = ()


class _Contexts(list[PresentationContext]):
    """What we accept, always the same: every association gets it, and none needs a deep copy, which takes 50 ms."""

    def __deepcopy__(self, _memo: object) -> list[PresentationContext]:
        return [copy.copy(context) for context in self]


class _Server(AssociationServer):
    """Refuses strangers and crowds before a thread is spent on them, and never waits for a handshake.

    The thread of an association is started before the next connection is looked at, so no crowd slips through.
    """

    request_queue_size = 128
    callers: Callers
    most_connections: int

    def verify_request(self, request: object, client_address: object) -> bool:  # noqa: ARG002
        """Whether this address may connect now."""
        assert isinstance(client_address, tuple)
        busy = len(self.active_associations)
        return busy < self.most_connections and self.callers.allows_host(str(client_address[0]))

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept a connection; its TLS handshake happens on its own thread, at its first read."""
        assert self.socket is not None
        connection, address = self.socket.accept()
        connection.settimeout(self.ae.network_timeout)  # or a PDU that never ends would be waited for for ever
        if self.ssl_context is not None:
            connection = self.ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that breaks is not news; nothing of it is printed."""


class DicomServer:
    """The running door.

    Raises
    ------
    SettingsError
        ``port_in_use``.
    """

    def __init__(self, settings: Dicom, doors: Doors, callers: Callers, *, tls: ssl.SSLContext | None = None) -> None:
        self._doors, self._callers = doors, callers
        self._ae = _application_entity(settings, callers)
        doors.prepare(self._ae)
        try:
            server = self._ae.make_server(
                (settings.host, settings.port),
                evt_handlers=[
                    (evt.EVT_C_ECHO, _echo),
                    (evt.EVT_C_STORE, self._store),
                    (evt.EVT_REJECTED, self._no),
                    *doors.further,
                ],
                ssl_context=tls,
                server_class=_Server,
                request_handler=Handler,
            )
        except OSError as error:
            raise SettingsError(
                "port_in_use",
                found=f"port {settings.port}, which cannot be opened",
                expected="a free port of this machine that may be opened",
                action="Stop what uses it, or change dicom.port or dicom.host.",
            ) from error
        assert isinstance(server, _Server)
        self._ae._servers.append(server)  # type: ignore[arg-type] # as AE.start_server does; its shutdown takes it out again
        server.callers, server.most_connections = callers, 2 * settings.max_associations
        server.contexts = _Contexts(server.contexts)
        for event in LOGGED:
            bound = server.get_handlers(event)
            for handler, _ in list(bound) if isinstance(bound, list) else ():
                server.unbind(event, handler)
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="dicom-door", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is open; the settings may have said 0."""
        return int(self._server.server_address[1])

    @property
    def associations(self) -> int:
        """How many associations are open."""
        return len(self._server.active_associations)

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """Take no more; let running transfers end, for ``timeout_s`` in all, then abort what is left.

        A connection that is no association yet (which may be a TLS handshake that never ends) is cut at once.
        """
        last = time.monotonic() + timeout_s
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout_s)
        for association in self._server.active_associations:
            if association.is_established:
                association.join(max(0.0, last - time.monotonic()))
                if association.is_alive():
                    association.abort()
            else:
                _cut(association)

    def _store(self, event: evt.Event) -> Dataset | int:
        peer, title = _who(event)
        try:
            if not self._callers.allows(title, peer):
                raise _stranger()
            request, context = event.request, event.context
            assert isinstance(request, C_STORE) and request.DataSet is not None  # noqa: PT018
            self._doors.keep(
                Offered(
                    dataset=request.DataSet.getvalue(),
                    transfer_syntax_uid=str(context.transfer_syntax),
                    sender=title,
                    peer=peer,
                    sop_class_uid=str(request.AffectedSOPClassUID),
                    sop_instance_uid=str(request.AffectedSOPInstanceUID),
                )
            )
        except RadiolucentError as error:
            self._refuse(error.code, title, peer)
            return _answer(status_of(error), error.found)
        except Exception:  # noqa: BLE001  whatever it was, the sender must keep the image
            logs.event(log, "store_failed", level=logging.ERROR, error=True)
            self._refuse("internal_error", title, peer)
            return _answer(PROCESSING_FAILURE, "a defect of Radiolucent")
        return SUCCESS

    def _no(self, event: evt.Event) -> None:
        peer, title = _who(event)
        self._refuse("association_rejected", title, peer)

    def _refuse(self, code: str, title: str, peer: str) -> None:
        """Put a refusal on record; where even that fails, the sender must still get the status that is meant."""
        try:
            self._doors.refused(code, title, peer)
        except Exception:  # noqa: BLE001  what is not kept is refused, on record or not
            logs.event(log, "refusal_not_recorded", level=logging.WARNING, code=code, error=True)


def _application_entity(settings: Dicom, callers: Callers) -> AE:
    ae = AE(ae_title=settings.ae_title)
    ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    for context in AllStoragePresentationContexts:
        ae.add_supported_context(str(context.abstract_syntax), SYNTAXES)
    ae.add_supported_context(VERIFICATION, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    ae.require_called_aet = settings.require_called_ae
    titles = [title for title, _ in callers.entries]
    ae.require_calling_aet = [] if "*" in titles else titles
    ae.maximum_associations = settings.max_associations
    ae.network_timeout = settings.idle_timeout_s
    ae.acse_timeout = min(30.0, settings.idle_timeout_s)
    ae.dimse_timeout = settings.idle_timeout_s
    ae.maximum_pdu_size = 131_072
    return ae


def _cut(association: Association) -> None:
    """End a connection on which nothing was asked for yet; its thread ends when its wait for a request does."""
    association.dul.kill_dul()
    held = association.dul.socket
    if held is not None and held.socket is not None:
        with suppress(OSError):
            held.socket.shutdown(socket.SHUT_RDWR)


def _echo(_event: evt.Event) -> int:
    return SUCCESS


def _who(event: evt.Event) -> tuple[str, str]:
    requestor = event.assoc.requestor
    title = "".join(c if c.isprintable() else "?" for c in str(requestor.ae_title or ""))
    return str(requestor.address or ""), title.strip()[:16]


def _answer(status: int, comment: str) -> Dataset:
    answer = Dataset()
    answer.Status = status
    answer.ErrorComment = comment[:COMMENT_CHARACTERS]
    return answer


def _stranger() -> InputRefused:
    return InputRefused(
        "caller_refused",
        found="a calling title that may not send from its address",
        expected="a pair of title and host that dicom.callers lists",
        action="Add the caller to the settings, or have it call by its own title.",
    )
