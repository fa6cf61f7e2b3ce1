"""Two versions on one cohort: what flips, and the verdict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_engine
import validation_cases

from radiolucent.cohort.measure import Interval
from radiolucent.cohort.validation.change import VersionChange, judge
from radiolucent.cohort.validation.estimates import Paired
from radiolucent.cohort.validation.records import Ask
from radiolucent.cohort.validation.validate import validate
from radiolucent.cohort.validation.writing import write
from radiolucent.engines.package import PackageFiles
from radiolucent.errors import SettingsError


def changed(new: Path, old: Path, table: Path, out: Path) -> VersionChange:
    out.mkdir()
    found = validate(PackageFiles(new), Ask(source=table, against=old, resamples=20, permutations=20), out=out)
    write(found, out)
    assert found.validation.change is not None
    assert found.validation.change.verdict in (out / "report.html").read_text()
    return found.validation.change


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return validation_cases.write(tmp_path / "c")


def test_the_same_version_flips_nothing_and_may_go_in(tmp_path: Path, table: Path) -> None:
    engine = tiny_engine.write(tmp_path / "one")
    found = changed(engine, engine, table, tmp_path / "out")
    bright = found.findings[0]
    assert (bright.appear, bright.vanish, bright.flips.value, bright.flipped) == (0, 0, 0.0, ())
    assert bright.correlation == pytest.approx(1.0)
    assert bright.map_distance == pytest.approx(0.0, abs=1e-3)
    assert (found.verdict, bright.verdict) == ("go", "go")
    assert found.findings[1].verdict == "cannot tell", "no truth"


def test_another_threshold_is_told_by_what_flips_and_by_the_old_threshold(tmp_path: Path, table: Path) -> None:
    old, new = tiny_engine.write(tmp_path / "old"), tiny_engine.write(tmp_path / "new")
    manifest = (new / "engine.toml").read_text()
    (new / "engine.toml").write_text(manifest.replace("threshold = 0.5", "threshold = 0.95", 1))
    found = changed(new, old, table, tmp_path / "out")
    bright = found.findings[0]
    assert bright.appear == 0
    assert 0 < bright.vanish < 60
    assert len(bright.flipped) == min(bright.vanish, 50)
    assert bright.auc.gap.value == 0
    assert bright.old_threshold_sensitivity == 1.0
    assert bright.specificity_gap.value > 0
    assert bright.sensitivity_gap.value <= 0


def test_a_version_that_reads_the_wrong_way_round_is_stopped(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tiny_engine.write(tmp_path / "old")
    monkeypatch.setattr(tiny_engine, "WEIGHTS", -tiny_engine.WEIGHTS)
    found = changed(tiny_engine.write(tmp_path / "new"), old, table, tmp_path / "out")
    bright = found.findings[0]
    assert (bright.auc.first.value, bright.auc.second.value) == (1.0, 0.0)
    assert found.verdict == bright.verdict == "no-go"
    assert "AUC" in bright.why


def test_the_verdict_by_hand() -> None:
    def paired(low: float, value: float, high: float, units: int = 40) -> Paired:
        one = Interval(0.8, 0.7, 0.9)
        return Paired(first=one, second=one, gap=Interval(value, low, high), p=np.nan, units=units)

    still = Interval(0.0, -0.05, 0.05)
    assert judge(paired(-0.04, 0.0, 0.04), still, still)[0] == "go"
    assert judge(paired(-0.06, 0.0, 0.06), still, still) == (
        "cannot tell",
        "the interval of AUC reaches beyond the margin",
    )
    assert judge(paired(-0.2, -0.1, -0.01), still, still)[0] == "no-go"
    assert judge(paired(-0.04, -0.02, -0.01), still, still)[0] == "go", "surely worse, but within the margin"
    assert judge(paired(-0.04, 0, 0.04), Interval(-0.2, -0.3, -0.1), still)[1].startswith("sensitivity fell")
    assert judge(paired(-0.04, 0, 0.04), Interval(-0.2, -0.3, -0.1), still)[1].endswith("another threshold may do")
    assert "threshold" not in judge(paired(-0.2, -0.1, -0.01), Interval(-0.2, -0.3, -0.1), still)[1]
    assert judge(paired(-0.04, 0, 0.04, units=9), still, still)[0] == "cannot tell"


def test_engines_without_a_finding_in_common_are_refused(tmp_path: Path, table: Path) -> None:
    old, new = tiny_engine.write(tmp_path / "old"), tiny_engine.write(tmp_path / "new")
    text = (new / "engine.toml").read_text()
    (new / "engine.toml").write_text(
        text.replace('key = "bright"', 'key = "light"').replace('key = "dark"', 'key = "dim"')
    )
    rows = table.read_text().replace("bright", "light")
    table.write_text(rows)
    with pytest.raises(SettingsError) as caught:
        changed(new, old, table, tmp_path / "out")
    assert caught.value.code == "other_version"
