"""An association with a peer, opened and ended properly, with every kind of no told apart."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence

from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE, SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation, AssociationSocket

from radiolucent.errors import PeerRefused, PeerUnavailable
from radiolucent.records.destination import DimsePeer
from radiolucent.standards import dimse_refusals
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_REJECTED = (1, 2)


@contextlib.contextmanager
def opened(
    peer: DimsePeer,
    contexts: Sequence[PresentationContext],
    *,
    handlers: Sequence[evt.EventHandlerType] = (),
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
) -> Iterator[Association]:
    """An established association; released when the block ends, whichever way.

    Raises
    ------
    PeerUnavailable
        ``peer_unreachable``, ``peer_no_answer``, ``association_busy``.
    PeerRefused
        ``association_refused``, ``no_presentation_context``.
    """
    connected: list[bool] = []
    application = _application(peer)
    try:
        association = application.associate(
            peer.host,
            peer.port,
            contexts=list(contexts),
            ae_title=peer.called_ae_title,
            max_pdu=peer.max_pdu_bytes,
            ext_neg=list(roles),
            tls_args=None if peer.tls is None else (peer.tls, peer.host),
            evt_handlers=[(evt.EVT_CONN_OPEN, _tune, [connected, peer.network_timeout_s]), *handlers],
        )
    except OSError as error:  # a name that does not resolve, a port that cannot be bound
        raise dimse_refusals.unreachable(by_tls=peer.tls is not None) from error
    if not association.is_established:
        raise _why_not(association, contexts, connected=bool(connected), by_tls=peer.tls is not None)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


class _Line(AssociationSocket):
    """A connection that is closed even where the peer has ended it already: pynetdicom alone would leave it open."""

    def _shutdown_socket(self) -> None:
        line = self.socket
        super()._shutdown_socket()
        if line is not None:
            line.close()


class _Application(AE):
    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[ssl.SSLContext, str] | None
    ) -> AssociationSocket:
        line = _Line(assoc, address=address)
        line.tls_args = tls_args
        return line


def _application(peer: DimsePeer) -> AE:
    application = _Application(ae_title=peer.calling_ae_title)
    application.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    application.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    application.connection_timeout = peer.connect_timeout_s
    application.acse_timeout = peer.acse_timeout_s
    application.dimse_timeout = peer.dimse_timeout_s
    application.network_timeout = peer.network_timeout_s
    return application


def _tune(event: evt.Event, connected: list[bool], network_timeout_s: float) -> None:
    """Give up on a peer that stops reading (pynetdicom would wait without end), and send small PDUs at once."""
    connected.append(True)
    transport = event.assoc.dul.socket
    line = None if transport is None else transport.socket
    if line is not None:
        line.settimeout(network_timeout_s)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _why_not(
    association: Association, contexts: Sequence[PresentationContext], *, connected: bool, by_tls: bool
) -> PeerUnavailable | PeerRefused:
    answer = association.acceptor.primitive
    if isinstance(answer, A_ASSOCIATE) and answer.result in _REJECTED:
        return dimse_refusals.association_rejected(
            int(answer.result), int(answer.result_source or 0), int(answer.diagnostic or 0)
        )
    if isinstance(answer, A_ASSOCIATE) and answer.result == 0:
        names = sorted({_words(context) for context in contexts})
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return dimse_refusals.no_context(wanted="; ".join(names[:3]) + more)
    if not connected:
        return dimse_refusals.unreachable(by_tls=by_tls)
    return dimse_refusals.no_answer(
        during="the association request" + (" (it may not trust our certificate)" if by_tls else "")
    )


def _words(context: PresentationContext) -> str:
    syntaxes = " or ".join(UID(str(syntax)).name for syntax in context.transfer_syntax)
    return f"{UID(str(context.abstract_syntax)).name} in {syntaxes}"
