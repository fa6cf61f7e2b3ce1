"""TLS contexts out of settings (BCP 195: TLS 1.2 or later, forward secrecy)."""

from __future__ import annotations

import ssl

from radiolucent.errors import SettingsError
from radiolucent.settings.kinds import Tls


def door(tls: Tls | None, *, where: str) -> ssl.SSLContext | None:
    """The context of one of our doors; ``None`` where it is plain.

    Raises
    ------
    SettingsError
        ``tls_files``.
    """
    if tls is None:
        return None
    if tls.certificate is None or tls.key is None:
        raise _wrong(where, "no certificate or no key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.client_ca is not None:
            context.load_verify_locations(tls.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise _wrong(where, "files that are missing or are no certificate and key") from error
    return context


def peer(tls: Tls | None, *, where: str) -> ssl.SSLContext | None:
    """The context towards a peer, whose certificate is always checked; ``None`` where the way is plain.

    Raises
    ------
    SettingsError
        ``tls_files``.
    """
    if tls is None:
        return None
    try:
        context = ssl.create_default_context(cafile=None if tls.ca is None else str(tls.ca))
        _harden(context)
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise _wrong(where, "files that are missing or are no certificate and key") from error
    return context


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM")


def _wrong(where: str, found: str) -> SettingsError:
    return SettingsError(
        "tls_files",
        found=f"{found} for {where}",
        expected="PEM files: certificate (with its chain), key, and client_ca or ca where wanted",
        action="Mend the tls rows of the settings file.",
    )
