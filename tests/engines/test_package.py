"""An engine package must be what it says it is, or say clearly why not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny_engine

from radiolucent.engines.checks import load, probe_image
from radiolucent.engines.package import PackageFiles
from radiolucent.engines.registry import Registry, shipped_folder
from radiolucent.errors import EngineError, SettingsError


def test_a_sound_package_loads(tmp_path: Path) -> None:
    engine = load(PackageFiles(tiny_engine.write(tmp_path)))
    assert engine.spec.id == "tiny"
    assert engine.completeness_error < 1e-5
    assert [f.key for f in engine.spec.findings] == ["bright", "dark"]


def test_a_zip_loads_like_its_folder(tmp_path: Path) -> None:
    folder = tiny_engine.write(tmp_path / "a")
    archive = Path(shutil.make_archive(str(tmp_path / "tiny"), "zip", folder))
    assert load(PackageFiles(archive)).spec == load(PackageFiles(folder)).spec


def _code(path: Path) -> str:
    with pytest.raises(EngineError) as caught:
        load(PackageFiles(path))
    assert caught.value.found
    assert caught.value.expected
    return caught.value.code


def test_a_changed_graph_is_refused(tmp_path: Path) -> None:
    folder = tiny_engine.write(tmp_path)
    graph = folder / "model.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    assert _code(folder) == "engine_hash"


def test_evidence_that_does_not_add_up_is_refused(tmp_path: Path) -> None:
    assert _code(tiny_engine.write(tmp_path, lie=0.01)) == "engine_completeness"


@pytest.mark.parametrize("name", ["model.onnx", "CARD.md"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = tiny_engine.write(tmp_path)
    (folder / name).unlink()
    assert _code(folder) == "engine_incomplete"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("threshold = 0.5", "threshold = 1.5"),
        ("threshold = 0.5", 'threshold = "half"'),
        ('key = "dark"', 'key = "bright"'),
        ('method = "platt"', 'method = "magic"'),
        ("rows = 64", "rows = 6.4"),
        ("radiolucent.engine/1", "radiolucent.engine/9"),
        ('kind = "diffuse"', 'kind = "vague"'),
        ("[graph]", "[graph"),
    ],
)
def test_a_wrong_manifest_is_refused(tmp_path: Path, old: str, new: str) -> None:
    manifest = tiny_engine.write(tmp_path) / "engine.toml"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new))
    assert _code(manifest.parent) == "engine_manifest"


def test_a_graph_of_another_size_is_refused(tmp_path: Path) -> None:
    manifest = tiny_engine.write(tmp_path) / "engine.toml"
    manifest.write_text(manifest.read_text().replace("rows = 64", "rows = 60"))
    assert _code(manifest.parent) == "engine_shape"


def test_no_package_at_all(tmp_path: Path) -> None:
    assert _code(tmp_path) == "engine_not_found"


def test_the_registry_lists_and_refuses(tmp_path: Path) -> None:
    tiny_engine.write(tmp_path, engine_id="b")
    tiny_engine.write(tmp_path, engine_id="a")
    registry = Registry([tmp_path, tmp_path / "nowhere"])
    assert [s.id for s in registry.specs] == ["a", "b"]
    assert registry.get("a") is registry.get("a")
    with pytest.raises(SettingsError, match="unknown_engine"):
        registry.files("c")


def test_one_id_twice_is_refused(tmp_path: Path) -> None:
    tiny_engine.write(tmp_path / "x")
    tiny_engine.write(tmp_path / "y")
    with pytest.raises(EngineError, match="engine_twice"):
        Registry([tmp_path / "x", tmp_path / "y"])


SHIPPED = {
    "chest-film": 16,
    "brain-mri-tumor": 4,
    "head-ct-hemorrhage": 7,
    "bone-fracture": 1,
}


@pytest.mark.parametrize("engine_id", SHIPPED)
def test_every_shipped_engine_loads_and_adds_up(engine_id: str) -> None:
    engine = Registry([shipped_folder()]).get(engine_id)
    assert len(engine.spec.findings) == SHIPPED[engine_id]
    assert engine.completeness_error < 1e-4
    assert engine.spec.id in engine.card
    assert engine.spec.sha256 in engine.card


def test_the_probe_image_has_the_engine_shape(tmp_path: Path) -> None:
    spec = load(PackageFiles(tiny_engine.write(tmp_path))).spec
    assert probe_image(spec).shape == (2, 1, 64, 64)
    assert probe_image(spec).dtype == np.float32
