"""How far a comparison with a prior can be trusted: repeatability of one picture, and patients seen at two dates.

No PyTorch: the engine package is run as it is shipped, and `judge.prior` compares.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.stats import spearmanr

from radiolucent.engines.checks import Engine, load
from radiolucent.engines.package import PackageFiles
from radiolucent.explain.native import native_map
from radiolucent.explain.region import peak, region_at_peak
from radiolucent.infer.run import run
from radiolucent.judge.frames import foreground_frame, picture_frame
from radiolucent.judge.judge import engine_ref, is_positive, probability
from radiolucent.judge.prior import MEASURED, compare
from radiolucent.prepare.model_input import model_input
from radiolucent.records.comparison import FindingChange, FindingReading, Frame, Reading
from radiolucent.records.image import DecodedFrame, ImageFacts
from training import data
from training.config import Config

Picture = NDArray[np.float32]
TRUE_MARGIN = 1.25
"""A true mask has changed from this factor of its relative area on (RANO: progression from a quarter on)."""
OFFSETS = range(-3, 4)
TWO_DATES = "Brain-Tumor-Progression"
WORDS = ("new", "increased", "unchanged", "decreased", "resolved", "absent", "not_comparable")


def _moved(picture: Picture, *, turn: float = 0.0, scale: float = 1.0, shift: tuple[float, float] = (0, 0)) -> Picture:
    """Turn (degrees) and scale about the centre, then shift by shares of the sides; black comes in from outside."""
    angle = math.radians(turn)
    back = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]) / scale
    centre = (np.array(picture.shape) - 1) / 2
    offset = centre - back @ (centre + np.array(shift) * picture.shape)
    return np.clip(ndimage.affine_transform(picture, back, offset, order=1), 0, 1).astype(np.float32)


PERTURBED: dict[str, Callable[[Picture], Picture]] = {
    "shift 3 % down, 2 % right": lambda p: _moved(p, shift=(0.03, 0.02)),
    "turn 4 degrees": lambda p: _moved(p, turn=4),
    "scale 0.95": lambda p: _moved(p, scale=0.95),
    "gamma 0.85": lambda p: np.power(p, np.float32(0.85)),
    "gamma 1.2": lambda p: np.power(p, np.float32(1.2)),
    "all: shift, turn -3, scale 1.03, gamma 1.1": lambda p: np.power(
        _moved(p, turn=-3, scale=1.03, shift=(-0.02, 0.03)), np.float32(1.1)
    ),
}


def _picture(path: Path) -> Picture:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255.0)


def read_pictures(engine: Engine, pictures: Sequence[Picture], *, by: str = "foreground") -> list[Reading]:
    """Read pictures as the runtime would, with the frame of their foreground or of the picture."""
    facts = [
        ImageFacts(stem="x", source_sha256=hashlib.sha256(p.tobytes()).hexdigest(), rows=p.shape[0], columns=p.shape[1])
        for p in pictures
    ]
    inputs = [
        model_input(DecodedFrame(facts=f, values=p, display=p), engine.spec.input)
        for f, p in zip(facts, pictures, strict=True)
    ]
    readings = []
    for fact, picture, made, got in zip(facts, pictures, inputs, run(engine, inputs), strict=True):
        findings = []
        for k, spec in enumerate(engine.spec.findings):
            native = native_map(got.evidence[k], made.geometry)
            chance = probability(spec, float(got.logits[k]))
            findings.append(
                FindingReading(
                    key=spec.key,
                    display=spec.display,
                    probability=chance,
                    logit=float(got.logits[k]),
                    positive=is_positive(spec, chance),
                    is_localisable=spec.is_localisable,
                    map=native,
                    region=region_at_peak(native, at=peak(native), fraction=spec.region_fraction),
                )
            )
        shape = (fact.rows, fact.columns)
        frame: Frame | None = picture_frame(shape) if by == "picture" else foreground_frame(picture)
        readings.append(Reading(engine=engine_ref(engine.spec), facts=fact, frame=frame, findings=tuple(findings)))
    return readings


def _steps(change: FindingChange) -> dict[str, float]:
    """Logarithms of the factors of area and evidence, and the difference of the score; nan where there is none."""
    figures = change.figures

    def log(first: float | None, second: float | None) -> float:
        return math.log(second / first) if first and second else math.nan

    return {
        "area": log(figures.prior_area, figures.current_area),
        "evidence": log(figures.prior_evidence, figures.current_evidence),
        "logit": figures.logit_change,
    }


@dataclass(frozen=True)
class Repeat:
    """One finding of one picture against its perturbed self."""

    how: str
    by: str
    source: str
    change: FindingChange


def repeats(engine: Engine, samples: Sequence[data.Sample]) -> Iterable[Repeat]:
    """Every finding that is positive in the picture or in its perturbed self."""
    for sample in samples:
        path = sample.channels[0]
        assert path is not None
        picture = _picture(path)
        pictures = [picture, *(make(picture) for make in PERTURBED.values())]
        whole = read_pictures(engine, pictures, by="picture")
        framed = [
            Reading(engine=r.engine, facts=r.facts, frame=foreground_frame(p), findings=r.findings)
            for r, p in zip(whole, pictures, strict=True)
        ]
        for by, readings in (("foreground", framed), ("picture", whole)):
            for how, again in zip(PERTURBED, readings[1:], strict=True):
                for change in compare(readings[0], again).changes:
                    if change.prior_positive or change.current_positive:
                        yield Repeat(how, by, sample.source, change)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)])


def _spread(rows: Sequence[Repeat], share: float = 95) -> dict[str, float]:
    """95th percentile of the absolute change, of findings that are positive both times."""
    both = [_steps(r.change) for r in rows if r.change.prior_positive and r.change.current_positive]
    known = {name: np.abs([s[name] for s in both if not math.isnan(s[name])]) for name in ("area", "evidence", "logit")}
    return {name: float(np.percentile(values, share)) if len(values) else math.nan for name, values in known.items()}


def repeat_report(rows: Sequence[Repeat]) -> str:
    """Margins by finding and by perturbation, and how often a picture against itself is called changed."""
    groups: list[tuple[str, list[Repeat]]] = [
        (f"all, by the {by}", [r for r in rows if r.by == by]) for by in ("foreground", "picture")
    ]
    framed = groups[0][1]
    for name in dict.fromkeys(r.change.key for r in framed):
        groups.append((name, [r for r in framed if r.change.key == name]))
    groups += [(how, [r for r in framed if r.how == how]) for how in PERTURBED]
    groups += [(source, [r for r in framed if r.source == source]) for source in sorted({r.source for r in framed})]
    body = []
    for name, some in groups:
        if not some:
            continue
        at = _spread(some)
        words = Counter(r.change.change for r in some)
        changed = sum(count for word, count in words.items() if word not in {"unchanged", "not_comparable"})
        body.append(
            (
                name,
                len(some),
                f"{math.exp(at['area']):.2f}",
                f"{math.exp(at['evidence']):.2f}",
                f"{at['logit']:.2f}",
                f"{changed / len(some):.1%}",
                f"{(words['new'] + words['resolved']) / len(some):.1%}",
                f"{words['not_comparable'] / len(some):.1%}",
            )
        )
    header = ("Part", "Pairs", "Area, factor", "Evidence, factor", "Score, logits", "Called changed")
    return _table((*header, "of these new or resolved", "Contradictory"), body)


@dataclass(frozen=True)
class Pair:
    """One level of one patient at two dates; mask areas are shares of the foreground's frame."""

    patient: str
    part: str
    prior_area: float
    current_area: float
    change: FindingChange | None

    @property
    def truth(self) -> str:
        """What the masks say."""
        if not self.prior_area or not self.current_area:
            return "absent" if self.prior_area == self.current_area else "new" if self.current_area else "resolved"
        return _word(self.current_area / self.prior_area)

    @property
    def verdict(self) -> str:
        """What the comparison says."""
        return "not_comparable" if self.change is None else self.change.change


