"""The main job before programs of others: from a file on disk to a picture rendered by a PACS."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
import tiny_engine
from dicom_factory import cr, lit, save
from peers.orthanc_server import ask
from PIL import Image

from radiolucent.engines.registry import Registry
from radiolucent.pipeline.analyze import Analyzer
from radiolucent.pipeline.options import Options, Summary

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every object of one film, by kind."""
    folder = tmp_path_factory.mktemp("job")
    tiny_engine.write(folder / "engines")
    film = save(cr(lit(400, 300, at=(300, 200), side=80)), folder / "film.dcm")
    analyzer = Analyzer(Registry([folder / "engines"]), clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    (outcome,) = analyzer.run([film], Options(out=folder / "out"), Summary())
    found = {p.stem.split("-")[0]: p for p in (folder / "out" / outcome.folder / "dicom").iterdir()}
    assert set(found) == {"sr", "sc", "pm", "seg", "gsps"}
    return {"film": film, **found}


def test_the_validator_finds_no_error(objects: dict[str, Path]) -> None:
    validator = Path(sys.executable).with_name("dciodvfy")
    for kind, path in objects.items():
        told = subprocess.run([validator, path], capture_output=True, text=True, check=False)
        errors = [line for line in (told.stdout + told.stderr).splitlines() if line.startswith("Error")]
        assert errors == [] or kind == "film", (kind, errors)


def test_dcmtk_sends_them_and_orthanc_keeps_them_in_the_patients_study(
    objects: dict[str, Path], orthanc: tuple[str, int]
) -> None:
    address, port = orthanc
    command = ["storescu", "-q", "-aec", "ORTHANC", "-R", "127.0.0.1", str(port), *map(str, objects.values())]
    sent = subprocess.run(command, capture_output=True, check=False)
    assert sent.returncode == 0, sent.stderr
    study = str(pydicom.dcmread(objects["film"], stop_before_pixels=True).StudyInstanceUID)
    (found,) = json.loads(ask(f"{address}/tools/lookup", study.encode()))
    series = json.loads(ask(f"{address}/studies/{found['ID']}"))["Series"]
    assert len(series) == len(objects)


def test_orthanc_renders_the_map_where_the_finding_is(objects: dict[str, Path], orthanc: tuple[str, int]) -> None:
    address, _ = orthanc
    stored = json.loads(ask(f"{address}/instances", objects["sc"].read_bytes()))["ID"]
    picture = np.asarray(Image.open(io.BytesIO(ask(f"{address}/instances/{stored}/rendered"))).convert("RGB")).astype(
        int
    )
    colourful = np.ptp(picture, axis=2)
    ds = pydicom.dcmread(objects["sc"])
    assert picture.shape == (ds.Rows, ds.Columns, 3)
    colourful = np.ptp(picture[40:420], axis=2)
    strong = np.argwhere(colourful > 0.7 * colourful.max())
    assert len(strong) > 500
    assert strong[:, 0].min() > 200
    assert strong[:, 1].min() > 150
