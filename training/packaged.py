"""An exported package as networks again: to be averaged with a later run, or to go on learning (`training.added`)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor

from radiolucent.importing import graph
from training import model
from training.config import Config

TRAINING_ONLY = ("shape_scale", "shape_offset")
MEMBER = "members."
"""Of weights that all networks of a mean share, a graph holds the first one's alone."""


def packaged(config: Config, folder: Path) -> list[model.EvidenceNet]:
    """The networks whose mean is ``folder`` (``model.onnx``, ``engine.toml``), folded and rounded as they shipped.

    A finding of the configuration that the package does not know gets a read-out of zeros.

    Raises
    ------
    ValueError
        A package of another architecture.
    """
    manifest = tomllib.loads((folder / "engine.toml").read_text(encoding="utf-8"))
    known = [table["key"] for table in manifest["findings"]]
    rows = [known.index(f.key) if f.key in known else None for f in config.findings]
    held = onnx.load(str(folder / "model.onnx")).graph.initializer
    values = {i.name.removesuffix(".half").removeprefix("network."): numpy_helper.to_array(i) for i in held}
    members = sorted({name.split(".")[1] for name in values if name.startswith(MEMBER)}, key=int)
    prefixes = [f"{MEMBER}{member}." for member in members] or [""]
    return [_network(config, values, rows, prefix=prefix, name=folder.name) for prefix in prefixes]


def _network(
    config: Config, values: dict[str, NDArray[np.generic]], rows: list[int | None], *, prefix: str, name: str
) -> model.EvidenceNet:
    network = folded(config)
    with torch.no_grad():
        for weight, parameter in network.named_parameters():
            if weight in TRAINING_ONLY:
                continue
            held = values.get(prefix + weight, values.get(f"{MEMBER}0.{weight}"))
            if held is None:
                raise ValueError(f"{name}: no weight {weight}; it is not of this architecture")
            value = torch.from_numpy(held.astype(np.float32))
            if weight.startswith("head."):
                value = _by_key(value, rows)
            if value.shape != parameter.shape:
                raise ValueError(f"{name}: {weight} is {tuple(value.shape)}, not {tuple(parameter.shape)}")
            parameter.copy_(value)
    return network


def folded(config: Config) -> model.EvidenceNet:
    """The network of a configuration without weights, in the form in which it ships."""
    return graph.finish(model.build(config, pretrained=False))


def _by_key(value: Tensor, rows: list[int | None]) -> Tensor:
    nothing = torch.zeros_like(value[0])
    return torch.stack([nothing if row is None else value[row] for row in rows])
