"""The signing key: made once, private, never overwritten."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from radiolucent.audit.key import open_key, read_public_keys
from radiolucent.errors import SettingsError


def test_a_key_is_made_on_first_use_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "audit.key"
    first = open_key(path)
    content = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    again = open_key(path)
    assert (again.id, again.public_pem) == (first.id, first.public_pem)
    assert path.read_bytes() == content
    assert [p.name for p in path.parent.iterdir()] == ["audit.key"]


def test_processes_that_start_together_share_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: open_key(tmp_path / "audit.key").id, range(32)))
    assert len(ids) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["audit.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    open_key(tmp_path / "audit.key")
    (tmp_path / "audit.key").chmod(mode)
    with pytest.raises(SettingsError, match="audit_key"):
        open_key(tmp_path / "audit.key")


def test_what_is_no_such_key_is_refused_and_left_alone(tmp_path: Path) -> None:
    mine = open_key(tmp_path / "mine")
    other = ec.generate_private_key(ec.SECP256R1())
    ed25519 = load_pem_private_key((tmp_path / "mine").read_bytes(), None)
    contents = [
        b"",
        b"no key",
        mine.public_pem.encode(),
        other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        ed25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")),
    ]
    for number, content in enumerate(contents):
        path = tmp_path / f"key-{number}"
        path.touch(0o600)
        path.write_bytes(content)
        with pytest.raises(SettingsError) as raised:
            open_key(path)
        assert raised.value.code == "audit_key"
        assert path.read_bytes() == content
    with pytest.raises(SettingsError, match="audit_key"):
        open_key(tmp_path / "mine" / "below-a-file")


def test_openssl_reads_what_we_write(tmp_path: Path) -> None:
    key = open_key(tmp_path / "audit.key")
    (tmp_path / "message").write_bytes(b"what happened")
    (tmp_path / "signature").write_bytes(key.sign(b"what happened"))
    (tmp_path / "public.pem").write_text(key.public_pem)
    command = "openssl pkeyutl -verify -rawin -pubin -inkey public.pem -in message -sigfile signature"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)


def test_public_keys_of_one_file(tmp_path: Path) -> None:
    one, two = open_key(tmp_path / "one"), open_key(tmp_path / "two")
    (tmp_path / "both.pem").write_text("Since January:\n" + one.public_pem + "Since March:\n" + two.public_pem)
    assert set(read_public_keys(tmp_path / "both.pem")) == {one.id, two.id}


@pytest.mark.parametrize("content", [None, b"", b"text", b"-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----"])
def test_a_file_without_a_public_key(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "public.pem").write_bytes(content)
    with pytest.raises(SettingsError) as raised:
        read_public_keys(tmp_path / "public.pem")
    assert raised.value.code == "audit_public_key"


def test_the_private_key_is_no_public_key(tmp_path: Path) -> None:
    open_key(tmp_path / "audit.key")
    with pytest.raises(SettingsError, match="audit_public_key"):
        read_public_keys(tmp_path / "audit.key")
