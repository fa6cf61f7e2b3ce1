"""Concepts: a planted one is found and others are not; the read-out is that of the graph, or it is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_engine
import validation_cases
from onnx import helper
from PIL import Image
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from radiolucent.cohort.validation.concepts import RIDGE, concept, ridge, with_rates
from radiolucent.cohort.validation.readout import ReadOut, read_out
from radiolucent.cohort.validation.records import Ask
from radiolucent.cohort.validation.subgroups import Stratum
from radiolucent.cohort.validation.validate import validate
from radiolucent.cohort.validation.writing import dumps, write
from radiolucent.engines.checks import load
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import SettingsError

PATIENTS, FEATURES = 400, 60
SHIPPED = Path(__file__).parents[2] / "engines"


def stratum(name: str) -> Stratum:
    return Stratum(by=name, value="yes", members=np.zeros(0, dtype=bool))


@pytest.fixture(scope="module")
def world() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, a read-out of one finding, and a concept that half of the patients have."""
    generator = np.random.default_rng(3)
    mixing = generator.normal(0, 1, (FEATURES, FEATURES)) / np.sqrt(FEATURES)
    features = generator.normal(0, 1, (PATIENTS, FEATURES)) @ (mixing + np.eye(FEATURES))
    return features, generator.normal(0, 1, (1, FEATURES)), np.arange(PATIENTS) % 2 == 0


