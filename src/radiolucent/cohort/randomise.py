"""Do maps depend on what was learned: maps after the weights were drawn at random (Adebayo et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.faithfulness import Probe
from radiolucent.cohort.measure import NAN, Interval, bootstrap, mean, spearman
from radiolucent.cohort.needs import need
from radiolucent.engines.checks import Engine, open_session
from radiolucent.errors import InvariantBroken
from radiolucent.infer.run import run
from radiolucent.records.image import Inference, ModelInput

What = Literal["readout", "readout_and_convolutions"]
SEEDS = (21, 22, 23)
BATCH = 16
PASSING = {"Cast", "Unsqueeze", "Squeeze", "Reshape", "Identity", "Div", "Mul", "Transpose"}
LINEAR = {"Gemm", "MatMul", "Conv"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Randomisation:
    """Maps before and after weights were drawn at random.

    Parameters
    ----------
    what
        ``readout``: the linear layer; ``readout_and_convolutions``: all weights of convolutions as well.
    correlation
        Mean Spearman correlation of the maps over probes and seeds; near 0 is right.
    magnitude
        Mean of its absolute value: correlations of either sign do not cancel.
    constant
        Share of maps that became the same everywhere, so that there is no correlation.
    completeness_error
        Largest miss of ``sum(evidence) + bias = logit`` after it, relative to ``1 + abs(logit)``.
    """

    what: What
    seeds: int
    correlation: Interval
    magnitude: Interval
    constant: float
    completeness_error: float


def randomised(graph: bytes, *, what: What, seed: int) -> bytes | None:
    """The same graph with Gaussian weights of the same standard deviation and mean 0; biases stay.

    The linear layer's weight and the evidence's copy of it stay in step. ``None`` where the graph's read-out is not
    a linear layer whose weight can be found.
    """
    onnx = need("onnx")
    model = onnx.load_from_string(graph)
    weights = _Weights(model, onnx)
    readout, evidence = weights.behind("logits"), weights.behind("evidence")
    if readout is None or evidence is None:
        return None
    generator = np.random.default_rng(seed)
    old, copy = weights.value(readout), weights.value(evidence)
    new = generator.normal(0.0, float(old.std()) or 1.0, old.shape)
    if evidence != readout:
        ratio = _ratio(old, copy)
        if ratio is None:
            return None
        turned = new.T if ratio[1] else new
        weights.put(evidence, (turned * ratio[0]).reshape(copy.shape))
    weights.put(readout, new)
    if what == "readout_and_convolutions":
        for name in sorted(set(weights.convolutions()) - {readout, evidence}):
            value = weights.value(name)
            weights.put(name, generator.normal(0.0, float(value.std()), value.shape))
    return bytes(model.SerializeToString())


def _ratio(weight: NDArray[np.float64], copy: NDArray[np.float64]) -> tuple[float, bool] | None:
    """``copy = weight * ratio``, perhaps of the transposed weight; ``None`` if it is no copy."""
    for turned in (False, True):
        flat, other = (weight.T if turned else weight).ravel(), copy.ravel()
        if flat.size == other.size and float(flat @ flat) > 0:
            ratio = float(flat @ other) / float(flat @ flat)
            if np.allclose(flat * ratio, other, rtol=1e-2, atol=1e-3 * float(np.abs(other).max())):
                return ratio, turned
    return None


class _Weights:
    """The initializers of a graph, and which of them make an output."""

    def __init__(self, model: Any, onnx: Any) -> None:
        self._onnx = onnx
        self._tensors = {t.name: t for t in model.graph.initializer}
        self._makers = {name: node for node in model.graph.node for name in node.output}
        self._nodes = list(model.graph.node)

    def value(self, name: str) -> NDArray[np.float64]:
        """An initializer as float64."""
        return np.asarray(self._onnx.numpy_helper.to_array(self._tensors[name]), dtype=np.float64)

    def put(self, name: str, value: NDArray[np.float64]) -> None:
        """Replace an initializer, in its own type."""
        tensor = self._tensors[name]
        kind = self._onnx.numpy_helper.to_array(tensor).dtype
        tensor.CopyFrom(self._onnx.numpy_helper.from_array(value.astype(kind), name))

    def source(self, name: str) -> str | None:
        """The largest initializer from which a weight is made without other operations than `PASSING`."""
        if name in self._tensors:
            return name
        node = self._makers.get(name)
        if node is None or node.op_type not in PASSING:
            return None
        found = [source for source in map(self.source, node.input) if source is not None]
        return max(found, key=lambda n: int(np.prod(self._tensors[n].dims)), default=None)

    def behind(self, output: str) -> str | None:
        """The weight of the linear layer that makes an output."""
        node = self._makers.get(output)
        while node is not None and node.op_type in {"Add", "Identity", "Reshape", "Squeeze"}:
            node = next((self._makers[name] for name in node.input if name in self._makers), None)
        return None if node is None or node.op_type not in LINEAR else self.source(node.input[1])

    def convolutions(self) -> Iterator[str]:
        """Weights of all convolutions."""
        for node in self._nodes:
            if node.op_type == "Conv" and (name := self.source(node.input[1])) is not None:
                yield name


def randomisation(
    probes: Sequence[Probe], engine: Engine, graph: bytes, *, resamples: int
) -> tuple[Randomisation, ...]:
    """Compare the maps of some probes with those after randomisation; empty where the graph does not allow it."""
    done = []
    kinds: tuple[What, ...] = ("readout", "readout_and_convolutions")
    groups = np.array([p.group for p in probes], dtype=np.str_)
    for what in kinds:
        rows, worst = [], 0.0
        for seed in SEEDS:
            changed = randomised(graph, what=what, seed=seed)
            if changed is None or not probes:
                return ()
            correlations, error = _compare(probes, replace(engine, session=open_session(changed)))
            rows.append(correlations)
            worst = max(worst, error)
        table = np.array(rows)
        signed = np.array([mean(column) for column in table.T])
        sizes = np.array([mean(np.abs(column)) for column in table.T])
        done.append(
            Randomisation(
                what=what,
                seeds=len(SEEDS),
                correlation=bootstrap(groups, lambda i, v=signed: mean(v[i]), resamples=resamples),  # type: ignore[misc]
                magnitude=bootstrap(groups, lambda i, v=sizes: mean(v[i]), resamples=resamples),  # type: ignore[misc]
                constant=float(np.isnan(table).mean()),
                completeness_error=worst,
            )
        )
    return tuple(done)


def _compare(probes: Sequence[Probe], changed: Engine) -> tuple[list[float], float]:
    """Correlation of each probe's map with that of a changed engine, and the largest relative miss of its sum."""
    correlations, worst = [], 0.0
    for start in range(0, len(probes), BATCH):
        some = probes[start : start + BATCH]
        try:
            got = run(changed, [ModelInput(array=p.image, geometry=p.geometry) for p in some])
        except InvariantBroken:  # random weights ran over what float32 holds
            correlations += [NAN] * len(some)
            continue
        for probe, inference in zip(some, got, strict=True):
            correlations.append(spearman(probe.evidence, inference.evidence[probe.index]))
            worst = max(worst, _miss(inference, changed))
    return correlations, worst


def _miss(inference: Inference, engine: Engine) -> float:
    bias = np.array([f.bias for f in engine.spec.findings])
    total = inference.evidence.astype(np.float64).sum(axis=(1, 2)) + bias
    return float((np.abs(total - inference.logits) / (1.0 + np.abs(inference.logits))).max())
