"""A change of version by group: a loss in one ward alone is found, and figures agree with plain computation."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cohort_cases
import numpy as np
import pytest
import tiny_engine
import validation_cases
from PIL import Image
from sklearn.metrics import roc_auc_score

from radiolucent.cohort.validation.change import VersionChange
from radiolucent.cohort.validation.change_groups import GroupChange, by_patients
from radiolucent.cohort.validation.records import Ask
from radiolucent.cohort.validation.validate import Found, validate
from radiolucent.cohort.validation.writing import write
from radiolucent.engines.package import PackageFiles

ONE_IN = 11
IMAGES = 242


def two_wards(folder: Path) -> Path:
    """Every other image positive; in the ward of one patient in eleven what is there is fainter, and elsewhere."""
    folder.mkdir()
    rows = []
    for number in range(IMAGES):
        patient, is_there = number // 2, number % 2 == 0
        ward = "faint" if patient % ONE_IN == 0 else "clear"
        value = 120 + number % 5 if not is_there else (185 if ward == "faint" else 225) - number % 7
        at = validation_cases.RIGHT if ward == "faint" else validation_cases.LEFT
        Image.fromarray(validation_cases.picture(at, value, seed=number)).save(folder / f"i{number}.png")
        row = {"image": f"i{number}.png", "group": f"p{patient}", "source": "made", "sub:ward": ward}
        rows.append(row | {"bright": str(int(is_there))})
    return cohort_cases.table(folder / "cohort.csv", rows)


def versions(tmp_path: Path, threshold: float) -> tuple[Path, Path]:
    old, new = tiny_engine.write(tmp_path / "old"), tiny_engine.write(tmp_path / "new")
    manifest = (new / "engine.toml").read_text()
    (new / "engine.toml").write_text(manifest.replace("threshold = 0.5", f"threshold = {threshold}", 1))
    return old, new


def run(new: Path, old: Path, table: Path, out: Path, *, reference: Path | None = None) -> Found:
    out.mkdir()
    ask = Ask(source=table, against=old, reference=reference, resamples=20, permutations=20)
    found = validate(PackageFiles(new), ask, out=out)
    write(found, out)
    return found


def change_of(found: Found) -> VersionChange:
    assert found.validation.change is not None
    return found.validation.change


def row_of(change: VersionChange, value: str) -> GroupChange:
    return next(row for row in change.groups if (row.key, row.value) == ("bright", value))


@pytest.fixture
def halfway(tmp_path: Path) -> float:
    """A threshold between faint and clear."""
    old, _ = versions(tmp_path / "probe", 0.5)
    (tmp_path / "look").mkdir()
    ask = Ask(source=two_wards(tmp_path / "seen"), resamples=20, permutations=20)
    observed = validate(PackageFiles(old), ask, out=tmp_path / "look").observed
    chances, there = observed.arrays["chances"][:, 0], np.array([c.labels["bright"] == 1 for c in observed.cases])
    faint = np.array([one["ward"] == "faint" for one in observed.strata])
    low, high = chances[there & faint].max(), chances[there & ~faint].min()
    assert low < high
    return float((low + high) / 2)


def test_a_loss_in_one_ward_alone_is_named_and_stops_the_change(tmp_path: Path, halfway: float) -> None:
    old, new = versions(tmp_path, halfway)
    found = run(new, old, two_wards(tmp_path / "c"), tmp_path / "out")
    change = change_of(found)
    faint, clear = row_of(change, "faint"), row_of(change, "clear")
    assert faint.worse == ("sensitivity",)
    assert clear.worse == ()
    assert change.findings[0].verdict != "no-go", "a twelfth of all calls does not show altogether"
    assert (change.verdict, change.why) == (
        "no-go",
        "worse beyond the margins by group: bright where ward is faint (sensitivity)",
    )
    page = (tmp_path / "out" / "report.html").read_text()
    assert "worse where ward is faint (sensitivity)" in page


def test_figures_of_groups_agree_with_plain_computation(tmp_path: Path, halfway: float) -> None:
    old, new = versions(tmp_path, halfway)
    found = run(new, old, two_wards(tmp_path / "c"), tmp_path / "out")
    observed = found.observed
    chances, truth = observed.arrays["chances"][:, 0], np.array([c.labels["bright"] for c in observed.cases])
    for ward in ("faint", "clear"):
        here = np.array([one["ward"] == ward for one in observed.strata])
        row = row_of(change_of(found), ward)
        area, sensitivity, specificity = row.figures
        assert (row.images, row.patients) == (here.sum(), len(set(observed.groups[here])))
        assert row.positives == (truth[here] == 1).sum()
        expected = roc_auc_score(truth[here], chances[here])
        assert (area.before.value, area.after.value) == pytest.approx((expected, expected), abs=1e-6)
        ill, well = here & (truth == 1), here & (truth == 0)
        assert sensitivity.before.value == pytest.approx((chances[ill] >= 0.5).mean(), abs=1e-6)
        assert sensitivity.after.value == pytest.approx((chances[ill] >= halfway).mean(), abs=1e-6)
        gap = (chances[ill] >= halfway).mean() - (chances[ill] >= 0.5).mean()
        assert sensitivity.gap.value == pytest.approx(gap, abs=1e-6)
        assert specificity.after.value == pytest.approx((chances[well] < halfway).mean(), abs=1e-6)


def test_p_over_patients_is_mcnemar_s_where_each_has_one_image() -> None:
    moved = np.array([1.0] * 3 + [-1.0] * 12 + [0.0] * 20)
    one_each, all_of_two = np.arange(35).astype(str), np.array([str(i % 2) for i in range(35)])
    assert by_patients(moved, one_each) == pytest.approx(2 * sum(math.comb(15, k) for k in range(4)) / 2**15)
    assert by_patients(moved, all_of_two) == pytest.approx(0.5), "two patients, both of whom lost"
    assert math.isnan(by_patients(np.zeros(35), one_each))


def test_too_few_patients_of_a_group_say_nothing(tmp_path: Path) -> None:
    old, new = versions(tmp_path, 0.9)
    table = validation_cases.write(tmp_path / "c", images=60, more={"sub:rare": "no"})
    rows = table.read_text().splitlines()
    table.write_text("\n".join([*rows[:-4], *(row.replace(",no", ",yes") for row in rows[-4:])]) + "\n")
    row = row_of(change_of(run(new, old, table, tmp_path / "out")), "yes")
    assert [figure.saying for figure in row.figures] == ["too few to say"] * 3
    assert math.isnan(row.looks.distance)
    assert row.worse == ()


def test_where_both_versions_look_is_held_against_the_reference_that_each_of_them_saw(tmp_path: Path) -> None:
    old, new = versions(tmp_path, 0.6)
    run(new, old, validation_cases.write(tmp_path / "c"), tmp_path / "before")
    moved = validation_cases.write(tmp_path / "m", moved=True, start=1000)
    found = run(new, old, moved, tmp_path / "after", reference=tmp_path / "before")
    looks = row_of(change_of(found), "all").looks
    assert looks.distance == pytest.approx(0.0, abs=0.05), "the same graph looks at the same place"
    assert found.validation.shift is not None
    assert looks.reference_after == pytest.approx(found.validation.shift.cells[0].distance, abs=0.02)
    assert looks.reference_after > 0.1
    assert looks.reference_before == pytest.approx(looks.reference_after, abs=0.05)


def test_without_the_old_version_s_own_view_of_the_reference_its_distance_is_not_said(tmp_path: Path) -> None:
    old, new = versions(tmp_path, 0.6)
    (tmp_path / "before").mkdir()
    ask = Ask(source=validation_cases.write(tmp_path / "c"), resamples=20, permutations=20)
    write(validate(PackageFiles(new), ask, out=tmp_path / "before"), tmp_path / "before")
    moved = validation_cases.write(tmp_path / "m", moved=True, start=1000)
    looks = row_of(change_of(run(new, old, moved, tmp_path / "after", reference=tmp_path / "before")), "all").looks
    assert math.isnan(looks.reference_before)
    assert looks.reference_after > 0.1
    said = json.loads((tmp_path / "after" / "validation.json").read_text())["change"]
    assert (tmp_path / "after" / said["observations_before"]).is_dir()
