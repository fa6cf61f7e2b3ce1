"""The demo as a served page: phantom studies, one of them with a prior, and a reader who is signed in by a link."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from radiolucent.errors import InvariantBroken
from radiolucent.phantoms.build import build_phantom
from radiolucent.phantoms.truth import Kind
from radiolucent.records.door import Offered
from radiolucent.records.person import Person
from radiolucent.settings import Settings
from radiolucent.store import work
from radiolucent.wiring.analysis import REAL_HEAD_CT
from radiolucent.wiring.running import Running

READER = Person(name="demo", display="Dr. Demo", roles=("senior", "qa", "auditor", "administrator"))
PRIOR_DAY, DAY = "20250901", "20260301"
SEEDS: dict[Kind, tuple[int, int]] = {"bone": (1, 17), "chest": (1, 0)}
"""Of the prior and the current film. Of the first 24 forearms the map of seed 17 is the plainest."""
PORT = 8080
READ_WITHIN_S = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A demo that is being served: the link signs in once, within a day, name and password until the next start."""

    link: str
    name: str
    password: str
    dicom_port: int
    studies: int


@contextmanager
def served(folder: Path, told: Callable[[str], None]) -> Iterator[Served]:
    """Serve the demo out of a data folder; a folder that was used before goes on where it was.

    Raises
    ------
    SettingsError
        Whatever of the folder or the ports cannot be done here.
    InvariantBroken
        ``demo_not_read`` where the studies are not read in time.
    """
    settings = Settings.model_validate(
        {
            "data": folder,
            "dicom": {"port": 0},
            "http": {"port": PORT if _is_free(PORT) else 0},
            "reader": {"guards": "flag", "urgent_process": False},
            "completion": {"quiet_s": 0.5},
            "storage": {"reserve_mb": 64},
            "rules": [{"name": "everything"}],
        }
    )
    with Running(settings) as running:
        for number, study in enumerate(_studies()):
            told(f"reading study {number + 1}")
            for each in study:
                running.installation.intake.keep(offered(each))
            wait_until_read(running)
        people, http, dicom = running.installation.people, running.http, running.installation.dicom
        assert http is not None  # the settings open both
        assert dicom is not None
        if all(each.name != READER.name for each in people.everybody()):
            people.add(READER, by="demo")
        password = secrets.token_urlsafe(12)
        people.enrol(people.reset(READER.name, by="demo"), name="", display="", password=password, peer="")
        link = f"http://127.0.0.1:{http.port}/#/enter/{people.entry_link(READER.name)}"
        with running.installation.journal.reading() as connection:
            count = sum(work.counts(connection).values())
        yield Served(link=link, name=READER.name, password=password, dicom_port=dicom.port, studies=count)


def _studies() -> Iterator[list[Dataset]]:
    """Earlier films first, so that what comes after can be compared with them."""
    for kind, (before, _) in SEEDS.items():
        yield _phantom(kind, seed=before, day=PRIOR_DAY)
    real = get_testdata_file(REAL_HEAD_CT, download=False)
    if real:
        yield [dcmread(str(real))]
    yield _phantom("head", seed=0, day=DAY)
    for kind, (_, now) in SEEDS.items():
        study = _phantom(kind, seed=now, day=DAY)
        if kind == "bone":
            study[0].RequestedProcedurePriority = "STAT"  # First in the list: it has a prior, and a map that shows.
        yield study


def _phantom(kind: Kind, *, seed: int, day: str) -> list[Dataset]:
    made = list(build_phantom(kind, seed=seed).datasets)
    for each in made:
        each.StudyDate = each.SeriesDate = each.ContentDate = each.AcquisitionDate = day
        each.PatientID, each.PatientName = f"QA-{kind.upper()}", f"PHANTOM^{kind.capitalize()}"
        each.AccessionNumber = f"QA-{kind.upper()}-{seed}"
    return made


def offered(dataset: Dataset) -> Offered:
    """A dataset as a door would be offered it."""
    meta = dataset.file_meta
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = meta.TransferSyntaxUID.is_implicit_VR, True
    write_dataset(out, dataset)
    return Offered(
        dataset=out.getvalue(),
        transfer_syntax_uid=str(meta.TransferSyntaxUID),
        sender="demo",
        sop_class_uid=str(dataset.SOPClassUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
    )


def wait_until_read(running: Running) -> None:
    """Until every study is where it stays.

    Raises
    ------
    InvariantBroken
        ``demo_not_read``.
    """
    deadline = time.monotonic() + READ_WITHIN_S
    while time.monotonic() < deadline:
        with running.installation.journal.reading() as connection:
            counted = work.counts(connection)
        if set(counted) <= {"done", "unrouted", "quarantined"}:
            return
        time.sleep(0.1)
    raise InvariantBroken(
        "demo_not_read",
        found="a demo study that is not read",
        expected=f"every study read within {READ_WITHIN_S:.0f} s",
        action="See `radiolucent status --data` with the demo's data folder.",
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
