"""A cohort added to an engine that is there already: what may be learnt from it, and the variant that learns it.

The table is one that ``radiolucent validate`` takes. A variant starts from the weights of a package and sees, in each
epoch, all of the package's own training images beside as many of the added ones as ``[add] mix`` says, so that what was
known is not forgotten. Regions that nobody drew on its own images are taught by the package itself.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from radiolucent.cohort.truth import CONSENT, STATED, Case, check_header, read_boxes, read_case, read_table, wrong
from radiolucent.cohort.validation.roster import digest_of, split_of
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import SettingsError
from training import model, truth
from training.config import Config
from training.data import Sample
from training.packaged import packaged
from training.regions import taught
from training.train import Arrays, aucs, fit, predict, to_arrays, write_entry

log = logging.getLogger(__name__)
PARTS, TEST = ("train", "val"), "test"
ASIDE = 6
"""Without a column ``part`` one group in so many goes to validation."""
TAUGHT_A_GUARD = ("guards", "regions")
"""Parts of a split list that no finding was learnt, chosen or measured on."""
NAMED = 8
MEMBER = "member"
TABLE, BOXES = "added.csv", "added-boxes.csv"
"""Beside the checkpoints: which images were added, and in which part."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What a variant is made from.

    ``package``: the engine to start from. ``cohort``, ``boxes``: tables as `radiolucent validate` takes them.
    ``tests``: tables that the variant will be measured on, of which no group and no image may be learnt. ``members``:
    teach the first so many of the package's networks alone; the variant is their mean.
    """

    package: Path
    cohort: Path
    boxes: Path | None = None
    tests: tuple[Path, ...] = ()
    members: int | None = None


def read(sources: Sources, config: Config) -> dict[str, list[Sample]]:
    """The added samples of parts ``train`` and ``val``; rows of part ``test`` stay out.

    Raises
    ------
    SettingsError
        ``truth_table``: no group, no label of a trained finding, an unreadable row. ``cohort_leak``: a group or an
        image that the package or a test table holds in another part; files are named.
    """
    placed = _cases(sources.cohort, sources.boxes, config)
    for part in PARTS:
        where, used = f"{sources.cohort.name}, part {part}", placed[part]
        if not any(case.labels[f.key] == case.labels[f.key] for case in used for f in config.findings):
            keys = ", ".join(f.key for f in config.findings)
            wrong(where, "no image with a label of a finding that the engine knows", f"1 or 0 in a column of {keys}")
        if other := [case.image.name for case in used if not _is_picture(case.image)]:
            wrong(where, f"{len(other)} images that are no pictures: {_names(other)}", "PNG, JPEG or AVIF")
    _check_split(placed, split_of(PackageFiles(sources.package)))
    _check_tests(placed, sources.tests)
    return _samples(placed, config)


def recall(config: Config, run: Path) -> dict[str, list[Sample]]:
    """What a run learnt beside its package's own images; nothing where it added nothing."""
    if not (run / TABLE).exists():
        return {part: [] for part in PARTS}
    return _samples(_cases(run / TABLE, run / BOXES, config), config)


def note(added: Mapping[str, list[Sample]], config: Config) -> list[str]:
    """What a card says of what was added; nothing where nothing was."""
    samples = [sample for part in PARTS for sample in added[part]]
    if not samples:
        return []
    known = [f.display for f in config.findings if any(s.labels[f.label] == s.labels[f.label] for s in samples)]
    sources = ", ".join(sorted({s.source for s in samples if s.source})) or "source not stated"
    size = f"{len(added['train'])} images to learn from and {len(added['val'])} to choose on"
    return [f"Added to a package that was there: {size} ({sources}); known of them: {', '.join(known)}."]


def write(added: Mapping[str, list[Sample]], config: Config, run: Path) -> None:
    """Keep what was added beside the checkpoints; paths are absolute."""
    rows = [truth.row_of(sample, part, config) for part, samples in added.items() for sample in samples]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    truth.write_csv(run / TABLE, columns, iter(rows))
    truth.write_boxes([sample for samples in added.values() for sample in samples], config, run / BOXES)


def _samples(placed: Mapping[str, list[Case]], config: Config) -> dict[str, list[Sample]]:
    labels, channels = {f.key: f.label for f in config.findings}, len(config.input.channels)
    return {part: [_sample(case, labels, channels) for case in placed[part]] for part in PARTS}


def _cases(path: Path, boxes: Path | None, config: Config) -> dict[str, list[Case]]:
    """The rows of each part."""
    keys = (*(f.key for f in config.findings), *(d.key for d in config.derived))
    header, rows = read_table(path)
    channels = len(config.input.channels)
    check_header(path.name, header, keys=keys, channels=channels, needed=("image", "group"), further=STATED)
    drawn = read_boxes(boxes, keys=keys, images={row["image"] for _, row in rows}) if boxes else {}
    out: dict[str, list[Case]] = {part: [] for part in (*PARTS, TEST)}
    sides: dict[str, dict[str, str]] = defaultdict(dict)
    for line, row in rows:
        part = row.get("part") or _drawn(row["group"])
        if row.get(CONSENT) == "" and part != TEST:
            wrong(f"{path.name} row {line}", "no consent", "the ground on which the image may be learnt from")
        if part not in out:
            wrong(f"{path.name} row {line}", f"part {part!r}", "train, val or test")
        case = read_case(path, line, {**row, "part": "val"}, keys=keys, placed=drawn)
        sides[case.group].setdefault(part, case.image.name)
        out[part].append(case)
    _refuse([" and ".join(files.values()) for files in sides.values() if len(files) > 1], "groups in two parts")
    return out


