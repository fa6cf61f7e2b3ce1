"""A tiny engine package whose every number can be worked out by hand."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE, CELL = 64, 8
WEIGHTS = np.array([[40.0], [-40.0]], dtype=np.float32)
BIASES = np.array([-2.0, 0.5], dtype=np.float32)

MANIFEST = """
format = "radiolucent.engine/1"
id = "{id}"
title = "Tiny"
version = "1.0.0"
license = "Apache-2.0"
method = "Grad-CAM in closed form"
zones = "{zones}"
device_uid = "2.25.42"
[graph]
sha256 = "{sha256}"
[population]
modalities = {modalities}
body_parts = {body_parts}
views = {views}
min_age_years = 18
intended_use = "Tests."
[input]
rows = 64
columns = 64
mean = 0.0
std = 1.0
channels = [{{ source = "voi" }}]
[[findings]]
key = "bright"
display = "Bright"
rank = 1
critical = true
kind = "localisable"
expected_regions = []
display_class = "{display_class}"
bias = {bias0}
threshold = 0.5
map_scale = 0.1
region_fraction = 0.5
evidence_level = "adequate"
code = {{ scheme = "99RADIOLUCENT", value = "bright", meaning = "Bright" }}
calibration = {{ method = "platt", slope = 1.0, intercept = 0.0 }}
metrics = {{ test_positives = 50 }}
[[findings]]
key = "dark"
display = "Dark"
rank = 2
critical = false
kind = "diffuse"
expected_regions = []
display_class = "locate"
bias = 0.5
threshold = 0.5
map_scale = 0.1
region_fraction = 0.5
evidence_level = "insufficient"
code = {{ scheme = "99RADIOLUCENT", value = "dark", meaning = "Dark" }}
calibration = {{ method = "platt", slope = 1.0, intercept = 0.0 }}
metrics = {{ test_positives = 1 }}
[training]
summary = "None: built by hand."
"""


def graph(*, lie: float = 0.0) -> bytes:
    """Features are 8 x 8 block means of the image; ``lie`` is added to the logits behind the evidence's back."""
    cells = (SIDE // CELL) ** 2
    parts = {
        "weight": WEIGHTS,
        "spread": (WEIGHTS / cells)[:, :, None, None],
        "bias": BIASES + np.float32(lie),
    }
    nodes = [
        helper.make_node("AveragePool", ["image"], ["features"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
        helper.make_node("Conv", ["features", "spread"], ["evidence"]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
        helper.make_node("Gemm", ["embedding", "weight", "bias"], ["logits"], transB=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, SIDE, SIDE])
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2]),
        helper.make_tensor_value_info("evidence", TensorProto.FLOAT, ["n", 2, SIDE // CELL, SIDE // CELL]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 1]),
    ]
    initializers = [numpy_helper.from_array(value, name) for name, value in parts.items()]
    made = helper.make_graph(nodes, "tiny", [image], outputs, initializers)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write(
    folder: Path,
    *,
    engine_id: str = "tiny",
    lie: float = 0.0,
    modalities: tuple[str, ...] = ("CR", "DX"),
    body_parts: tuple[str, ...] = ("CHEST",),
    views: tuple[str, ...] = ("PA", "AP"),
    display_class: str = "locate",
    zones: str = "chest",
) -> Path:
    """Write the package into ``folder/<id>`` and give its path."""
    target = folder / engine_id
    target.mkdir(parents=True)
    content = graph(lie=lie)
    (target / "model.onnx").write_bytes(content)
    manifest = MANIFEST.format(
        id=engine_id,
        sha256=hashlib.sha256(content).hexdigest(),
        modalities=list(modalities),
        body_parts=list(body_parts),
        views=list(views),
        display_class=display_class,
        zones=zones,
        bias0=BIASES[0],
    )
    (target / "engine.toml").write_text(manifest, encoding="utf-8")
    (target / "CARD.md").write_text("# Tiny\n", encoding="utf-8")
    return target
