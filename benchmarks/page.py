"""What a reader waits for in Chromium: from the click to the first image, and from the key to the map."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from benchmarks.tables import Table
from benchmarks.timing import spread
from radiolucent.phantoms.build import build_phantom
from radiolucent.records.person import Person
from radiolucent.settings import Settings
from radiolucent.wiring.demo import offered, wait_until_read
from radiolucent.wiring.running import Running

FRONTEND = Path(__file__).parents[1] / "frontend"
ROWS, COLUMNS = 2500, 2048
SEED = 17
"""A forearm whose map reaches the threshold of its colours (`radiolucent.wiring.demo`)."""
USER, PASSWORD = "ana", "seven green lamps"


def _film() -> Dataset:
    """The forearm phantom at the size of a large film, 12 bits in 16, uncompressed."""
    film = build_phantom("bone", seed=SEED).datasets[0]
    pixels = Image.fromarray(film.pixel_array.astype(np.int32), mode="I").resize(
        (COLUMNS, ROWS), Image.Resampling.BILINEAR
    )
    film.Rows, film.Columns = ROWS, COLUMNS
    film.PixelData = np.asarray(pixels).astype("<u2").tobytes()
    return film


def run(count: int) -> list[Table]:
    """``count`` openings of one study; the page's script measures to the next painted frame."""
    if not (FRONTEND / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=FRONTEND, check=True, capture_output=True)
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings.model_validate(
            {
                "data": Path(scratch) / "data",
                "dicom": {"enabled": False},
                "http": {"port": 0},
                "reader": {"guards": "flag", "urgent_process": False},
                "completion": {"quiet_s": 0.2},
                "rules": [{"name": "everything"}],
            }
        )
        with Running(settings) as running:
            running.installation.intake.keep(offered(_film()))
            wait_until_read(running)
            people, http = running.installation.people, running.http
            assert http is not None  # the settings open it
            link = people.add(Person(name=USER, display="Dr Ana", roles=("radiologist",)), by="benchmark")
            people.enrol(link, name="", display="", password=PASSWORD, peer="")
            asked = ["--address", f"http://127.0.0.1:{http.port}", "--user", USER, "--password", PASSWORD]
            command = ["node", "browser/timing.mjs", *asked, "--times", str(count)]
            said = subprocess.run(command, cwd=FRONTEND, check=True, capture_output=True, text=True).stdout
    times = json.loads(said.strip().splitlines()[-1])
    rows = [(name, spread(np.array(times[key]))) for name, key in (("image", "images"), ("map", "maps"))]
    return [
        Table(
            title=f"The page with a film of {COLUMNS} x {ROWS}, {count} times",
            columns=("from click or key to", "milliseconds, median (p95)"),
            rows=rows,
            notes=["Server, browser (software rendering) and script on one machine; one study, opened again."],
        )
    ]
