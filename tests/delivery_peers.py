"""Peers for tests of sending: real storage SCPs that behave as told, files to send, and certificates of the day."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt

from radiolucent.records.destination import DimsePeer

SC = "1.2.840.10008.5.1.4.1.1.7"
CR = "1.2.840.10008.5.1.4.1.1.1"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
ROOT = "1.2.826.0.1.3680043.8.498.77"
STUDY, SERIES = f"{ROOT}.1", f"{ROOT}.2"


def dataset(number: int, *, sop_class: str = SC, side: int = 16) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = sop_class, f"{ROOT}.3.{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID = STUDY, SERIES
    made.PatientName, made.PatientID, made.PatientBirthDate, made.PatientSex = "Phantom^Pat", "PHANTOM-9", "", ""
    made.StudyDate, made.StudyTime, made.StudyID, made.AccessionNumber = "20260314", "101112", "", "ACC9"
    made.ReferringPhysicianName, made.Modality, made.ConversionType = "", "OT", "WSD"
    made.SeriesNumber, made.InstanceNumber = 1, number
    made.Rows = made.Columns = side
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.PixelData = np.full((side, side), number % 251, np.uint8).tobytes()
    return made


def write(folder: Path, count: int, **options: object) -> list[Path]:
    """So many files; their instances are numbered from 1."""
    paths = []
    for number in range(1, count + 1):
        paths.append(folder / f"{number}.dcm")
        dataset(number, **options).save_as(paths[-1], enforce_file_format=True)
    return paths


def uid(number: int) -> str:
    return f"{ROOT}.3.{number}"


@dataclass
class Storage:
    """A storage SCP; ``statuses`` are given in turn, then success."""

    statuses: list[int] = field(default_factory=list)
    before: Callable[[evt.Event], None] | None = None
    received: list[str] = field(default_factory=list)
    datasets: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    associations: int = 0
    port: int = 0

    def count(self, event: evt.Event) -> None:
        self.associations += 1

    def store(self, event: evt.Event) -> int:
        instance = str(event.request.AffectedSOPInstanceUID)
        if self.before is not None:
            self.before(event)
        self.received.append(instance)
        status = self.statuses.pop(0) if self.statuses else 0
        if status >> 12 in (0, 0xB):
            self.datasets[instance] = (event.request.DataSet.getvalue(), str(event.context.transfer_syntax))
        return status

    def peer(self, **options: object) -> DimsePeer:
        settings = {"called_ae_title": "PACS", "acse_timeout_s": 5.0, "dimse_timeout_s": 20.0}
        return DimsePeer(host="127.0.0.1", port=self.port, **(settings | options))


@contextmanager
def serving(
    storage: Storage,
    *,
    classes: Sequence[str] = (SC, CR),
    syntaxes: Sequence[str] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
    tls: ssl.SSLContext | None = None,
    handlers: Sequence[object] = (),
    **attributes: object,
) -> Iterator[Storage]:
    ae = AE(ae_title="PACS")
    for each in classes:
        ae.add_supported_context(each, list(syntaxes))
    for name, value in attributes.items():
        setattr(ae, name, value)
    server = ae.start_server(
        ("127.0.0.1", 0),
        block=False,
        ssl_context=tls,
        evt_handlers=[(evt.EVT_C_STORE, storage.store), (evt.EVT_ACCEPTED, storage.count), *handlers],
    )
    storage.port = server.server_address[1]
    try:
        yield storage
    finally:
        server.shutdown()


@contextmanager
def gate() -> Iterator[threading.Event]:
    """An event that is set when the block ends, so that nobody waits for ever."""
    event = threading.Event()
    try:
        yield event
    finally:
        event.set()


@dataclass(frozen=True)
class Certificates:
    """PEM files of an authority and of one server and one client that it vouches for."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    def door(self, *, wants_client: bool = True) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server, self.server_key)
        if wants_client:
            context.load_verify_locations(self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def caller(self, *, shows_certificate: bool = True, trusts: bool = True) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca) if trusts else None)
        if shows_certificate:
            context.load_cert_chain(self.client, self.client_key)
        return context


def certificates(folder: Path) -> Certificates:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("authority", ca_key, "authority", ca_key, is_authority=True)
    made = {"ca": _pem(folder / "ca.pem", ca)}
    for name, usage in (("server", ExtendedKeyUsageOID.SERVER_AUTH), ("client", ExtendedKeyUsageOID.CLIENT_AUTH)):
        key = ec.generate_private_key(ec.SECP256R1())
        made[name] = _pem(folder / f"{name}.pem", _certificate(name, key, "authority", ca_key, usage=usage))
        made[f"{name}_key"] = folder / f"{name}.key"
        made[f"{name}_key"].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return Certificates(**made)


def _pem(path: Path, certificate: x509.Certificate) -> Path:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


def _certificate(name, key, issuer, issuer_key, *, is_authority=False, usage=None):
    now = datetime.datetime.now(datetime.UTC)
    public = issuer_key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    if is_authority:
        signs = {"key_cert_sign": True, "crl_sign": True}
        others = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")
        others += ("key_agreement", "encipher_only", "decipher_only")
        builder = builder.add_extension(x509.KeyUsage(**signs, **dict.fromkeys(others, False)), critical=True)
    else:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
