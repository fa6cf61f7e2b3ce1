"""An exported package as a network again: so that a run whose checkpoints are gone can be averaged with a later one."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from radiolucent.importing import graph
from training import model
from training.config import Config

TRAINING_ONLY = ("shape_scale", "shape_offset")


def packaged(config: Config, folder: Path) -> model.EvidenceNet:
    """The network of ``folder`` (``model.onnx``, ``engine.toml``), folded and rounded as it shipped.

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
    network = graph.finish(model.build(config, pretrained=False))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name in TRAINING_ONLY:
                continue
            if name not in values:
                raise ValueError(f"{folder.name}: no weight {name}; it is not of this architecture")
            value = torch.from_numpy(values[name].astype(np.float32))
            if name.startswith("head."):
                value = _by_key(value, rows)
            if value.shape != parameter.shape:
                raise ValueError(f"{folder.name}: {name} is {tuple(value.shape)}, not {tuple(parameter.shape)}")
            parameter.copy_(value)
    return network


def _by_key(value: Tensor, rows: list[int | None]) -> Tensor:
    nothing = torch.zeros_like(value[0])
    return torch.stack([nothing if row is None else value[row] for row in rows])
