"""Groups of errors: dark pictures are missed, and the report says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_engine
import validation_cases
from PIL import Image

from radiolucent.cohort.validation.records import Ask
from radiolucent.cohort.validation.validate import Found, validate
from radiolucent.cohort.validation.writing import write
from radiolucent.engines.package import PackageFiles


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """Positives of every other patient are dark, so an engine that asks for light misses them."""
    engine = tiny_engine.write(tmp_path / "engines")
    manifest = (engine / "engine.toml").read_text()
    (engine / "engine.toml").write_text(manifest.replace("threshold = 0.5", "threshold = 0.93", 1))
    table = validation_cases.write(tmp_path / "c", images=120)
    for number in range(0, 120, 2):
        if number // 2 % 2:
            path = tmp_path / "c" / f"i{number}.png"
            with Image.open(path) as picture:
                Image.fromarray((np.array(picture) * 0.6).astype(np.uint8)).save(path)
    return validate(PackageFiles(engine), Ask(source=table, resamples=10, permutations=20), out=tmp_path)


def test_what_is_missed_is_told_with_what_sets_it_apart(found: Found, tmp_path: Path) -> None:
    missed = [f for f in found.validation.failures if f.kind == "missed"]
    assert missed
    assert sum(f.images for f in missed) == missed[0].of == 30
    traits = {t.name: t for f in missed for t in f.traits}
    assert traits["half: h1"].here == 1.0
    assert traits["half: h1"].right == 0.0
    assert traits["brightness of the picture"].here < traits["brightness of the picture"].right
    assert all(t.q < 0.05 for f in missed for t in f.traits)
    assert all(found.observed.strata[i]["half"] == "h1" for f in missed for i in f.cases)
    write(found, tmp_path)
    page, cases = (tmp_path / "report.html").read_text(), (tmp_path / "cases.html").read_text()
    assert "half: h1 100% (0%)" in page
    assert 'href="cases.html#bright-missed-1"' in page
    assert 'id="bright-missed-1"' in cases


def test_few_errors_are_not_grouped(tmp_path: Path) -> None:
    engine = tiny_engine.write(tmp_path / "engines")
    manifest = (engine / "engine.toml").read_text()
    (engine / "engine.toml").write_text(manifest.replace("threshold = 0.5", "threshold = 0.95", 1))
    table = validation_cases.write(tmp_path / "c", images=30)
    found = validate(PackageFiles(engine), Ask(source=table, resamples=10, permutations=20), out=tmp_path)
    assert found.validation.failures == ()
