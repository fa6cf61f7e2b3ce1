"""The trained network as one ONNX graph with small weights."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.model import EvidenceNet

HALF_FROM = 256


def fold_batch_norms(module: nn.Module) -> None:
    """Fold every batch normalisation into the convolution before it (eval mode), in place.

    timm's ``BatchNormAct2d`` keeps its activation, which stays behind in its place.
    """
    pairs = _conv_then_norm(module)
    for parent, conv_name, norm_name in pairs:
        norm = getattr(parent, norm_name)
        setattr(parent, conv_name, fuse_conv_bn_eval(getattr(parent, conv_name), norm))
        rest = [part for part in (getattr(norm, "drop", None), getattr(norm, "act", None)) if part is not None]
        setattr(parent, norm_name, nn.Sequential(*rest))


def _conv_then_norm(module: nn.Module) -> list[tuple[nn.Module, str, str]]:
    pairs = []
    for parent in module.modules():
        names = [n for n, _ in parent.named_children()]
        for first, second in itertools.pairwise(names):
            conv, norm = getattr(parent, first), getattr(parent, second)
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                pairs.append((parent, first, second))
    return pairs


def round_to_half(module: nn.Module) -> None:
    """Round large weights to half precision in place, so that the network itself is what will be stored."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.numel() >= HALF_FROM:
                parameter.copy_(parameter.half().float())


def finish(network: EvidenceNet) -> EvidenceNet:
    """The network as it ships: eval mode, folded, rounded."""
    network = network.eval().to(memory_format=torch.contiguous_format)
    fold_batch_norms(network)
    round_to_half(network)
    return network


def write_onnx(network: EvidenceNet, path: Path, *, channels: int, size: int) -> None:
    """Export ``image [N,C,S,S]`` to ``logits``, ``evidence``, ``embedding``; half-precision storage where exact.

    Weights that half precision holds exactly are stored so, behind a Cast that ONNX Runtime folds at load.
    """
    image = torch.zeros(2, channels, size, size)
    batch = torch.export.Dim("batch", min=1, max=1024)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (image,),
            input_names=["image"],
            output_names=["logits", "evidence", "embedding"],
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
