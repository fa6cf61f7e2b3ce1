"""The Ed25519 key (RFC 8032) that signs checkpoints, and its public half."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from radiolucent.errors import SettingsError

PublicKeys = Mapping[str, Ed25519PublicKey]
"""Public keys by `key_id`."""
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


def key_id(public: Ed25519PublicKey) -> str:
    """Name of a key: the first 16 hexadecimal digits of the SHA-256 of its SubjectPublicKeyInfo (DER)."""
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()[:16]


class SigningKey:
    """A private key in a file of its own (PKCS #8 PEM, not encrypted, mode 0600)."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key()
        self.id = key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, 64 bytes."""
        return self._private.sign(message)

    @property
    def public_pem(self) -> str:
        """The public half, for whoever verifies."""
        return self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def open_key(path: Path) -> SigningKey:
    """The key in a file; a new one where there is no file. An existing file is never written to.

    Raises
    ------
    SettingsError
        ``audit_key`` where the file is no such key, can be read by others, or cannot be read or made.
    """
    try:
        if not path.exists():
            _create(path)
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as error:
        raise _wrong_key(f"a key file that cannot be read or made ({error.strerror})") from error
    if mode & 0o077:
        raise _wrong_key("a key file that others on this machine may read or write")
    try:
        private = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _wrong_key("a key file that is no unencrypted private key in PEM") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise _wrong_key("a private key of another kind")
    return SigningKey(private)


def _create(path: Path) -> None:
    """A new key, whole on disk before it has its name. A file that another process made meanwhile is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    handle, temporary = tempfile.mkstemp(prefix=".partial-", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
        sync_folder(path.parent)
    finally:
        Path(temporary).unlink()


def sync_folder(folder: Path) -> None:
    """Make names that were added to a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_public_keys(path: Path) -> PublicKeys:
    """The public keys of a PEM file: more than one after a change of keys.

    Raises
    ------
    SettingsError
        ``audit_public_key`` where the file cannot be read or holds no Ed25519 public key.
    """
    keys: dict[str, Ed25519PublicKey] = {}
    try:
        for block in _PEM.findall(path.read_bytes()):
            public = load_pem_public_key(block)
            if isinstance(public, Ed25519PublicKey):
                keys[key_id(public)] = public
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise _wrong_public_key(f"a file that cannot be read as PEM ({type(error).__name__})") from error
    if not keys:
        raise _wrong_public_key("a file without an Ed25519 public key")
    return keys


def _wrong_key(found: str) -> SettingsError:
    return SettingsError(
        "audit_key",
        found=found,
        expected="an Ed25519 private key in PEM (PKCS #8) with mode 0600, or no file yet",
        action="Restore the key from its backup, or move the file away: then a new key and checkpoint file begin.",
    )


def _wrong_public_key(found: str) -> SettingsError:
    return SettingsError(
        "audit_public_key",
        found=found,
        expected="the PEM file of the public key that belongs to the checkpoints",
        action="Give the public key that was exported when the checkpoint file began.",
    )
