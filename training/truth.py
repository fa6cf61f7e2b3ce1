"""The truth table of a configuration's validation and test parts, and the baselines that training alone can give."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training import data
from training.config import Config
from training.data import Sample

PRIOR_SAMPLES = 400
BOX_COLUMNS = ("image", "finding", "x", "y", "w", "h")
Parts = dict[str, list[Sample]]


def parts_of(config: Config, root: Path) -> Parts:
    """Samples of the training, validation and test parts."""
    samples, split = data.read(config, root)
    parts = {name: [s for s in samples if split[s.group] == name] for name in ("train", "val", "test")}
    for name in ("val", "test"):
        parts[name] = [s for s in parts[name] if s.group not in config.left_out]
    return parts


def write(config: Config, parts: Parts, out: Path) -> Path:
    """Write ``truth.csv``, ``boxes.csv``, ``priors.npz`` and ``brightness.npz`` into ``out``; gives the truth table.

    Images stay where they are: the table holds their absolute paths. Priors and brightness come from the training
    part alone.
    """
    out.mkdir(parents=True, exist_ok=True)
    held = [(part, sample) for part in ("val", "test") for sample in parts[part]]
    subgroups = sorted({name for _, sample in held for name in sample.subgroup})
    keys = [f.key for f in config.findings]
    ruled = [d.key for d in config.derived if d.label]
    columns = ["image", *(["image2"] if len(config.input.channels) == 2 else []), "group", "part", "source"]
    columns += [f"sub:{name}" for name in subgroups] + keys + ruled + [f"mask:{key}" for key in keys]
    write_csv(out / "truth.csv", columns, (row_of(sample, part, config) for part, sample in held))
    write_boxes([sample for _, sample in held], config, out / "boxes.csv")
    np.savez_compressed(out / "priors.npz", **priors(parts["train"], config))
    np.savez_compressed(out / "brightness.npz", **brightness(parts["train"], config))
    return out / "truth.csv"


def write_boxes(samples: list[Sample], config: Config, path: Path) -> None:
    """Write the table of boxes of some samples."""
    write_csv(path, list(BOX_COLUMNS), (row for sample in samples for row in _boxes(sample, config)))


def write_csv(path: Path, columns: list[str], rows: Iterator[dict[str, str]]) -> None:
    """Write a table."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def _image(path: Path | None) -> str:
    return "" if path is None else str(path.resolve())


def row_of(sample: Sample, part: str, config: Config) -> dict[str, str]:
    """One image as a row of a truth table."""
    row = {"image": _image(sample.channels[0]), "group": sample.group, "part": part, "source": sample.source}
    if len(sample.channels) == 2:
        row["image2"] = _image(sample.channels[1])
    row |= {f"sub:{name}": value for name, value in sample.subgroup.items()}
    for finding in config.findings:
        label = sample.labels.get(finding.label, np.nan)
        row[finding.key] = "" if np.isnan(label) else str(int(label))
        if finding.label in sample.masks and label == 1:
            row[f"mask:{finding.key}"] = _image(sample.masks[finding.label])
    for rule in config.derived:
        label = sample.labels.get(rule.label or "", np.nan)
        if rule.label:
            row[rule.key] = "" if np.isnan(label) else str(int(label))
    return row


def _boxes(sample: Sample, config: Config) -> Iterator[dict[str, str]]:
    for finding in config.findings:
        for box in sample.boxes.get(finding.label, ()):
            where = dict(zip(BOX_COLUMNS[2:], (f"{min(max(v, 0.0), 1.0):.6f}" for v in box), strict=True))
            yield {"image": _image(sample.channels[0]), "finding": finding.key, **where}


def priors(samples: list[Sample], config: Config) -> dict[str, NDArray[np.float32]]:
    """``[G, G]`` mean training mask of each finding whose place is known: what a reader who never looks points at."""
    labels = [f.label for f in config.findings]
    out: dict[str, NDArray[np.float32]] = {}
    for k, finding in enumerate(config.findings):
        rows = [s for s in samples if finding.label in s.masks or finding.label in s.boxes][:PRIOR_SAMPLES]
        grids = [data.mask_grid(s, labels, config.input.size)[k] for s in rows]
        known = [g for g in grids if not (g == 255).any()]
        if known:
            out[finding.key] = np.mean(np.stack(known), axis=0, dtype=np.float32)
    return out


def brightness(samples: list[Sample], config: Config) -> dict[str, NDArray[np.float32]]:
    """``brightness [N, 2]``: mean and deviation of the model's input; ``label:<key> [N]``, ``nan`` unknown."""
    mean, std = config.input.mean, config.input.std
    arrays = (data.load_channels(s, config.input.channels, config.input.size) / np.float32(255.0) for s in samples)
    features = [((a.mean() - mean) / std, a.std() / std) for a in arrays]
    out = {"brightness": np.array(features, dtype=np.float32).reshape(-1, 2)}
    for finding in config.findings:
        values = [s.labels.get(finding.label, np.nan) for s in samples]
        out[f"label:{finding.key}"] = np.array(values, dtype=np.float32)
    return out
