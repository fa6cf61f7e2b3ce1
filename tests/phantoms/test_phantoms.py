import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite
from scipy import ndimage

from radiolucent.errors import SettingsError
from radiolucent.phantoms import KINDS, build_phantom, write_phantoms
from radiolucent.phantoms.head import BLEED_HU


@pytest.fixture(scope="module")
def phantoms():
    return {kind: build_phantom(kind, seed=0) for kind in KINDS}


def pixels(ds):
    """Modality values with greater brighter."""
    values = ds.pixel_array.astype(np.float64)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        values = 4095 - values
    return values * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))


@pytest.mark.parametrize("kind", KINDS)
def test_marker_is_an_upright_l_where_the_truth_says(phantoms, kind):
    truth = phantoms[kind].truth
    for ds in phantoms[kind].datasets:
        values = pixels(ds)
        row, column, height, width = truth.marker_box
        box = values[row : row + height, column : column + width]
        bright = box > (1500 if kind == "head" else 3400)
        stroke = int(bright[0].sum())
        expected = np.zeros((height, width), dtype=bool)
        expected[:, :stroke] = expected[height - stroke :, :] = True
        assert (bright == expected).mean() > 0.99
        for at in (truth.marker_top, truth.marker_corner, truth.marker_foot):
            assert values[at] > (1500 if kind == "head" else 3400)
    assert truth.marker_top[0] < truth.marker_corner[0]
    assert truth.marker_foot[1] > truth.marker_corner[1]
    assert truth.marker_top[1] == truth.marker_corner[1]


@pytest.mark.parametrize("kind", KINDS)
def test_marker_is_at_the_patients_left(phantoms, kind):
    ds, truth = phantoms[kind].datasets[0], phantoms[kind].truth
    assert truth.marker_corner[1] > truth.columns / 2
    if kind == "head":
        left = float(ds.ImagePositionPatient[0]) + truth.marker_corner[1] * float(ds.PixelSpacing[1])
        assert list(ds.ImageOrientationPatient) == [1, 0, 0, 0, 1, 0]
        assert left > 0  # x grows towards the patient's left (PS3.3 C.7.6.2.1.1)
    else:
        assert list(ds.PatientOrientation) == ["L", "F"]


@pytest.mark.parametrize("kind", KINDS)
def test_clearly_marked_as_no_patient(phantoms, kind):
    for ds in phantoms[kind].datasets:
        assert ds.PatientName == "QA^PHANTOM"
        assert ds.ImageType[0] == "DERIVED"
        assert "NOT A PATIENT" in ds.ImageComments
        values = pixels(ds)
        foot = values[int(values.shape[0] * 0.93) :]
        letters = ndimage.label(foot > (900 if kind == "head" else 3700))[1]
        assert letters >= 7


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_bytes_and_other_seed_other_uids(phantoms, kind):
    again = build_phantom(kind, seed=0)
    assert again.truth == phantoms[kind].truth
    for ds, same in zip(phantoms[kind].datasets, again.datasets, strict=True):
        assert ds == same
    other = build_phantom(kind, seed=1)
    assert other.datasets[0].SOPInstanceUID != again.datasets[0].SOPInstanceUID
    assert other.datasets[0].PixelData != again.datasets[0].PixelData
    assert other.truth == again.truth


@pytest.mark.parametrize("kind", ["chest", "bone"])
def test_monochrome1_holds_the_same_picture(phantoms, kind):
    inverse = build_phantom(kind, seed=0, photometric="MONOCHROME1").datasets[0]
    straight = phantoms[kind].datasets[0]
    assert inverse.PhotometricInterpretation == "MONOCHROME1"
    assert inverse.SOPInstanceUID != straight.SOPInstanceUID
    np.testing.assert_array_equal(pixels(inverse), pixels(straight))
    if kind == "chest":
        assert (straight.PresentationLUTShape, inverse.PresentationLUTShape) == ("IDENTITY", "INVERSE")
    centre = float(straight.WindowCenter), float(inverse.WindowCenter)
    assert abs(sum(centre) - 4095) <= 1


def test_chest_has_dark_lungs_and_its_heart_at_the_patients_left(phantoms):
    values = pixels(phantoms["chest"].datasets[0])
    assert values.shape == (2048, 1792)
    lung_right, lung_left, heart, belly = (
        np.median(values[r - 20 : r + 20, c - 20 : c + 20])
        for r, c in ((700, 560), (700, 1230), (1230, 1080), (1750, 900))
    )
    assert max(lung_right, lung_left) < 0.7 * heart
    assert heart < belly
    row = values[1230]
    middle = 896
    reach = [np.median(row[middle + side * 300 - 20 : middle + side * 300 + 20]) for side in (-1, 1)]
    assert reach[1] > 1.2 * reach[0]


