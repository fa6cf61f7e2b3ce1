"""Every image of a configuration's domain as a table for ``radiolucent validate``, and the split list of its package.

The table holds the training part too: the package's split list keeps it out of figures, as it does on any site.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from radiolucent.cohort.validation.roster import digest_of
from training import data, truth
from training.config import Config
from training.data import Sample

CHILD, OTHER, ADULT = "child", "other collection", "adult"


def write(config: Config, root: Path, out: Path) -> Path:
    """Write ``cohort.csv`` and ``boxes.csv`` into ``out``; gives the table."""
    out.mkdir(parents=True, exist_ok=True)
    samples = [*data.READERS[config.domain](root), *(chest_outside(root) if config.domain == "chest" else [])]
    keys = [f.key for f in config.findings]
    subgroups = sorted({name for sample in samples for name in sample.subgroup} - {"sex", "view", "age_years"})
    stated = sorted({name for sample in samples for name in sample.subgroup} & {"sex", "view", "age_years"})
    if config.domain == "chest":
        samples = [s if "population" in s.subgroup else _adult(s) for s in samples]
        subgroups = sorted({*subgroups, "population"})
    columns = ["image", *(["image2"] if len(config.input.channels) == 2 else []), "group", "source", *stated]
    columns += [f"sub:{name}" for name in subgroups] + keys + [f"mask:{key}" for key in keys]
    with (out / "cohort.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(_row(sample, config) for sample in samples)
    truth.write_boxes(samples, config, out / "boxes.csv")
    return out / "cohort.csv"


def _adult(sample: Sample) -> Sample:
    return replace(sample, subgroup={**sample.subgroup, "population": ADULT})


def _row(sample: Sample, config: Config) -> dict[str, str]:
    row = truth.row_of(sample, "", config)
    return {**row, **{name: row.pop(f"sub:{name}", "") for name in ("sex", "view", "age_years")}}


def chest_outside(root: Path) -> list[Sample]:
    """Frontal films that no chest engine is trained on: children, and the COVID collections."""
    folder = root / "chest"
    samples = []
    for row in data.rows(folder / "labels.csv"):
        source, exact = row["source_dataset"], row["age"] if row["age"].isdigit() else ""
        is_child = source.startswith("Kermany") or data.number(exact) < data.ADULT_YEARS
        if row["view"] == "LATERAL" or (source.startswith(("NIH", "SIIM")) and not is_child):
            continue
        samples.append(
            Sample(
                name=row["file"],
                group=row["split_group"],
                source=source.split()[0],
                channels=(folder / "images" / row["file"],),
                labels={name: data.number(row[name]) for name in data.CHEST_LABELS},
                subgroup={
                    "sex": row["sex"],
                    "view": row["view"],
                    "age_years": exact,
                    "population": CHILD if is_child else OTHER,
                    "squeezed": row["stretched_to_square"],
                },
            )
        )
    return samples


def split_list(config: Config, root: Path) -> Iterator[tuple[str, str]]:
    """``(group, part)`` of everything the package was made with.

    ``train``, ``val``, ``test``; ``left_out`` (moved between two trainings); ``regions`` (taught the anatomy branch);
    ``guards`` (taught a guard on content).
    """
    samples, split = data.read(config, root)
    parts = {group: "left_out" if group in config.left_out else split[group] for group in {s.group for s in samples}}
    for sample in data.read_anatomy(config, root):
        parts.setdefault(sample.group, "regions")
    if config.domain == "chest":
        for row in data.rows(root / "chest" / "labels.csv"):
            shown = row["view"] == "LATERAL" or row["source_dataset"].startswith("Kermany")
            if shown and hashlib.sha256(row["split_group"].encode()).digest()[0] % 3:
                parts.setdefault(row["split_group"], "guards")
    yield from parts.items()


def write_split(config: Config, root: Path, package: Path, *, further: Mapping[str, str] | None = None) -> Path:
    """Write ``split.csv`` into a package; groups by digest, because a group may be a patient identifier.

    ``further``: part by group of an added cohort; it goes before what the groups were used for otherwise.
    """
    path = package / "split.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(("group_sha256", "part"))
        parts = dict(split_list(config, root)) | dict(further or {})
        writer.writerows(sorted((digest_of(group), part) for group, part in parts.items()))
    return path
