"""The linear read-out of an engine, taken from its graph and proved there: ``logits = embedding @ weight.T + bias``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiolucent.cohort.needs import need
from radiolucent.engines.checks import Engine, open_session, probe_image
from radiolucent.engines.package import PackageFiles

LIMIT = 1e-3
"""Largest miss of the linear form, as a share of 1 and of the logit."""
DRAWS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOut:
    """What one unit of every feature adds to every logit.

    Parameters
    ----------
    weight, bias
        ``[K, D]`` and ``[K]``. Features that the read-out does not look at have weight 0: the bone engine's embedding
        carries its gathered mean, which is read, and the plain mean, which is not.
    error
        Largest miss on drawn embeddings and on a probe image, as a share of ``1 + abs(logit)``.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    error: float


def read_out(files: PackageFiles, engine: Engine) -> ReadOut | str:
    """The read-out, or why there is none: the part of the graph from embedding to logits is run by itself.

    It is asked with nothing, with each feature alone, and with drawn embeddings; only a linear one answers all alike.
    """
    onnx = need("onnx")
    tail = _tail(onnx.shape_inference.infer_shapes(onnx.load_from_string(files.read("model.onnx"))), onnx)
    if isinstance(tail, str):
        return tail
    probe = probe_image(engine.spec)
    session = engine.session
    logits, embedding = session.run(["logits", "embedding"], {session.get_inputs()[0].name: probe})
    size = embedding.shape[1]
    drawn = np.random.default_rng(11).random((DRAWS, size)).astype(np.float32) * max(1.0, float(embedding.max()))
    asked = np.concatenate([np.zeros((1, size), np.float32), np.eye(size, dtype=np.float32), drawn, embedding])
    try:
        said = open_session(tail, threads=1).run(["logits"], {"embedding": asked})[0].astype(np.float64)
    except Exception as error:  # noqa: BLE001  ONNX Runtime has a class of its own for each way to fail
        return f"the part of its graph that makes scores of the embedding does not run alone ({type(error).__name__})"
    if not np.isfinite(said).all():
        return "its scores are no linear function of its embedding (some are not finite)"
    bias, weight = said[0], (said[1 : size + 1] - said[0]).T
    wanted = np.concatenate([said[size + 1 : size + 1 + DRAWS], logits.astype(np.float64)])
    made = asked[size + 1 :].astype(np.float64) @ weight.T + bias
    missed = float((np.abs(made - wanted) / (1 + np.abs(wanted))).max())
    if missed > LIMIT:
        return f"its scores are no linear function of its embedding (missed by {missed:.2g})"
    return ReadOut(weight=weight, bias=bias, error=missed)


def _tail(model: Any, onnx: Any) -> bytes | str:
    """The nodes between embedding and logits as a graph of their own whose input is the embedding."""
    graph, helper = model.graph, onnx.helper
    made = {name: index for index, node in enumerate(graph.node) for name in node.output}
    values = {tensor.name for tensor in graph.initializer}
    if "embedding" not in made:
        return "its embedding is no value of its graph"
    last = graph.node[made["embedding"]]
    parts = list(last.input) if last.op_type == "Concat" else ["embedding"]
    known, kept, waiting = values | set(parts), set[int](), ["logits"]
    while waiting:
        name = waiting.pop()
        if name in known or not name:
            continue
        known.add(name)
        if name not in made:
            return "its scores do not come from the pooled embedding alone"
        kept.add(made[name])
        waiting += graph.node[made[name]].input
    nodes = [graph.node[index] for index in sorted(kept)]
    first, needed = [], [tensor for tensor in graph.initializer if any(tensor.name in n.input for n in nodes)]
    if parts != ["embedding"]:
        widths = {info.name: info.type.tensor_type.shape.dim[-1].dim_value for info in graph.value_info}
        if not all(widths.get(part) for part in parts):
            return "the parts of its embedding have no stated size"
        needed.append(onnx.numpy_helper.from_array(np.array([widths[p] for p in parts], dtype=np.int64), "sizes"))
        first = [helper.make_node("Split", ["embedding", "sizes"], parts, axis=1)]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("embedding", "logits")]
    alone = helper.make_graph([*first, *nodes], "read_out", ends[:1], ends[1:], needed)
    whole = helper.make_model(alone, opset_imports=model.opset_import, ir_version=model.ir_version)
    return bytes(whole.SerializeToString())