def test_head_has_the_hounsfield_units_of_a_head(phantoms):
    ds, truth = phantoms["head"].datasets, phantoms["head"].truth
    volume = np.stack([pixels(d) for d in ds])
    assert len(ds) == 12
    assert np.median(volume[:, :10, :10]) == pytest.approx(-1000, abs=5)
    assert np.median(volume[6, 256:262, 255 - 60 : 255 - 50]) == pytest.approx(29, abs=4)
    assert 800 < np.percentile(volume[6], 99) < 1200
    bleeding = volume[truth.lesion_slices[2]]
    row, column = truth.lesion_at
    assert np.median(bleeding[row - 5 : row + 6, column - 5 : column + 6]) == pytest.approx(BLEED_HU, abs=2)
    mirrored = bleeding[row - 5 : row + 6, 511 - column - 5 : 511 - column + 6]
    assert np.median(mirrored) < 45


def test_head_bleeds_on_the_slices_of_its_truth_only(phantoms):
    truth = phantoms["head"].truth
    row, column, height, width = truth.lesion_box
    dense = [
        int(((v > 55) & (v < 90)).sum())
        for v in (pixels(d)[row : row + height, column : column + width] for d in phantoms["head"].datasets)
    ]
    bleeding = {index for index, count in enumerate(dense) if count > 600}
    assert bleeding == set(truth.lesion_slices) == {3, 4, 5, 6, 7}


def test_head_is_one_series_in_one_frame_of_reference(phantoms):
    ds = phantoms["head"].datasets
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert len({d[name].value for d in ds}) == 1
    assert len({d.SOPInstanceUID for d in ds}) == 12
    heights = [float(d.ImagePositionPatient[2]) for d in ds]
    np.testing.assert_allclose(np.diff(heights), [float(d.SliceThickness) for d in ds[1:]])
    assert [d.InstanceNumber for d in ds] == list(range(1, 13))


def test_bone_has_a_dark_line_across_the_radius_and_not_beside_it(phantoms):
    values, truth = pixels(phantoms["bone"].datasets[0]), phantoms["bone"].truth
    row, column = truth.lesion_at
    line = values[row - 6 : row + 7, column].min()
    assert line < 0.85 * np.median(values[row - 120 : row - 90, column])
    top, left, height, width = truth.lesion_box
    assert width > 60
    assert height > 25  # oblique
    assert top <= row < top + height
    assert left <= column < left + width


def test_unknown_kind_is_refused():
    with pytest.raises(SettingsError) as caught:
        build_phantom("liver")
    assert caught.value.code == "phantom_kind"


def test_written_files_are_whole_and_replace_older_ones(tmp_path):
    old = tmp_path / "bone.dcm"
    old.write_bytes(b"old")
    paths = write_phantoms(tmp_path / "deep", ["bone", "head"], seed=2)
    assert [p.relative_to(tmp_path / "deep").as_posix() for p in paths] == [
        "bone.dcm", *(f"head/slice-{n:02d}.dcm" for n in range(1, 13))
    ]  # fmt: skip
    assert sorted(p for p in (tmp_path / "deep").rglob("*") if p.is_file()) == sorted(paths)
    read, built = dcmread(paths[0]), build_phantom("bone", seed=2).datasets[0]
    assert read.to_json_dict() == built.to_json_dict()
    write_phantoms(tmp_path, ["bone"])
    assert dcmread(old).PatientName == "QA^PHANTOM"


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def broken(self, target):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        write_phantoms(tmp_path, ["bone"])
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def dciodvfy():
    beside = Path(sys.executable).parent / "dciodvfy"
    return str(beside) if beside.exists() else shutil.which("dciodvfy")


@pytest.mark.skipif(dciodvfy() is None, reason="dicom3tools is not installed")
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("kind", KINDS)
def test_dciodvfy_finds_no_error(kind, photometric, tmp_path):
    datasets = build_phantom(kind, seed=3, photometric=photometric).datasets
    for ds in (datasets[0], datasets[len(datasets) // 2]):
        buffer = io.BytesIO()
        dcmwrite(buffer, ds, enforce_file_format=True)
        path = tmp_path / "x.dcm"
        path.write_bytes(buffer.getvalue())
        done = subprocess.run([dciodvfy(), str(path)], capture_output=True, text=True, check=False)
        assert "Error" not in done.stderr + done.stdout
        assert any(iod in done.stderr for iod in ("DXImage", "CRImage", "CTImage"))
