"""Deletion, insertion, stability and random weights on engines whose evidence is known."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_engine
from onnx import TensorProto, helper, numpy_helper

from radiolucent.cohort.faithfulness import Probe, area, faithfulness, orders, steps_of
from radiolucent.cohort.randomise import randomisation, randomised
from radiolucent.engines.checks import Engine, load, open_session
from radiolucent.engines.package import PackageFiles
from radiolucent.infer.run import run
from radiolucent.prepare.resample import fit_geometry
from radiolucent.records.image import ModelInput

SIDE, CELL, FEATURES = 64, 8, 12


def layered(*, transposed: bool = False) -> bytes:
    """Like the tiny graph, but with twelve learned features, ReLU, and a weight stored in half precision."""
    rng = np.random.default_rng(0)
    weight = rng.normal(0, 5, (2, FEATURES)).astype(np.float16).astype(np.float32)
    kernel = rng.normal(0, 0.1, (FEATURES, 1, CELL, CELL)).astype(np.float32)
    cells = np.float32((SIDE // CELL) ** 2)
    parts = {
        "kernel": kernel,
        "bias": tiny_engine.BIASES,
        "weight.half": (weight.T.copy() if transposed else weight).astype(np.float16),
        "spread": (weight / cells)[:, :, None, None],
    }
    nodes = [
        helper.make_node("Cast", ["weight.half"], ["weight"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["image", "kernel"], ["raw"], strides=[CELL, CELL]),
        helper.make_node("Relu", ["raw"], ["features"]),
        helper.make_node("Conv", ["features", "spread"], ["evidence"]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
    ]
    if transposed:
        nodes += [helper.make_node("MatMul", ["embedding", "weight"], ["product"])]
        nodes += [helper.make_node("Add", ["product", "bias"], ["logits"])]
    else:
        nodes += [helper.make_node("Gemm", ["embedding", "weight", "bias"], ["logits"], transB=1)]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, SIDE, SIDE])
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2]),
        helper.make_tensor_value_info("evidence", TensorProto.FLOAT, ["n", 2, SIDE // CELL, SIDE // CELL]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", FEATURES]),
    ]
    made = helper.make_graph(
        nodes, "layered", [image], outputs, [numpy_helper.from_array(v, k) for k, v in parts.items()]
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def probe(engine: Engine, *, at: tuple[int, int] = (8, 40), group: str = "a", texture: float = 0.0) -> Probe:
    image = np.full((1, SIDE, SIDE), 0.02, dtype=np.float32)
    image += np.float32(texture) * np.random.default_rng(at[0]).random(image.shape, dtype=np.float32)
    image[0, at[0] : at[0] + 16, at[1] : at[1] + 16] = 1.0
    geometry = fit_geometry((SIDE, SIDE), model_shape=(SIDE, SIDE))
    inference = run(engine, [ModelInput(array=image, geometry=geometry)])[0]
    return Probe(index=0, group=group, image=image, geometry=geometry, evidence=inference.evidence[0])


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return load(PackageFiles(tiny_engine.write(tmp_path)))


def test_orders_hold_every_cell_once() -> None:
    evidence = np.arange(12, dtype=np.float32).reshape(3, 4)
    made = orders(evidence, generator=np.random.default_rng(0))
    assert made["evidence"].tolist() == list(range(11, -1, -1))
    assert set(made["centre"][:2]) == {5, 6}
    assert all(sorted(order) == list(range(12)) for order in made.values())


def test_steps_replace_cells_in_order() -> None:
    start, end = np.zeros((1, 8, 8), np.float32), np.ones((1, 8, 8), np.float32)
    images = steps_of(start, end, np.array([3, 0, 1, 2]), (2, 2), steps=4)
    assert [float(i.mean()) for i in images] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert images[1][0, 4:, 4:].all(), "cell 3 is the lower right one"


def test_area_of_a_curve_by_hand(engine: Engine) -> None:
    one = probe(engine)
    dark = np.zeros((1, SIDE, SIDE), np.float32)
    low, high = (1 / (1 + np.exp(-v)) for v in (-2.0, 38.0))
    bright = np.ones((1, SIDE, SIDE), np.float32)
    assert area(engine, one, [dark, bright, bright]) == pytest.approx(0.5 * (low + high) / 2 + 0.5 * high, abs=1e-6)


def test_evidence_beats_random_and_centre_where_it_is_right(engine: Engine) -> None:
    probes = [probe(engine, at=at, group=str(at)) for at in ((8, 40), (0, 0), (40, 8), (48, 48))]
    found = faithfulness(probes, engine, resamples=200)
    assert (found.probes, found.groups) == (4, 4)
    for name in ("random", "centre"):
        assert found.deletion_gain[name].low > 0
        assert found.insertion_gain[name].low > 0
    assert found.noise_correlation.value > 0.2
    assert found.noise_change.value < 0.05
    assert found.shift_correlation.value > 0.4


def test_a_map_turned_round_fails(engine: Engine) -> None:
    wrong = [replace(p, evidence=-p.evidence) for p in (probe(engine), probe(engine, at=(40, 8), group="b"))]
    found = faithfulness(wrong, engine, resamples=100)
    assert found.deletion_gain["random"].high < 0


@pytest.mark.parametrize("transposed", [False, True])
def test_random_weights_change_maps_and_still_add_up(tmp_path: Path, transposed: bool) -> None:
    folder = tiny_engine.write(tmp_path)
    graph = layered(transposed=transposed)
    manifest = (folder / "engine.toml").read_text(encoding="utf-8")
    old = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    (folder / "model.onnx").write_bytes(graph)
    (folder / "engine.toml").write_text(manifest.replace(old, hashlib.sha256(graph).hexdigest()), encoding="utf-8")
    engine = load(PackageFiles(folder))
    probes = [probe(engine, at=at, group=str(at), texture=0.6) for at in ((8, 40), (0, 0), (40, 8))]
    readout, everything = randomisation(probes, engine, graph, resamples=50)
    for row in (readout, everything):
        assert row.completeness_error < 1e-3
        assert row.correlation.value < 0.9
    again = replace(engine, session=open_session(randomised(graph, what="readout", seed=21) or b""))
    assert not np.allclose(probe(again, texture=0.6).evidence, probes[0].evidence)
    kept = {t.name: numpy_helper.to_array(t) for t in onnx.load_from_string(graph).graph.initializer}
    made = onnx.load_from_string(randomised(graph, what="readout_and_convolutions", seed=1) or b"")
    new = {t.name: numpy_helper.to_array(t) for t in made.graph.initializer}
    assert {name for name in kept if not np.array_equal(kept[name], new[name])} == {"kernel", "weight.half", "spread"}
    assert new["kernel"].std() == pytest.approx(kept["kernel"].std(), rel=0.1)
    assert new["weight.half"].dtype == np.float16


def test_a_graph_without_a_linear_read_out_is_not_randomised() -> None:
    model = onnx.load_from_string(tiny_engine.graph())
    for node in model.graph.node:
        if node.op_type == "Gemm":
            node.op_type, node.output[0] = "Gemm", "inner"
    model.graph.node.append(helper.make_node("Tanh", ["inner"], ["logits"]))
    assert randomised(bytes(model.SerializeToString()), what="readout", seed=1) is None
