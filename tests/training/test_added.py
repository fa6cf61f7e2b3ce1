"""An added cohort: what may not be learnt is refused by name, what may is learnt, and the package says so."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from radiolucent.cohort.validation.roster import digest_of
from radiolucent.errors import SettingsError
from training import added, cohort, data
from training import config as configuration
from training.augment import augment
from training.config import Config, Schedule
from training.export import members_of
from training.packaged import folded

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("one_thread")]
SIDE = 64


@pytest.fixture
def config(configs: Path) -> Config:
    loaded = configuration.load(configs / "chest-film-children.toml")
    assert loaded.id == "chest-film", "the variant extends the engine's own configuration"
    assert loaded.add is not None
    small = {"input": loaded.input.model_copy(update={"size": SIDE}), "left_out": []}
    return loaded.model_copy(update=small | {"add": loaded.add.model_copy(update={"epochs": 1, "batch": 4})})


def package(folder: Path, split: dict[str, str]) -> Path:
    """A package as far as its split list is read."""
    folder.mkdir()
    (folder / "engine.toml").write_text("")
    rows = "".join(f"{digest_of(group)},{part}\n" for group, part in split.items())
    (folder / "split.csv").write_text("group_sha256,part\n" + rows)
    return folder


def table(folder: Path, rows: list[dict[str, object]], name: str = "cohort.csv") -> Path:
    """A table, and a phantom for each of its rows: a bright spot where there is pneumonia."""
    folder.mkdir(exist_ok=True)
    for number, row in enumerate(rows):
        draw = np.random.default_rng(number)
        picture = draw.integers(40, 90, (SIDE, SIDE)).astype(np.uint8)
        if row.get("pneumonia") == 1:
            picture[34:50, 8:24] = 220
        row.setdefault("image", f"{name}-{number}.png")
        Image.fromarray(picture).save(folder / str(row["image"]), "PNG")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with (folder / name).open("w", newline="") as handle:
        writer = csv.DictWriter(handle, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


def row(group: str, part: str, **more: object) -> dict[str, object]:
    return {"group": group, "part": part, "pneumonia": 1, **more}


def refused(config: Config, rows: list[dict[str, object]], tmp_path: Path, **sources: object) -> SettingsError:
    start = package(tmp_path / "package", {"tested": "test", "chosen": "val", "guarded": "guards"})
    given = {"package": start, "cohort": table(tmp_path / "add", rows), **sources}
    with pytest.raises(SettingsError) as caught:
        added.read(added.Sources(**given), config)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("rows", "code", "said"),
    [
        (
            [row("a", "train"), row("tested", "val", image="secret.png")],
            "cohort_leak",
            "secret.png (val here, test there)",
        ),
        ([row("chosen", "train", image="c.png"), row("a", "val")], "cohort_leak", "c.png (train here, val there)"),
        ([row("a", "train", image="1.png"), row("a", "val", image="2.png")], "cohort_leak", "1.png and 2.png"),
        ([row("a", "train", pneumonia=""), row("b", "val")], "truth_table", "part train: no image with a label"),
        ([row("a", "train")], "truth_table", "part val: no image with a label"),
        ([row("", "train"), row("b", "val")], "truth_table", "row 2: no group"),
        ([row("a", "train", consent=""), row("b", "val", consent="x")], "truth_table", "row 2: no consent"),
    ],
)
def test_what_may_not_be_learnt_is_refused_by_name(
    config: Config, tmp_path: Path, rows: list[dict[str, object]], code: str, said: str
) -> None:
    error = refused(config, rows, tmp_path)
    assert error.code == code
    assert said in error.found


def test_a_test_table_is_kept_out_by_group_and_by_content(config: Config, tmp_path: Path) -> None:
    rows = [row("a", "train", image="1.png"), row("guarded", "val", image="2.png")]
    same_group = table(tmp_path / "t1", [{"group": "guarded", "image": "other.png"}], "test.csv")
    error = refused(config, rows, tmp_path, tests=(same_group,))
    assert error.found == "1 images of groups that a test table holds: 2.png"
    (tmp_path / "t2").mkdir()
    (tmp_path / "t2" / "copy.png").write_bytes((tmp_path / "add" / "1.png").read_bytes())
    (tmp_path / "t2" / "test.csv").write_text("image\ncopy.png\n")
    given = added.Sources(
        package=tmp_path / "package", cohort=tmp_path / "add" / "cohort.csv", tests=(tmp_path / "t2" / "test.csv",)
    )
    with pytest.raises(SettingsError) as caught:
        added.read(given, config)
    assert caught.value.found == "1 images that a test table holds: 1.png"


def test_a_dicom_file_is_refused_by_name(config: Config, tmp_path: Path) -> None:
    rows = [row("a", "train", image="1.dcm"), row("b", "val")]
    there = table(tmp_path / "add", rows)
    (tmp_path / "add" / "1.dcm").write_bytes(bytes(128) + b"DICM")
    with pytest.raises(SettingsError) as caught:
        added.read(added.Sources(package=package(tmp_path / "package", {}), cohort=there), config)
    assert "1 images that are no pictures: 1.dcm" in caught.value.found


def test_a_variant_learns_both_and_remembers_what_it_was_given(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = table(tmp_path / "own", [row(f"o{n}", "test", pneumonia=n % 2) for n in range(20)])
    samples = [
        data.Sample(
            name=f"{n}",
            group=f"o{n}",
            source="own",
            channels=(own.parent / f"cohort.csv-{n}.png",),
            labels={"Pneumonia": float(n % 2)},
        )
        for n in range(20)
    ]
    monkeypatch.setitem(data.READERS, "chest", lambda _: samples)
    torch.manual_seed(3)
    start = folded(config)
    monkeypatch.setattr(added, "packaged", lambda *_: [start])
    before = {name: value.clone() for name, value in start.state_dict().items()}
    rows = [row(f"a{n}", "val" if n > 7 else "train", pneumonia=n % 2) for n in range(12)]
    boxes = tmp_path / "add" / "boxes.csv"
    there = table(tmp_path / "add", rows)
    boxes.write_text("image,finding,x,y,w,h,consent\ncohort.csv-1.png,pneumonia,0.1,0.5,0.3,0.3,yes\n")
    sources = added.Sources(package=package(tmp_path / "package", {}), cohort=there, boxes=boxes)
    run = tmp_path / "run"
    (network,) = added.train(config, tmp_path, run, sources)
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert "head.weight" in moved
    assert "backbone.conv_stem.weight" not in moved, "frozen blocks stay as they shipped"
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [entry["phase"] for entry in entries] == ["member0 before", "member0", "member0 after"]
    assert set(entries[0]["added"]) == {"pneumonia"}, "AUC of what is known of the added images"

    again = added.recall(config, run)
    assert [
        (len(again[part]), {s.group for s in again[part]} <= {r["group"] for r in rows}) for part in added.PARTS
    ] == [
        (8, True),
        (2, True),
    ]
    assert len(again["val"]) == len([s for s in samples if data.split_of(samples)[s.group] == "val"])
    assert [s.boxes for s in again["train"] if s.boxes] == [{"Pneumonia": [(0.1, 0.5, 0.3, 0.3)]}]
    (said,) = added.note(again, config)
    assert "8 images to learn from and 2 to choose on" in said
    (loaded,) = members_of(config, run)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_the_split_list_names_what_was_added(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "split_list", lambda *_: iter([("o", "test"), ("a", "guards")]))
    path = cohort.write_split(config, tmp_path, tmp_path, further={"a": "train", "b": "val"})
    rows = set(path.read_text().splitlines()[1:])
    assert rows == {f"{digest_of(g)},{p}" for g, p in (("o", "test"), ("a", "train"), ("b", "val"))}


def test_squeezed_pictures_keep_their_masks_and_corners_are_painted_over() -> None:
    images = torch.full((40, 1, SIDE, SIDE), 0.5)
    images[:, :, 24:40, 24:40] = 1.0
    masks = torch.zeros(40, 1, 16, 16)
    masks[:, :, 6:10, 6:10] = 1.0
    regions = torch.full((40, 1, 16, 16), 255.0)

    def seen(**more: float) -> tuple[torch.Tensor, torch.Tensor]:
        schedule = Schedule(epochs=1, rotate_deg=0.0, **more)  # type: ignore[arg-type]
        generator = torch.Generator().manual_seed(1)
        moved, inside, _ = augment(images, masks, regions, schedule, generator, sides=torch.tensor([0]))
        return moved, inside

    def aspect(inside: torch.Tensor) -> torch.Tensor:
        return inside.amax(2).sum(2) / inside.amax(3).sum(2)

    plain, squeezed = aspect(seen()[1]), aspect(seen(squeeze=0.3)[1])
    assert squeezed.std() > plain.std() + 0.1
    moved = seen(corners=1.0)[0][:, 0]
    corner = moved[:, :5, :5].flatten(1)
    assert (corner.std(1) == 0).all()
    assert corner.mean(1).std() > 0.1, "one grey each picture"
    assert (seen(corners=0.0)[0][:, 0, :5, :5].flatten(1).std(1) > 0).all()


def test_a_variant_needs_a_section_of_its_own(configs: Path, tmp_path: Path) -> None:
    plain = configuration.load(configs / "chest-film.toml")
    sources = added.Sources(package=tmp_path, cohort=tmp_path / "x.csv")
    with pytest.raises(SettingsError, match=r"without \[add\]"):
        added.train(plain, tmp_path, tmp_path / "run", sources)
