import numpy as np
import pytest

from radiolucent.errors import SettingsError
from radiolucent.report import colour

# Machado, Oliveira, Fernandes: IEEE TVCG 15(6), 2009, severity 1.0, on linear RGB.
VISION = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def seen(lut, vision):
    return colour.companded(colour.linear(lut) @ np.array(VISION[vision]).T)


def test_cielab_agrees_with_published_values():
    known = {(255, 255, 255): (100, 0, 0), (255, 0, 0): (53.24, 80.09, 67.20), (0, 0, 255): (32.30, 79.19, -107.86)}
    for rgb, lab in known.items():
        np.testing.assert_allclose(colour.to_lab(np.array(rgb, dtype=np.uint8)), lab, atol=0.05)


def test_lab_round_trip():
    grid = np.stack(np.meshgrid(*[np.arange(0, 256, 51)] * 3), axis=-1).reshape(-1, 3).astype(np.uint8)
    np.testing.assert_array_equal(colour.from_lab(colour.to_lab(grid)), grid)


@pytest.mark.parametrize("name", colour.names())
def test_table_is_a_read_only_lookup_of_256_colours(name):
    lut = colour.table(name)
    assert lut.shape == (256, 3)
    assert lut.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        lut[0, 0] = 1


@pytest.mark.parametrize("name", colour.names())
def test_lightness_increases_in_even_steps(name):
    lightness = colour.to_lab(colour.table(name))[:, 0]
    assert (np.diff(lightness[::4]) > 0).all()
    assert (np.diff(lightness) > -0.35).all()  # one 8-bit rounding step
    straight = np.linspace(lightness[0], lightness[-1], 256)
    assert np.abs(lightness - straight).max() < 3
    assert lightness[-1] - lightness[0] > 60


@pytest.mark.parametrize("name", colour.names())
@pytest.mark.parametrize("vision", VISION)
def test_ten_steps_stay_apart_and_in_order_with_colour_blindness(name, vision):
    steps = colour.to_lab(seen(colour.table(name)[np.linspace(0, 255, 10).astype(int)], vision))
    assert (np.diff(steps[:, 0]) > 2.5).all()
    distance = np.linalg.norm(np.diff(steps, axis=0), axis=1)
    assert distance.min() > 5  # about twice what is just noticeable side by side


def test_upper_half_of_the_default_stands_out_from_grey_anatomy_for_every_reader():
    # A ramp from blue to yellow crosses grey once for red-green blindness; that must happen in the weaker half.
    lut = colour.table()[128:]
    for vision in ("protanopia", "deuteranopia"):
        assert np.linalg.norm(colour.to_lab(seen(lut, vision))[:, 1:], axis=1).min() > 15


def test_unknown_name_is_refused_without_repeating_it():
    with pytest.raises(SettingsError) as caught:
        colour.table("Doe^Jane")
    assert caught.value.code == "colour_map"
    assert "Doe" not in str(caught.value)
