"""The curated public images as samples: labels, groups, boxes and masks, split by group.

Each reader returns `Sample` records; nothing here decides what is trained. Blank labels are unknown (``nan``).
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radiolucent.prepare.intensity import stretch
from radiolucent.prepare.resample import fit_geometry, resample
from training.config import Channel, Config

MASK_CELL = 4
ADULT_YEARS = 18
SPLITS = (("train", 0.68), ("val", 0.12), ("test", 0.20))


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One image: files of its channels, labels by source column, where findings are, and its group."""

    name: str
    group: str
    source: str
    channels: tuple[Path | None, ...]
    labels: dict[str, float]
    boxes: dict[str, list[tuple[float, float, float, float]]] = field(default_factory=dict)
    masks: dict[str, Path] = field(default_factory=dict)
    regions: dict[str, Path] = field(default_factory=dict)
    subgroup: dict[str, str] = field(default_factory=dict)


def rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV."""
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def number(text: str | None) -> float:
    """A cell as a number; ``nan`` for a blank one."""
    return float(text) if text not in (None, "") else float("nan")


def _boxes(path: Path) -> dict[str, dict[str, list[tuple[float, float, float, float]]]]:
    found: dict[str, dict[str, list[tuple[float, float, float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows(path):
        box = (float(row["x"]), float(row["y"]), float(row["w"]), float(row["h"]))
        found[Path(row["file"]).name][row["finding"]].append(box)
    return found


CHEST_LABELS = [
    *("Atelectasis", "Consolidation", "Infiltration", "Pneumothorax", "Edema", "Emphysema", "Fibrosis"),
    *("Effusion", "Pneumonia", "Pleural_Thickening", "Cardiomegaly", "Nodule", "Mass", "Hernia"),
]


REGION_MASKS = ("Lungs", "Right_Lung", "Left_Lung", "Cardiomediastinum")


def _chest_masks(folder: Path) -> tuple[dict[str, Path], dict[str, dict[str, Path]]]:
    """Pneumothorax masks by film, and region masks by film and name."""
    findings: dict[str, Path] = {}
    regions: dict[str, dict[str, Path]] = defaultdict(dict)
    for row in rows(folder / "masks.csv"):
        path = folder / "masks" / row["mask"]
        if row["what"] == "Pneumothorax":
            findings[row["file"]] = path
        elif row["what"] in REGION_MASKS:
            regions[row["file"]][row["what"]] = path
    return findings, regions


def chest_anatomy(root: Path) -> list[Sample]:
    """Frontal films of the COVID collection that have drawn regions: for the regions alone, without any label."""
    folder = root / "chest"
    _, regions = _chest_masks(folder)
    return [
        Sample(
            name=row["file"],
            group=row["split_group"],
            source="regions",
            channels=(folder / "images" / row["file"],),
            labels={},
            regions=regions[row["file"]],
        )
        for row in rows(folder / "labels.csv")
        if row["file"] in regions and row["view"] != "LATERAL"
    ]


def chest(root: Path) -> list[Sample]:
    """Adult frontal films of NIH and SIIM; the COVID family and the children stay out (see the card).

    RSNA drew boxes of opacities suspicious for pneumonia: on a film that the NIH labels call pneumonia they are its
    place.
    """
    folder = root / "chest"
    boxes = _boxes(folder / "boxes.csv")
    masks, regions = _chest_masks(folder)
    samples = []
    for row in rows(folder / "labels.csv"):
        source = row["source_dataset"]
        if not source.startswith(("NIH", "SIIM")) or row["view"] == "LATERAL" or number(row["age"]) < ADULT_YEARS:
            continue
        labels = {name: number(row[name]) for name in CHEST_LABELS}
        labels |= {name: number(row[name]) for name in ("Lung_Opacity", "Fracture")}
        where = {k: list(v) for k, v in boxes.get(row["file"], {}).items()}
        either = where.pop("Nodule_or_Mass", [])
        for name in ("Nodule", "Mass"):
            if labels[name] == 1 and either:
                where[name] = where.get(name, []) + either
        if labels["Pneumonia"] == 1 and "Pneumonia" not in where and "Lung_Opacity" in where:
            where["Pneumonia"] = where["Lung_Opacity"]
        file = row["file"]
        samples.append(
            Sample(
                name=file,
                group=row["split_group"],
                source="SIIM" if source.startswith("SIIM") else "NIH",
                channels=(folder / "images" / file,),
                labels=labels,
                boxes=where,
                masks={"Pneumothorax": masks[file]} if file in masks else {},
                regions=regions.get(file, {}),
                subgroup={"sex": row["sex"], "view": row["view"]},
            )
        )
    return samples


def chest_texture(root: Path, *, excluded_patients: set[str]) -> list[Sample]:
    """Lung-only films for pretraining, without any patient of another split and without unknown patients."""
    folder = root / "chest" / "extras"
    boxes = _boxes(folder / "lungs_only_boxes.csv")
    samples = []
    for row in rows(folder / "lungs_only_labels.csv"):
        if not row["patient_id"] or row["patient_id"] in excluded_patients:
            continue
        labels = {name: number(row[name]) for name in CHEST_LABELS}
        labels["Lung_Opacity"] = number(row["rsna_target"])
        file = row["file"]
        where = {k: list(v) for k, v in boxes.get(file, {}).items()}
        if labels["Pneumonia"] == 1 and "Lung_Opacity" in where:
            where["Pneumonia"] = where["Lung_Opacity"]
        samples.append(
            Sample(
                name=file,
                group=row["patient_id"],
                source="lungs_only",
                channels=(folder / "lungs_only" / file,),
                labels=labels,
                boxes=where,
            )
        )
    return samples


def chest_patients(root: Path, files: set[str]) -> set[str]:
    """Patient identifiers (as the public collection gives them) of named films."""
    return {r["patient_id"] for r in rows(root / "chest" / "labels.csv") if r["file"] in files}


def brain_mri(root: Path) -> list[Sample]:
    """Slices with tumor yes/no and type; the mask of a tumor serves the tumor and its type."""
    folder = root / "brain_mri"
    boxes = _boxes(folder / "boxes.csv")
    samples = []
    for row in rows(folder / "labels.csv"):
        labels = {name: number(row[name]) for name in ("tumor", "glioma", "meningioma", "pituitary")}
        file = Path(row["file"]).name
        positive = [name for name, value in labels.items() if value == 1]
        every = [box for group in boxes.get(file, {}).values() for box in group]
        samples.append(
            Sample(
                name=file,
                group=row["split_group"],
                source=row["source_dataset"].split()[0],
                channels=(folder / row["file"],),
                labels=labels,
                boxes={name: every for name in positive if every},
                masks={name: folder / row["mask"] for name in positive if row["mask"]},
                subgroup={"plane": row["plane"], "sequence": row["sequence"]},
            )
        )
    return samples


HEAD_LABELS = [
    *("any_hemorrhage", "epidural", "subdural", "subarachnoid", "intraventricular", "intraparenchymal"),
    "skull_fracture",
]


def head_ct(root: Path) -> list[Sample]:
    """Axial slices: brain window and, where there is one, bone window."""
    folder = root / "head_ct"
    samples = []
    for row in rows(folder / "labels.csv"):
        if row["source_dataset"].startswith("RSNA"):
            continue
        samples.append(
            Sample(
                name=Path(row["file"]).name,
                group=row["split_group"],
                source=row["source_dataset"].split()[0],
                channels=(folder / row["file"], folder / row["bone_file"] if row["bone_file"] else None),
                labels={name: number(row[name]) for name in HEAD_LABELS},
                subgroup={"sex": row["sex"]},
            )
        )
    return samples


def bone(root: Path) -> list[Sample]:
    """Limb, hip and shoulder films with expert fracture labels, polygons and boxes."""
    folder = root / "bone"
    boxes = _boxes(folder / "boxes.csv")
    samples = []
    for row in rows(folder / "labels.csv"):
        file = row["file"]
        mask = folder / "masks" / (Path(file).stem + ".png")
        fractured = row["fracture"] == "1"
        samples.append(
            Sample(
                name=file,
                group=row["split_group"],
                source=row["source_dataset"],
                channels=(folder / "images" / file,),
                labels={"fracture": number(row["fracture"])},
                boxes={k: list(v) for k, v in boxes.get(file, {}).items()},
                masks={"fracture": mask} if fractured and mask.exists() else {},
                subgroup={"hardware": row["hardware"], "region": row["region"], "view": row["view"]},
            )
        )
    return samples


def guard_pictures(root: Path, kind: str, *, domain: str) -> list[tuple[Path, str]]:
    """Pictures that a guard must know, each with its part (``train`` or ``val``), by group.

    ``lateral`` and ``child``: chest films; ``other``: the other domains' images; ``hardware``: limb films with metal.
    """
    folder = root / "chest" / "images"
    if kind == "other":
        pictures = [
            (r, s) for name, reader in READERS.items() if name != domain for s in reader(root) for r in s.channels[:1]
        ]
        named = [(path, sample.group) for path, sample in pictures if path is not None]
    elif kind == "hardware":
        named = [(s.channels[0], s.group) for s in bone(root) if s.subgroup["hardware"] == "1" and s.channels[0]]
    else:
        wanted = {
            "lateral": lambda r: r["view"] == "LATERAL",
            "child": lambda r: r["source_dataset"].startswith("Kermany"),
        }
        named = [(folder / r["file"], r["split_group"]) for r in rows(root / "chest" / "labels.csv") if wanted[kind](r)]
    return [(path, "val" if hashlib.sha256(group.encode()).digest()[0] % 3 == 0 else "train") for path, group in named]


READERS = {"chest": chest, "brain_mri": brain_mri, "head_ct": head_ct, "bone": bone}


def split_of(samples: list[Sample]) -> dict[str, str]:
    """Assign every group to train, val or test: within strata of the rarest label a group carries, by hash.

    SIIM films stay in training: their patients cannot be told from NIH's.
    """
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.group].append(sample)
    carriers: dict[str, int] = defaultdict(int)
    has = {g: {k for s in rows for k, v in s.labels.items() if v == 1} for g, rows in groups.items()}
    for names in has.values():
        for name in names:
            carriers[name] += 1
    strata: dict[str, list[str]] = defaultdict(list)
    for group, rows in groups.items():
        rarest = min(has[group], key=lambda name: (carriers[name], name), default="none")
        strata[f"{rows[0].source}:{rarest}"].append(group)
    assigned: dict[str, str] = {}
    for key, members in strata.items():
        members.sort(key=lambda g: hashlib.sha256(g.encode()).hexdigest())
        for index, group in enumerate(members):
            assigned[group] = "train" if key.startswith("SIIM") else _share((index + 0.5) / len(members))
    return assigned


def _share(position: float) -> str:
    edge = 0.0
    for name, share in SPLITS[::-1]:
        edge += share
        if position < edge:
            return name
    return "train"


def load_channels(sample: Sample, channels: list[Channel], size: int) -> NDArray[np.uint8]:
    """``[C, size, size]`` in 0..255, fitted by the same code as at run time; a missing channel is zeros."""
    out = np.zeros((len(channels), size, size), dtype=np.uint8)
    for index, (path, channel) in enumerate(zip(sample.channels, channels, strict=True)):
        if path is None:
            continue
        display = np.asarray(Image.open(path).convert("L"), dtype=np.float32) / 255.0
        if channel.stretch is not None:
            display = stretch(display, percentiles=channel.stretch)
        fitted = resample(display, fit_geometry(display.shape, model_shape=(size, size)))
        out[index] = np.clip(np.round(fitted * 255.0), 0, 255).astype(np.uint8)
    return out


def source_truth(sample: Sample, label: str) -> NDArray[np.bool_] | None:
    """Where ``label`` is, on source pixels: its mask, else its boxes, else None."""
    first = sample.channels[0]
    assert first is not None
    with Image.open(first) as image:
        columns, rows = image.size
    truth = np.zeros((rows, columns), dtype=bool)
    if label in sample.masks:
        with Image.open(sample.masks[label]) as mask:
            truth = np.asarray(mask.convert("L").resize((columns, rows), Image.Resampling.NEAREST)) > 0
    elif label in sample.boxes:
        for x, y, w, h in sample.boxes[label]:
            top, left = int(y * rows), int(x * columns)
            truth[top : max(top + 1, round((y + h) * rows)), left : max(left + 1, round((x + w) * columns))] = True
    return truth if truth.any() else None


def mask_grid(sample: Sample, labels: list[str], size: int) -> NDArray[np.uint8]:
    """``[K, size / 4, size / 4]``: 1 where a finding is, 0 elsewhere; 255 throughout where it is not known."""
    grid = size // MASK_CELL
    out = np.full((len(labels), grid, grid), 255, dtype=np.uint8)
    for index, label in enumerate(labels):
        truth = source_truth(sample, label) if sample.labels.get(label) == 1 else None
        if truth is None:
            continue
        geometry = fit_geometry(truth.shape, model_shape=(size, size))
        fitted = resample(truth.astype(np.float32), geometry)
        pooled = fitted.reshape(grid, MASK_CELL, grid, MASK_CELL).max((1, 3))
        out[index] = (pooled > min(0.5, float(pooled.max()) * 0.5)).astype(np.uint8)
    return out


def read(config: Config, root: Path) -> tuple[list[Sample], dict[str, str]]:
    """All samples of a configuration's domain and the split of their groups."""
    samples = READERS[config.domain](root)
    return samples, split_of(samples)


def read_anatomy(config: Config, root: Path) -> list[Sample]:
    """Further samples that teach regions only; their groups are split by the same rule, apart from the others."""
    return chest_anatomy(root) if config.domain == "chest" else []