def _drawn(group: str) -> str:
    """The part of a group whose row states none."""
    return "val" if hashlib.sha256(group.encode()).digest()[-1] % ASIDE == 0 else "train"


def _is_picture(path: Path) -> bool:
    try:
        with Image.open(path):
            return True
    except UnidentifiedImageError:
        return False


def _sample(case: Case, labels: Mapping[str, str], channels: int) -> Sample:
    return Sample(
        name=case.image.name,
        group=case.group,
        source=case.source,
        channels=(case.image, case.second)[:channels],
        labels={label: case.labels[key] for key, label in labels.items()},
        boxes={labels[key]: list(boxes) for key, boxes in case.boxes.items() if key in labels},
        masks={labels[key]: mask for key, mask in case.masks.items() if key in labels},
    )


def _check_split(placed: Mapping[str, Sequence[Case]], split: Mapping[str, str]) -> None:
    """No group may be learnt or chosen on that the package holds in another part."""
    leaks = []
    for part in PARTS:
        for case in placed[part]:
            known = split.get(digest_of(case.group), part)
            if known not in (part, *TAUGHT_A_GUARD):
                leaks.append(f"{case.image.name} ({part} here, {known} there)")
    _refuse(leaks, "images whose group the engine's split list holds in another part")


def _check_tests(placed: Mapping[str, Sequence[Case]], tests: Sequence[Path]) -> None:
    """No group and no image may be learnt or chosen on that a test table holds."""
    groups, contents = set[str](), set[str]()
    for table in tests:
        for _, row in read_table(table)[1]:
            groups.add(row.get("group", ""))
            if (image := table.parent / row["image"]).is_file():
                contents.add(_content(image))
    groups.discard("")
    used = [case for part in PARTS for case in placed[part]]
    _refuse([c.image.name for c in used if c.group in groups], "images of groups that a test table holds")
    _refuse([c.image.name for c in used if _content(c.image) in contents], "images that a test table holds")


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _refuse(leaks: list[str], what: str) -> None:
    if leaks:
        raise SettingsError(
            "cohort_leak",
            found=f"{len(leaks)} {what}: {_names(leaks)}",
            expected="each patient (group) on one side: learnt, chosen on, or measured",
            action="Take these rows out of the table, or set their part to test.",
        )


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def some(samples: list[Sample], limit: int | None) -> list[Sample]:
    """Whole groups in the order of their hash until ``limit`` images are there; all without one."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.group].append(sample)
    kept: list[Sample] = []
    for group in sorted(groups, key=lambda g: hashlib.sha256(g.encode()).hexdigest()):
        if limit is not None and len(kept) >= limit:
            break
        kept += groups[group]
    return kept


def train(config: Config, root: Path, run: Path, sources: Sources) -> list[model.EvidenceNet]:
    """The package's networks, each taught further; checkpoints, log and the table of what was added lie in ``run``."""
    if config.add is None:
        raise SettingsError(
            "truth_table",
            found="a configuration without [add]",
            expected="how a variant learns: epochs, learning_rate, mix, ...",
            action="Write a section [add]; see training/configs/chest-film-children.toml.",
        )
    run.mkdir(parents=True, exist_ok=True)
    parts = truth.parts_of(config, root)
    added = read(sources, config)
    added = {"train": some(added["train"], config.add.limit), "val": some(added["val"], len(parts["val"]))}
    write(added, config, run)
    log.info("%s", {name: (len(parts[name]), len(added[name])) for name in PARTS})
    starts = packaged(config, sources.package)[: sources.members]
    own = taught(starts[0], to_arrays(parts["train"], config), config)
    arrays = joined(own, to_arrays(added["train"], config))
    sizes = (len(parts["val"]), len(added["val"]))
    val = to_arrays(parts["val"] + added["val"], config)
    learnt = []
    for k, start in enumerate(starts):
        _tell(start, val, sizes, config, run=run, tag=f"{MEMBER}{k} before")
        network = fit(
            start,
            arrays,
            val,
            config=config,
            schedule=config.add,
            run=run,
            tag=f"{MEMBER}{k}",
            mixed=len(added["train"]),
        )
        _tell(network, val, sizes, config, run=run, tag=f"{MEMBER}{k} after")
        learnt.append(network)
    return learnt


def joined(first: Arrays, second: Arrays) -> Arrays:
    """One behind the other."""
    return Arrays(*(np.concatenate([getattr(a, f.name) for a in (first, second)]) for f in fields(Arrays)))


def _tell(
    network: model.EvidenceNet, val: Arrays, sizes: tuple[int, int], config: Config, *, run: Path, tag: str
) -> None:
    """AUC of every finding on own and on added validation images, into the log."""
    logits = predict(network, val, config)
    own = slice(0, sizes[0]), slice(sizes[0], None)
    keys = [f.key for f in config.findings]
    told = [{k: round(v, 3) for k, v in zip(keys, aucs(logits[s], val.labels[s]), strict=True) if v == v} for s in own]
    write_entry(run, {"phase": tag, "own": told[0], "added": told[1]})
