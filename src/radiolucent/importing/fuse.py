"""A pooled linear classifier as a graph that also gives its evidence: same logits, nothing trained."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.fx import GraphModule, Node
from torch.fx.graph import CodeGen

from radiolucent.errors import EngineError

ATEN = torch.ops.aten
SAME = {ATEN.dropout.default, ATEN.feature_dropout.default, ATEN.clone.default, ATEN.contiguous.default}
FLATTEN = {
    ATEN.view.default,
    ATEN.reshape.default,
    ATEN.flatten.using_ints,
    ATEN.squeeze.default,
    ATEN.squeeze.dim,
    ATEN.squeeze.dims,
}
WORDS = (
    ("select", "one token taken out of many, as in a vision transformer"),
    ("index", "one token taken out of many, as in a vision transformer"),
    ("max", "maximum pooling"),
    ("layer_norm", "a layer normalisation after the pooling"),
    ("batch_norm", "a batch normalisation after the pooling"),
    ("linear", "several linear layers"),
    ("conv", "a convolution after the pooling"),
    ("cat", "several feature vectors joined into one"),
    ("mean", "a mean over something other than the places of one [N, D, h, w] feature map"),
    ("avg_pool", "an average over less than the whole feature map"),
    ("sigmoid", "probabilities instead of logits (a sigmoid)"),
    ("softmax", "probabilities instead of logits (a softmax)"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """``network``: ``image [N,C,S,S]`` to ``logits [N,K]``, ``evidence [N,K,h,w]``, ``embedding [N,D]``.

    ``bias`` has K numbers, in logits: ``evidence.sum((2, 3)) + bias == logits``.
    """

    network: nn.Module
    bias: tuple[float, ...]
    grid: tuple[int, int]


class Grey(nn.Module):
    """A network that takes one grey channel: each of its own channels gets ``image * gain + offset``.

    ``image [N,1,S,S]`` is normalised with one mean and std; gain and offset (one number for each channel) bring it to
    the normalisation that each channel of the network wants.
    """

    def __init__(self, network: nn.Module, gain: Sequence[float], offset: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("gain", torch.tensor(gain, dtype=torch.float32).reshape(1, -1, 1, 1))
        self.register_buffer("offset", torch.tensor(offset, dtype=torch.float32).reshape(1, -1, 1, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """What the network gives for the image in all its channels."""
        out: torch.Tensor = self.network(image * self.gain + self.offset)
        return out


def fuse(network: nn.Module, image: torch.Tensor, *, keep: Sequence[int]) -> Fused:
    """Find the pooled linear head, and give the same network with evidence and embedding beside its logits.

    The head is found in the traced graph, whatever the layers are called: the output must come from one linear layer,
    and its input must be the mean over all places of one feature map ``A [N,D,h,w]``. Then
    ``evidence[k] = W_k . A / (h w)`` (Zhou et al. 2016; Grad-CAM of Selvaraju et al. 2017 for such a head).

    Parameters
    ----------
    image
        Any batch ``[N,C,S,S]`` of two or more, float32.
    keep
        Places of the outputs to keep, in order.

    Raises
    ------
    EngineError
        ``import_head``: no such head; ``import_graph``: the network cannot be traced.
    """
    traced = _trace(network, image)
    linear, embedding, features = _head(traced)
    weight, bias = _weights(traced, linear)
    height, width = _sizes(features)[1:]
    rows = list(keep)
    kept_weight, kept_bias = weight[rows].clone(), bias[rows].clone()
    graph = traced.graph
    graph.set_codegen(CodeGen())
    traced.register_buffer("fused_head_weight", kept_weight)
    traced.register_buffer("fused_head_bias", kept_bias)
    traced.register_buffer("fused_evidence_weight", kept_weight[:, :, None, None] / (height * width))
    end = next(node for node in graph.nodes if node.op == "output")
    with graph.inserting_before(end):
        head = [graph.get_attr(name) for name in ("fused_head_weight", "fused_head_bias", "fused_evidence_weight")]
        logits = graph.call_function(ATEN.linear.default, (embedding, head[0], head[1]))
        evidence = graph.call_function(ATEN.conv2d.default, (features, head[2]))
    end.args = ((logits, evidence, embedding),)
    graph.lint()
    traced.recompile()
    return Fused(network=traced, bias=tuple(float(b) for b in kept_bias.double()), grid=(height, width))


def _trace(network: nn.Module, image: torch.Tensor) -> GraphModule:
    batch = torch.export.Dim("batch", min=1, max=1024)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            return torch.export.export(network, (image,), dynamic_shapes=({0: batch},)).module()
    except Exception as error:
        raise EngineError(
            "import_graph",
            found=f"a network that cannot be traced for any batch size ({type(error).__name__})",
            expected="a network whose steps do not depend on the values or the number of images",
            action="Import another network, or report it with the name of this one.",
        ) from error


def _sizes(node: Node) -> tuple[int, ...]:
    """Channels and, where there are any, rows and columns of what a node gives; empty if it gives no tensor."""
    value = node.meta.get("val")
    return tuple(int(size) for size in value.shape[1:]) if isinstance(value, torch.Tensor) else ()


def _back(node: object, through: set[object]) -> object:
    while isinstance(node, Node) and node.target in through:
        node = node.args[0]
    return node


def _head(traced: GraphModule) -> tuple[Node, Node, Node]:
    """The linear layer, its input ``[N,D]`` and the feature map ``[N,D,h,w]`` whose mean that is."""
    nodes = list(traced.graph.nodes)
    linears = sum(node.target is ATEN.linear.default for node in nodes)
    value: object = next(node for node in nodes if node.op == "output").args[0]
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if not isinstance(value, Node):
        raise _refused("several outputs", linears)
    linear = _back(value, SAME)
    if not isinstance(linear, Node) or linear.target is not ATEN.linear.default:
        raise _refused(f"an output that no linear layer gives ({_words(linear)})", linears)
    embedding = linear.args[0]
    pooled = _back(embedding, SAME | FLATTEN)
    features = _pooled_from(pooled)
    if features is None or not isinstance(embedding, Node):
        raise _refused(f"{_words(pooled)}, before the last linear layer", linears)
    (wide,) = _sizes(embedding) if len(_sizes(embedding)) == 1 else (0,)
    if wide != _sizes(features)[0]:
        raise _refused("a feature map that is not pooled to one number for each channel", linears)
    return linear, embedding, features


def _pooled_from(node: object) -> Node | None:
    """The ``[N,D,h,w]`` node whose mean over all places this is, or ``None`` where it is something else."""
    if not isinstance(node, Node) or not node.args or not isinstance(node.args[0], Node):
        return None
    source = node.args[0]
    sizes = _sizes(source)
    if len(sizes) != 3:
        return None
    if node.target is ATEN.adaptive_avg_pool2d.default:
        is_mean = _sizes(node)[1:] == (1, 1)
    elif node.target is ATEN.mean.dim:
        is_mean = isinstance(node.args[1], list | tuple) and sorted(int(d) % 4 for d in node.args[1]) == [2, 3]
    elif node.target is ATEN.avg_pool2d.default:
        is_mean = _sizes(node)[1:] == (1, 1) and list(node.args[1]) == list(sizes[1:]) and len(node.args) <= 3
    else:
        is_mean = False
    return source if is_mean else None


def _weights(traced: GraphModule, linear: Node) -> tuple[torch.Tensor, torch.Tensor]:
    values = []
    for node in linear.args[1:]:
        if node is None:
            continue
        if not isinstance(node, Node) or node.op != "get_attr":
            raise _refused("a linear layer whose weights are computed from others", 1)
        values.append(operator.attrgetter(str(node.target))(traced).detach().float())
    weight = values[0]
    bias = values[1] if len(values) > 1 else torch.zeros(weight.shape[0])
    if not math.isfinite(float(weight.abs().sum() + bias.abs().sum())):
        raise _refused("a linear layer with weights that are not finite", 1)
    return weight, bias


def _words(node: object) -> str:
    node = _back(node, {operator.getitem})
    name = str(node.target) if isinstance(node, Node) else "nothing"
    short = name.removeprefix("aten.").split(".")[0].rstrip("_")
    for part, words in WORDS:
        if part in short:
            return words
    return f"the step `{short}`"


def _refused(found: str, linears: int) -> EngineError:
    many = f" ({linears} linear layers in the network)" if linears > 1 else ""
    return EngineError(
        "import_head",
        found=found + many,
        expected="the mean over all places of the last feature map, then one linear layer that gives the logits",
        action="Its evidence cannot be stated exactly, so it is not imported. Take a network with global average "
        "pooling (ResNet, DenseNet, EfficientNet), or retrain its head as one linear layer on pooled features.",
    )