def _word(factor: float) -> str:
    return "increased" if factor > TRUE_MARGIN else "decreased" if factor < 1 / TRUE_MARGIN else "unchanged"


def _stack(samples: Sequence[data.Sample], date: str) -> dict[int, data.Sample]:
    """Slices of one date by number, from ``btp_01_pre_09.avif``."""
    parts = [(Path(s.name).stem.split("_"), s) for s in samples]
    return {int(name[3]): sample for name, sample in parts if name[2] == date}


def _likeness(first: Picture, second: Picture) -> float:
    a, b = (ndimage.zoom(p, 64 / max(p.shape), order=1).ravel() for p in (first, second))
    return float(np.corrcoef(a, b)[0, 1]) if a.std() and b.std() else 0.0


def level_offset(before: dict[int, Picture], now: dict[int, Picture]) -> tuple[int, float]:
    """Slices by which the second stack is best moved, judged by the pictures alone, and the mean correlation there."""
    scores = {}
    for offset in OFFSETS:
        both = [_likeness(before[z], now[z + offset]) for z in before if z + offset in now]
        scores[offset] = float(np.mean(both)) if both else -1.0
    best = max(scores, key=lambda offset: (scores[offset], -abs(offset)))
    return best, scores[best]


def _share(sample: data.Sample, frame: Frame | None) -> float:
    truth = data.source_truth(sample, "tumor") if sample.labels.get("tumor") == 1 else None
    return 0.0 if truth is None or frame is None else float(truth.sum()) / frame.area


