"""Observations on disk: one file for every 256 images, each whole or not there, and read back as columns.

The name of the folder is a digest of the engine and of the images, so a run that was stopped goes on where it was,
and a run on other images never mixes with it. Labels are not kept: they are joined when figures are made.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.truth import Case
from radiolucent.cohort.validation.observing import GRID, MARGIN, REACH, Observation, Refused
from radiolucent.deliver.folder import write_bytes
from radiolucent.records.engine import EngineSpec

SHARD = 256
FORMAT = "radiolucent.observations/2"
Scalars = NDArray[np.float64]
HALVED = ("maps", "body", "embedding")
"""Kept in half precision."""
LARGE = ("maps", "body", "embedding")
"""Read from disk only where they are needed."""
ARRAYS = (
    *("novelty", "brightness", "corners", "age_years", "has_frame", "logits", "chances", "words"),
    *("shares", "margins", "on_markers", "evidence", "peaks", *LARGE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A cohort as columns, images that were read only; ``maps`` and embeddings stay on disk (`large`).

    Parameters
    ----------
    cases
        ``N`` cases, with the truth that was joined.
    groups
        ``[N]`` patient; an image whose patient nobody knows is one of its own.
    patients_known
        Number of images whose patient is known.
    refused
        Number of refused images by code.
    twice
        Names of images whose content stands here twice; the first is kept. ``two_patients`` are those among them that
        the table gives to two patients.
    arrays
        Columns of `Observation` by name.
    """

    folder: Path
    cases: tuple[Case, ...]
    groups: NDArray[np.str_]
    patients_known: int
    strata: tuple[Mapping[str, str], ...]
    flags: tuple[tuple[str, ...], ...]
    refused: Mapping[str, int]
    twice: tuple[tuple[str, str], ...]
    two_patients: tuple[tuple[str, str], ...]
    arrays: Mapping[str, NDArray[np.float64]]
    places: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.groups)

    def labels(self, key: str) -> Scalars:
        """``[N]`` truth of a finding: 1, 0 or ``nan``."""
        return np.array([case.labels.get(key, np.nan) for case in self.cases], dtype=np.float64)

    def large(self, name: str, at: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Maps or embeddings of the images ``at``, a file at a time: ``(positions in at, values)``."""
        wanted = self.places[at]
        for shard in np.unique(wanted[:, 0]):
            here = np.flatnonzero(wanted[:, 0] == shard)
            with np.load(path_of(self.folder, int(shard)), allow_pickle=False) as archive:
                yield here, archive[name][wanted[here, 1]].astype(np.float32)


def folder_of(out: Path, cases: Sequence[Case], spec: EngineSpec) -> Path:
    """Where observations of these images by this engine belong."""
    digest = hashlib.sha256(f"{FORMAT}|{spec.id}|{spec.version}|{spec.sha256}|{GRID}|{REACH}|{MARGIN}".encode())
    for case in cases:
        for path in (case.image, case.second):
            said = None if path is None else (str(path), path.stat().st_size, path.stat().st_mtime_ns)
            digest.update(repr((case.row, case.group, said, sorted(case.subgroups.items()), case.source)).encode())
    calibration = [(f.key, f.calibration, f.threshold) for f in spec.findings]
    digest.update(repr(calibration).encode())
    return out / "observations" / digest.hexdigest()[:16]


def path_of(folder: Path, shard: int) -> Path:
    """The file of a shard."""
    return folder / f"{shard:06d}.npz"


def write_shard(folder: Path, shard: int, content: bytes) -> None:
    """Write one shard (`pack`), whole."""
    write_bytes(path_of(folder, shard), content)


def pack(made: Sequence[Observation | Refused]) -> bytes:
    """The content of one shard's file."""
    read = [one for one in made if isinstance(one, Observation)]
    said = [
        {"row": o.row, "group": o.group, "sha256": o.sha256, "strata": dict(o.strata), "flags": list(o.flags)}
        if isinstance(o, Observation)
        else {"row": o.row, "code": o.code}
        for o in made
    ]
    buffer = io.BytesIO()
    columns = {name: np.array([getattr(o, name) for o in read]) for name in ARRAYS} if read else {}
    for name in HALVED:
        if name in columns:
            columns[name] = columns[name].astype(np.float16)
    text = np.frombuffer(json.dumps(said).encode("utf-8"), dtype=np.uint8)
    np.savez_compressed(buffer, allow_pickle=False, said=text, **columns)
    return buffer.getvalue()


def read_columns(folder: Path, cases: Sequence[Case] = ()) -> Observed:
    """All shards of a cohort as columns; ``cases`` carry the truth and names, without them there is none."""
    by_row = {case.row: case for case in cases}
    parts: dict[str, list[Scalars]] = {name: [] for name in ARRAYS if name not in LARGE}
    said: list[dict[str, Any]] = []
    places: list[tuple[int, int]] = []
    refused: Counter[str] = Counter()
    for shard in range(len(list(folder.glob("*.npz")))):
        with np.load(path_of(folder, shard), allow_pickle=False) as archive:
            rows = json.loads(archive["said"].tobytes())
            read = [row for row in rows if "code" not in row]
            refused.update(row["code"] for row in rows if "code" in row)
            said += read
            places += [(shard, i) for i in range(len(read))]
            for name, kept in parts.items():
                if read:
                    kept.append(archive[name].astype(np.float64))
    keep, twice, two_patients = _first_ones(said, by_row)
    arrays = {name: np.concatenate(kept)[keep] if kept else np.zeros(0) for name, kept in parts.items()}
    rows = [said[i] for i in keep]
    return Observed(
        folder=folder,
        cases=tuple(by_row[row["row"]] for row in rows if by_row),
        groups=np.array([row["group"] or f"image {row['row']}" for row in rows], dtype=np.str_),
        patients_known=sum(bool(row["group"]) for row in rows),
        strata=tuple(row["strata"] for row in rows),
        flags=tuple(tuple(row["flags"]) for row in rows),
        refused=dict(refused),
        twice=twice,
        two_patients=two_patients,
        arrays=arrays,
        places=np.array(places, dtype=np.intp).reshape(-1, 2)[keep],
    )


def _first_ones(
    said: Sequence[Mapping[str, Any]], by_row: Mapping[int, Case]
) -> tuple[NDArray[np.intp], tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Positions without the second of two images of one content, names of both, and of those of two patients."""
    first: dict[tuple[str, Path | None], int] = {}
    keep: list[int] = []
    twice: list[tuple[str, str]] = []
    patients: list[tuple[str, str]] = []
    for i, row in enumerate(said):
        case = by_row.get(row["row"])
        other = first.setdefault((row["sha256"], None if case is None else case.second), i)
        if other == i:
            keep.append(i)
        elif case is not None:
            twice.append((by_row[said[other]["row"]].image.name, case.image.name))
            if row["group"] != said[other]["group"]:
                patients.append(twice[-1])
    return np.array(keep, dtype=np.intp), tuple(twice), tuple(patients)
