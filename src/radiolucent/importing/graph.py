"""A network as one ONNX graph with small weights."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

HALF_FROM = 256
Network = TypeVar("Network", bound=nn.Module)


def fold_batch_norms(module: nn.Module, image: torch.Tensor | None = None) -> None:
    """Fold batch normalisations into the convolutions before them (eval mode), in place.

    A pair is folded only where the norm stands right behind the convolution in one parent. With ``image [N,C,H,W]``
    one forward pass also watches the tensors: the norm must have been fed by that convolution alone, and each must
    have run once. Networks that normalise before they convolve (DenseNet) keep those norms as they are. timm's
    ``BatchNormAct2d`` keeps its activation, which stays behind in its place.
    """
    pairs = _conv_then_norm(module)
    if image is not None:
        pairs = _seen_in_a_row(module, pairs, image)
    for parent, conv_name, norm_name in pairs:
        norm = getattr(parent, norm_name)
        setattr(parent, conv_name, fuse_conv_bn_eval(getattr(parent, conv_name), norm))
        rest = [part for part in (getattr(norm, "drop", None), getattr(norm, "act", None)) if part is not None]
        setattr(parent, norm_name, nn.Sequential(*rest))


Pair = tuple[nn.Module, str, str]


def _conv_then_norm(module: nn.Module) -> list[Pair]:
    pairs = []
    for parent in module.modules():
        names = [n for n, _ in parent.named_children()]
        for first, second in itertools.pairwise(names):
            conv, norm = getattr(parent, first), getattr(parent, second)
            if type(conv) is not nn.Conv2d or not isinstance(norm, nn.BatchNorm2d):
                continue
            if norm.running_mean is not None and norm.num_features == conv.out_channels:
                pairs.append((parent, first, second))
    return pairs


def _seen_in_a_row(module: nn.Module, pairs: list[Pair], image: torch.Tensor) -> list[Pair]:
    """Pairs whose norm was fed the very tensor that its convolution gave, each having run once."""
    fed: dict[nn.Module, list[torch.Tensor]] = {}
    given: dict[nn.Module, list[torch.Tensor]] = {}

    def watch(part: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        fed.setdefault(part, []).append(inputs[0])
        given.setdefault(part, []).append(output)

    parts = {getattr(parent, name) for parent, *names in pairs for name in names}
    hooks = [part.register_forward_hook(watch) for part in parts]
    try:
        with torch.inference_mode():
            module(image)
    finally:
        for hook in hooks:
            hook.remove()
    kept = []
    for parent, first, second in pairs:
        conv, norm = getattr(parent, first), getattr(parent, second)
        once = len(given.get(conv, ())) == 1 and len(fed.get(norm, ())) == 1
        if once and given[conv][0] is fed[norm][0]:
            kept.append((parent, first, second))
    return kept


def round_to_half(module: nn.Module) -> None:
    """Round large weights to half precision in place, so that the network itself is what will be stored."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.numel() >= HALF_FROM:
                parameter.copy_(parameter.half().float())


def finish(network: Network) -> Network:
    """The network as it ships: eval mode, folded, rounded."""
    network = network.eval().to(memory_format=torch.contiguous_format)
    fold_batch_norms(network)
    round_to_half(network)
    return network


class Reordered(nn.Module):
    """The same network with its outputs picked and put in order: ``order`` are places in what it returns."""

    def __init__(self, network: nn.Module, order: Sequence[int]) -> None:
        super().__init__()
        self.network, self.order = network, tuple(order)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The picked outputs, shapes as the network gives them."""
        outputs = self.network(image)
        return tuple(outputs[place] for place in self.order)


def write_onnx(network: nn.Module, path: Path, *, channels: int, size: int, outputs: Sequence[str]) -> None:
    """Export ``image [N,C,S,S]`` (N from 1 to 1024) to a graph; half-precision storage where exact.

    Weights that half precision holds exactly are stored so, behind a Cast that ONNX Runtime folds at load.

    Parameters
    ----------
    outputs
        Names in the order in which the network returns them. A package wants ``logits``, ``evidence``, ``embedding``
        first: `Reordered` brings them into that order.
    """
    image = torch.zeros(2, channels, size, size)
    batch = torch.export.Dim("batch", min=1, max=1024)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (image,),
            input_names=["image"],
            output_names=list(outputs),
            dynamic_shapes=({0: batch},),
            opset_version=18,
            dynamo=True,
            verbose=False,
        )
    graph = program.model_proto
    _store_half(graph)
    for node in graph.graph.node:
        node.ClearField("doc_string")
        del node.metadata_props[:]
    del graph.graph.value_info[:]
    graph.doc_string, graph.producer_name, graph.producer_version = "", "radiolucent", ""
    del graph.metadata_props[:]
    del graph.graph.metadata_props[:]
    onnx.checker.check_model(graph)
    path.write_bytes(graph.SerializeToString(deterministic=True))


def _store_half(graph: onnx.ModelProto) -> None:
    kept, casts = [], []
    for tensor in graph.graph.initializer:
        value = numpy_helper.to_array(tensor)
        half = value.astype(np.float16) if value.dtype == np.float32 else None
        if half is None or value.size < HALF_FROM or not np.array_equal(half.astype(np.float32), value):
            kept.append(tensor)
            continue
        kept.append(numpy_helper.from_array(half, f"{tensor.name}.half"))
        casts.append(helper.make_node("Cast", [f"{tensor.name}.half"], [tensor.name], to=TensorProto.FLOAT))
    nodes = list(graph.graph.node)
    del graph.graph.initializer[:]
    del graph.graph.node[:]
    graph.graph.initializer.extend(kept)
    graph.graph.node.extend(casts + nodes)


def plain_onnx(source: Path, target: Path) -> None:
    """The same network with ``logits`` alone: what a service without explanations would run."""
    onnx.utils.extract_model(str(source), str(target), ["image"], ["logits"])