def pairs(engine: Engine, samples: Sequence[data.Sample], split: dict[str, str]) -> tuple[list[Pair], list[str]]:
    """Every level that two dates share, for every patient; and one line about each patient's stacks."""
    found, said = [], []
    key = engine.spec.findings[0].key
    groups: dict[str, list[data.Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.group].append(sample)
    for patient, rows in sorted(groups.items()):
        stacks = [_stack(rows, date) for date in ("pre", "post")]
        shown = [{z: _picture(Path(str(s.channels[0]))) for z, s in stack.items()} for stack in stacks]
        offset, likeness = level_offset(*shown)
        said.append(f"{patient} ({split[patient]}): slices moved by {offset:+d}, mean correlation {likeness:.2f}")
        readings = [dict(zip(one, read_pictures(engine, list(one.values())), strict=True)) for one in shown]
        for z in sorted(stacks[0]):
            if z + offset not in stacks[1]:
                continue
            first, second = readings[0][z], readings[1][z + offset]
            changes = {c.key: c for c in compare(first, second).changes}
            found.append(
                Pair(
                    patient=patient,
                    part=split[patient],
                    prior_area=_share(stacks[0][z], first.frame),
                    current_area=_share(stacks[1][z + offset], second.frame),
                    change=changes.get(key),
                )
            )
    return found, said


def agreement(rows: Sequence[Pair]) -> str:
    """Truth by row, verdict by column, in slices."""
    counts = Counter((r.truth, r.verdict) for r in rows)
    body = [(truth, *(counts[truth, word] for word in WORDS)) for truth in WORDS[:-1]]
    return _table(("Truth by mask", *(w.replace("_", " ") for w in WORDS)), body)


def associations(rows: Sequence[Pair]) -> str:
    """Spearman's rank correlation of each figure with the true change of area, where masks and maps are at both."""
    both = [r for r in rows if r.prior_area and r.current_area and r.change is not None]
    true = np.array([math.log(r.current_area / r.prior_area) for r in both])
    body: list[tuple[str, int, str]] = []
    for name in ("area", "evidence", "logit"):
        got = np.array([_steps(r.change)[name] for r in both if r.change is not None])
        known = ~np.isnan(got)
        value = float(spearmanr(true[known], got[known]).statistic) if known.sum() > 2 else math.nan
        body.append((name, int(known.sum()), f"{value:.2f}"))
    return _table(("Figure", "Slices", "Rank correlation with the true change"), body)


def by_patient(rows: Sequence[Pair]) -> str:
    """Per patient: true volume and verdicts."""
    body = []
    for patient in sorted({r.patient for r in rows}):
        own = [r for r in rows if r.patient == patient]
        before, now = sum(r.prior_area for r in own), sum(r.current_area for r in own)
        words = Counter(r.verdict for r in own if r.truth != "absent")
        growing, shrinking = words["new"] + words["increased"], words["resolved"] + words["decreased"]
        sums = {"unchanged": words["unchanged"], "increased": growing, "decreased": shrinking}
        called = max(sums, key=lambda word: sums[word])
        agreeing = sum(r.truth == r.verdict for r in own if r.truth != "absent")
        tumor = sum(r.truth != "absent" for r in own)
        figures = [r.change.figures for r in own if r.change is not None]
        evidence = sum(f.current_evidence or 0.0 for f in figures) / sum(f.prior_evidence or 0.0 for f in figures)
        body.append(
            (
                patient,
                own[0].part,
                f"{now / before:.2f}",
                _word(now / before),
                f"{agreeing} of {tumor}",
                f"{growing} up, {shrinking} down, {words['unchanged']} unchanged",
                called,
                f"{evidence:.2f}",
            )
        )
    header = ("Patient", "Part of the split", "Mask volume, factor", "Truth", "Slices that agree", "Verdicts")
    return _table((*header, "Most slices", "Evidence of all slices, factor"), body)


def _some(samples: list[data.Sample], limit: int) -> list[data.Sample]:
    return sorted(samples, key=lambda s: hashlib.sha256(s.name.encode()).hexdigest())[:limit]


def report(config: Config, root: Path, package: Path, *, limit: int = 200) -> str:
    """Everything, as Markdown. ``limit`` bounds the pictures of the repeatability part."""
    engine = load(PackageFiles(package), threads=1)
    samples, split = data.read(config, root)
    names = [f.label for f in config.findings]
    held_out = [s for s in samples if split[s.group] != "train" and any(s.labels.get(n) == 1 for n in names)]
    chosen = _some(held_out, limit)
    repeated = list(repeats(engine, chosen))
    parts = [
        f"# Change: {engine.spec.id} {engine.spec.version}",
        f"Margins in use: {MEASURED}",
        f"## One picture against itself\n\n{len(chosen)} positive pictures of validation and test, "
        f"{len({s.group for s in chosen})} groups, {len(PERTURBED)} perturbations.",
        repeat_report(repeated),
    ]
    dated = [s for s in samples if s.source == TWO_DATES]
    if dated:
        rows, said = pairs(engine, dated, split)
        parts += ["## The same patients at two dates", "\n".join(f"- {line}" for line in said)]
        for name, some in (
            ("All patients", rows),
            ("Patients the engine was not trained on", [r for r in rows if r.part != "train"]),
        ):
            parts += [f"### {name}: {len(some)} slice pairs", agreement(some), associations(some)]
        parts.append(by_patient(rows))
    return "\n\n".join(parts)
