"""The HTTP and HL7 doors of an installation."""

from __future__ import annotations

import logging
import socket
import threading

import uvicorn

from radiolucent.errors import SettingsError
from radiolucent.ingest.callers import Callers, networks_of
from radiolucent.ingest.hl7_header import ReadingOptions
from radiolucent.ingest.mllp_server import MllpDoor, MllpServer
from radiolucent.logs import event
from radiolucent.pipeline.break_glass import BreakGlass
from radiolucent.pipeline.machines import Machines
from radiolucent.pipeline.orders import Orders
from radiolucent.pipeline.second_factor import SecondFactor
from radiolucent.settings import Http, Mllp
from radiolucent.web.access import read_tokens
from radiolucent.web.api.ports import Access
from radiolucent.web.app import http_app
from radiolucent.web.dicomweb.limits import WebLimits
from radiolucent.wiring import tls
from radiolucent.wiring.accounts import federated_of
from radiolucent.wiring.archive import StoredArchive, WebReceiver
from radiolucent.wiring.desks import desks
from radiolucent.wiring.operations import RunningOperations
from radiolucent.wiring.serving import MEGABYTE, Installation, clock

log = logging.getLogger(__name__)


class HttpDoor:
    """The HTTP server on a thread of its own.

    Raises
    ------
    SettingsError
        ``port_in_use``, ``tls_files``, ``tokens_file``.
    """

    def __init__(self, installation: Installation) -> None:
        http = installation.settings.http
        tls.door(http.tls, where="http")  # whatever is wrong with the files is told now
        limits = WebLimits(max_part_bytes=installation.settings.dicom.max_instance_mb * MEGABYTE)
        app = http_app(
            RunningOperations(installation),
            StoredArchive(installation.journal, installation.blobs),
            WebReceiver(installation.intake),
            access=Access(
                people=installation.people,
                factor=SecondFactor(installation.journal),
                glass=BreakGlass(installation.journal, installation.meters),
                machines=Machines(installation.journal),
                oidc=federated_of(installation.settings, installation.journal, installation.people),
            ),
            lets_anonymous=http.is_local or http.allow_anonymous,
            desks=desks(installation),
            tokens=None if http.tokens is None else read_tokens(http.tokens),
            limits=limits,
            public_url=http.public_url,
            cors_origins=http.cors_origins,
        )
        self._socket = _bind(http)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=10,
            ssl_certfile=None if http.tls is None else str(http.tls.certificate),
            ssl_keyfile=None if http.tls is None else str(http.tls.key),
            ssl_ca_certs=None if http.tls is None or http.tls.client_ca is None else str(http.tls.client_ca),
            ssl_cert_reqs=2 if http.tls is not None and http.tls.client_ca is not None else 0,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="http-door", daemon=True
        )
        self._thread.start()
        event(log, "http_open", port=self.port)

    @property
    def port(self) -> int:
        """The port that is open."""
        return int(self._socket.getsockname()[1])

    def stop(self, *, timeout_s: float = 12.0) -> None:
        """Take no more, let running answers end."""
        self._server.should_exit = True
        self._thread.join(timeout_s)
        self._socket.close()


def _bind(http: Http) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
        made = socket.socket(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((http.host, http.port))
        made.listen(128)
    except OSError as error:
        raise SettingsError(
            "port_in_use",
            found=f"port {http.port}, which cannot be opened",
            expected="a free port of this machine that may be opened",
            action="Stop what uses it, or change http.port or http.host.",
        ) from error
    return made


def hl7_door(settings: Mllp, orders: Orders) -> MllpServer:
    """The HL7 door.

    Raises
    ------
    SettingsError
        ``port_in_use``, ``tls_files``, ``caller_host``.
    """
    allowed = Callers(tuple(("*", networks_of(host)) for host in settings.allowed_hosts))
    door = MllpDoor(
        host=settings.host,
        port=settings.port,
        allows=allowed.allows_host,
        max_connections=settings.max_connections,
        idle_timeout_s=settings.idle_timeout_s,
        reading=ReadingOptions(
            default_character_set=settings.character_set,
            processing_ids=settings.processing_ids,
            authority=settings.authority,
        ),
        tls=tls.door(settings.tls, where="mllp"),
    )
    server = MllpServer(door, orders.take, told=orders.refuse, clock=clock)
    event(log, "hl7_open", port=server.port)
    return server