def test_a_planted_concept_is_found_and_one_that_moves_no_score_is_not(
    world: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    features, weight, members = world
    along = weight[0] / np.linalg.norm(weight[0])
    across = np.random.default_rng(4).normal(0, 1, FEATURES)
    across -= (across @ along) * along
    planted = concept(stratum("used"), features + members[:, None] * along, members, ["a"], weight, seed=1)
    # where the features are correlated a classifier leans elsewhere than the shift, so only its size says it is unused
    unused = concept(stratum("unused"), features + members[:, None] * across, members, ["a"], weight, seed=1)
    random = concept(stratum("random"), features, members, ["a"], weight, seed=1)
    found = {one.by: one for one in with_rates([planted, unused, random])}
    assert found["used"].readable.low > 0.5
    assert found["used"].pulls[0].is_found
    assert found["used"].pulls[0].logits > 0
    assert found["used"].pulls[0].derivative > 4 * found["used"].pulls[0].by_chance
    assert found["unused"].readable.value > 0.9, "it can be told, and that is all"
    assert abs(found["unused"].pulls[0].derivative) < 0.2 < found["used"].pulls[0].derivative
    assert found["random"].pulls == (), "the embedding does not tell it, so it has no direction"


def test_random_concepts_raise_no_alarm(world: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    features, _, _ = world
    generator = np.random.default_rng(8)
    weight = generator.normal(0, 1, (5, FEATURES))
    rows = [
        concept(stratum(str(i)), features, generator.permutation(PATIENTS) < 120, list("abcde"), weight, seed=i)
        for i in range(20)
    ]
    assert not any(pull.is_found for one in with_rates(rows) for pull in one.pulls)


def test_direction_slope_and_way_by_another_library_and_by_moving(
    world: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    features, weight, members = world
    features = features + members[:, None] * weight[0] / 10
    mean, scale = features.mean(axis=0), features.std(axis=0)
    standard = (features - mean) / scale
    made = ridge(standard, members[:, None].astype(float))[:, 0]
    other = Ridge(alpha=RIDGE * PATIENTS).fit(standard, members).coef_
    assert made == pytest.approx(other, abs=1e-9)
    direction = other / np.linalg.norm(other)
    pull = concept(stratum("moved"), features, members, ["a"], weight, seed=1).pulls[0]
    way = (standard[members].mean(axis=0) - standard[~members].mean(axis=0)) @ direction
    before = features @ weight[0]
    after = ((standard + way * direction) * scale + mean) @ weight[0]
    assert after - before == pytest.approx(np.full(PATIENTS, pull.logits), abs=1e-9), "the same for every image"
    scores = standard @ other
    assert (
        roc_auc_score(members, scores) > concept(stratum("x"), features, members, ["a"], weight, seed=1).readable.value
    )


@pytest.mark.parametrize(("engine_id", "read"), [("brain-mri-tumor", 384), ("bone-fracture", 384)])
def test_the_read_out_of_shipped_engines(engine_id: str, read: int) -> None:
    files = PackageFiles(SHIPPED / engine_id)
    found = read_out(files, load(files))
    assert isinstance(found, ReadOut)
    assert found.error < 1e-5
    used = np.abs(found.weight).sum(axis=0) > 0
    assert used.sum() == read
    assert used[:read].all(), "of the bone engine's embedding the gathered mean, not the plain one"
    assert found.weight.shape[0] == len(load(files).spec.findings)


def with_nodes(folder: Path, *nodes: onnx.NodeProto) -> PackageFiles:
    """The tiny engine with another way from what is pooled to embedding and logits."""
    package = tiny_engine.write(folder)
    model = onnx.load_from_string((package / "model.onnx").read_bytes())
    kept = [node for node in model.graph.node if node.output[0] not in ("embedding", "logits")]
    del model.graph.node[:]
    model.graph.node.extend([*kept, *nodes])
    old, content = (package / "model.onnx").read_bytes(), model.SerializeToString()
    before, after = (hashlib.sha256(each).hexdigest() for each in (old, content))
    (package / "model.onnx").write_bytes(content)
    manifest = package / "engine.toml"
    manifest.write_text(manifest.read_text().replace(before, after))
    return PackageFiles(package)


def test_the_tiny_read_out_is_that_of_its_graph(tmp_path: Path) -> None:
    files = PackageFiles(tiny_engine.write(tmp_path))
    found = read_out(files, load(files))
    assert isinstance(found, ReadOut)
    assert found.weight == pytest.approx(tiny_engine.WEIGHTS, abs=1e-5)
    assert found.bias == pytest.approx(tiny_engine.BIASES, abs=1e-6)


def test_read_outs_that_are_not_linear_are_refused_in_words(tmp_path: Path) -> None:
    flat = helper.make_node("Flatten", ["pooled"], ["flat"])
    bent = with_nodes(
        tmp_path / "bent",
        flat,
        helper.make_node("Exp", ["flat"], ["embedding"]),
        helper.make_node("Log", ["embedding"], ["back"]),
        helper.make_node("Gemm", ["back", "weight", "bias"], ["logits"], transB=1),
    )
    assert "no linear function" in str(read_out(bent, load(bent)))
    square = with_nodes(
        tmp_path / "square",
        flat,
        helper.make_node("Sign", ["flat"], ["side"]),
        helper.make_node("Abs", ["flat"], ["size"]),
        helper.make_node("Sqrt", ["size"], ["root"]),
        helper.make_node("Mul", ["root", "side"], ["embedding"]),
        helper.make_node("Abs", ["embedding"], ["again"]),
        helper.make_node("Mul", ["embedding", "again"], ["back"]),
        helper.make_node("Gemm", ["back", "weight", "bias"], ["logits"], transB=1),
    )
    assert "no linear function of its embedding (missed by" in str(read_out(square, load(square)))
    aside = with_nodes(
        tmp_path / "aside",
        flat,
        helper.make_node("Exp", ["flat"], ["embedding"]),
        helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"], transB=1),
    )
    assert "do not come from the pooled embedding alone" in str(read_out(aside, load(aside)))


def test_concept_columns_and_the_page(tmp_path: Path) -> None:
    engine = tiny_engine.write(tmp_path / "engines")
    table = validation_cases.write(tmp_path / "c", images=80)
    for name, value in (("full", 255), ("empty", 0)):
        Image.fromarray(np.full((8, 8), value, dtype=np.uint8)).save(tmp_path / "c" / f"{name}.png")
    head, *lines = table.read_text().splitlines()
    cells = ["1", "0", "full.png", "empty.png"]
    patient = [f"{line},{cells[number // 2 % 4]}" for number, line in enumerate(lines)]
    table.write_text("\n".join([f"{head},concept:tube", *patient]))
    (tmp_path / "out").mkdir()
    found = validate(PackageFiles(engine), Ask(source=table, resamples=20, permutations=20), out=tmp_path / "out")
    rows = {one.by: one for one in found.validation.concepts.concepts}
    assert (rows["concept tube"].patients, rows["concept tube"].others) == (20, 20)
    assert {one["concept tube"] for one in found.observed.strata} == {"yes", "no"}
    assert found.validation.concepts.error < 1e-5
    write(found, tmp_path / "out")
    assert "What concepts move it" in (tmp_path / "out" / "report.html").read_text()
    assert json.loads(dumps(found.validation))["concepts"]["refused"] == ""
    table.write_text("\n".join([f"{head},concept:tube", *(f"{line},no.png" for line in lines)]))
    with pytest.raises(SettingsError) as caught:
        validate(PackageFiles(engine), Ask(source=table), out=tmp_path / "out")
    assert caught.value.code == "truth_table"
