from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from report.report_cases import COLUMNS, ROWS, explanation

from radiolucent.errors import InvariantBroken, SettingsError
from radiolucent.report import colour, strip
from radiolucent.report.overlay import FLOOR, Caption, opacity, render_overlay, render_plain, thumbnail

NOTHING = np.zeros((ROWS, COLUMNS), dtype=np.bool_)
WORDS = {
    "finding": "Effusion", "probability": 0.81, "confidence": "moderate", "engine_id": "chest", "engine_version": "1.2",
}  # fmt: skip


def grey(value=0.5, shape=(ROWS, COLUMNS)):
    return np.full(shape, value, dtype=np.float32)


def image_of(overlay, shape=(ROWS, COLUMNS)):
    top, left = overlay.image_top, overlay.image_left
    rows, columns = (round(n * overlay.magnification) for n in shape)
    return overlay.pixels[top : top + rows, left : left + columns]


def unmarked(map_, *, scale=0.5):
    """An explanation without outline, whose cross stands in the corner."""
    return explanation(map_.astype(np.float32), scale=scale, region=np.zeros(map_.shape, dtype=np.bool_), peak=(0, 0))


def test_image_keeps_its_pixels_one_for_one():
    ramp = np.linspace(0, 1, ROWS * COLUMNS, dtype=np.float32).reshape(ROWS, COLUMNS)
    overlay = render_overlay(ramp, unmarked(np.zeros((ROWS, COLUMNS))), **WORDS)
    assert overlay.magnification == 1
    seen = image_of(overlay)[20:, 20:]
    np.testing.assert_array_equal(seen[..., 0], np.minimum(ramp * 255.999, 255).astype(np.uint8)[20:, 20:])
    assert (seen == seen[..., :1]).all()


def test_colour_lands_on_the_pixels_that_have_the_evidence():
    overlay = render_overlay(grey(), explanation(region=NOTHING, peak=(0, 0)), **WORDS)
    chroma = np.ptp(image_of(overlay).astype(int), axis=-1)
    painted = np.zeros((ROWS, COLUMNS), dtype=bool)
    painted[100:120, 250:290] = True
    np.testing.assert_array_equal(chroma[20:, 20:] > 0, painted[20:, 20:])


def test_place_gives_the_pixel_in_the_picture():
    overlay = render_overlay(grey(), explanation(region=NOTHING, peak=(0, 0)), **WORDS)
    row, column = overlay.place(100.5, 250.5)
    assert np.ptp(overlay.pixels[int(row), int(column)].astype(int)) > 40
    assert np.ptp(overlay.pixels[int(row) - 1, int(column)].astype(int)) == 0


@pytest.mark.parametrize("share", [-3.0, 0.0, 0.5 * FLOOR, FLOOR])
def test_nothing_is_painted_up_to_the_floor(share):
    map_ = np.full((ROWS, COLUMNS), share * 0.5)
    with_map = render_overlay(grey(), unmarked(map_), **WORDS)
    without = render_overlay(grey(), unmarked(np.zeros((ROWS, COLUMNS))), **WORDS)
    np.testing.assert_array_equal(image_of(with_map), image_of(without))


def test_opacity_grows_from_zero_and_never_hides_the_image():
    alpha = opacity().astype(int)
    assert (alpha[: int(FLOOR * 255) + 1] == 0).all()
    assert alpha[int(FLOOR * 255) + 2] > 0
    assert (np.diff(alpha) >= 0).all()
    assert alpha[-1] < 0.6 * 255


def test_same_evidence_has_the_same_colour_in_every_patient():
    weak = np.zeros((ROWS, COLUMNS))
    weak[150, 200] = 0.2
    strong = weak.copy()
    strong[40:90, 40:120] = 30.0
    first = image_of(render_overlay(grey(), unmarked(weak), **WORDS))
    second = image_of(render_overlay(grey(), unmarked(strong), **WORDS))
    np.testing.assert_array_equal(first[150, 200], second[150, 200])
    assert np.ptp(first[150, 200].astype(int)) > 0


def test_evidence_over_the_scale_is_clipped():
    map_ = np.zeros((ROWS, COLUMNS))
    map_[150, 200], map_[150, 210] = 0.5, 1e6
    image = image_of(render_overlay(grey(), unmarked(map_), **WORDS))
    np.testing.assert_array_equal(image[150, 200], image[150, 210])


def test_colour_is_the_blend_of_the_table():
    map_ = np.zeros((ROWS, COLUMNS))
    map_[150, 200] = 0.5
    for name in colour.names():
        image = image_of(render_overlay(grey(0.25), unmarked(map_), colour_map=name, **WORDS))
        alpha = opacity()[255] / 255
        expected = alpha * colour.table(name)[255].astype(float) + (1 - alpha) * int(0.25 * 255.999)
        np.testing.assert_allclose(image[150, 200], expected, atol=1)


def test_region_is_outlined_and_its_inside_left_alone():
    region = NOTHING.copy()
    region[60:160, 200:340] = True
    blank = np.zeros((ROWS, COLUMNS), dtype=np.float32)
    image = image_of(render_overlay(grey(), explanation(blank, region=region, peak=(0, 0)), **WORDS)).astype(int)
    plain = int(0.5 * 255.999)
    assert (image[60, 200:340] > plain + 60).all()
    assert (image[159, 200:340] > plain + 60).all()
    assert (image[60:160, 200] > plain + 60).all()
    assert (image[60:160, 339] > plain + 60).all()
    assert (image[64:156, 204:336] == plain).all()
    assert (image[58, 190:350] == plain).all()


def test_cross_is_at_the_peak_and_open_in_the_middle():
    peak = (200, 120)
    blank = np.zeros((ROWS, COLUMNS), dtype=np.float32)
    image = image_of(render_overlay(grey(), explanation(blank, region=NOTHING, peak=peak), **WORDS)).astype(int)
    changed = np.argwhere((image != int(0.5 * 255.999)).any(axis=-1))
    np.testing.assert_allclose(changed.mean(axis=0), peak, atol=0.6)
    assert (image[peak] == int(0.5 * 255.999)).all()
    assert np.ptp(changed, axis=0).max() < 40


def test_banner_and_caption_are_in_strips_outside_the_image():
    overlay = render_overlay(grey(), unmarked(np.zeros((ROWS, COLUMNS))), **WORDS)
    above = overlay.pixels[: overlay.image_top]
    below = overlay.pixels[overlay.image_top + ROWS :]
    for band, ink in ((above, strip.BANNER_INK), (below, strip.INK)):
        assert (np.abs(band.astype(int) - ink).sum(axis=-1) < 60).sum() > 30
    assert overlay.pixels.shape[1] == COLUMNS


def test_colour_bar_shows_the_table():
    overlay = render_overlay(grey(), unmarked(np.zeros((ROWS, COLUMNS))), **WORDS)
    below = overlay.pixels[overlay.image_top + ROWS :].reshape(-1, 3).astype(int)
    alpha = opacity()[255] / 255
    top = alpha * colour.table()[255].astype(float) + (1 - alpha) * 96
    assert (np.abs(below - top).max(axis=-1) <= 3).any()


def test_caption_says_what_it_must():
    lines = Caption(
        finding="Effusion", probability=0.8149, confidence="low", engine_id="chest", engine_version="1.2", zone="base"
    ).lines()
    assert [line.text for line in lines] == ["Effusion, base", "probability 0.81, confidence low", "chest 1.2"]


@pytest.mark.parametrize(
    "shape", [(1, 1), (64, 64), (180, 200), (256, 256), (1200, 320), (300, 1500), (2000, 40), (4000, 3000)]
)
def test_text_fits_and_is_large_enough(shape):
    overlay = render_overlay(grey(shape=shape), unmarked(np.zeros(shape)), **WORDS)
    rows, columns = (int(n * overlay.magnification) for n in shape)
    width = overlay.pixels.shape[1]
    assert width == max(columns, 256)
    assert overlay.image_left == (width - columns) // 2
    size = strip.text_size(width, rows)
    assert size >= max(11, min(width, 1.6 * rows) / 50)
    assert strip.font(size).getlength("AI RESULT - NOT FOR DIAGNOSIS") < width


def test_tiny_images_are_magnified_by_a_whole_number():
    display = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    overlay = render_overlay(display, unmarked(np.zeros((64, 64))), **WORDS)
    assert overlay.magnification == 4
    image = image_of(overlay, (64, 64))[..., 0]
    whole = np.minimum(display * 255.999, 255).astype(np.uint8)
    np.testing.assert_array_equal(image[32:, 32:], whole.repeat(4, 0).repeat(4, 1)[32:, 32:])


@settings(max_examples=20, deadline=None)
@given(st.integers(20, 500), st.integers(20, 500), st.integers(50, 300))
def test_reduction_is_by_a_whole_number_and_fits(rows, columns, max_side):
    shape = (rows, columns)
    overlay = render_overlay(grey(shape=shape), unmarked(np.zeros(shape)), max_side=max_side, **WORDS)
    if max(shape) > max_side:
        factor = round(1 / overlay.magnification)
        assert overlay.magnification == 1 / factor
        assert overlay.pixels.shape[1] - 2 * overlay.image_left in (-(-columns // factor), -(-columns // factor) + 1)
        assert -(-max(shape) // factor) <= max_side
    else:
        assert overlay.magnification >= 1


def test_reduced_map_lies_where_place_says():
    overlay = render_overlay(grey(), explanation(region=NOTHING, peak=(0, 0)), max_side=200, **WORDS)
    row, column = overlay.place(110, 270)
    assert np.ptp(overlay.pixels[round(row), round(column)].astype(int)) > 40


def test_plain_lies_pixel_on_pixel():
    display = np.random.default_rng(0).random((ROWS, COLUMNS), dtype=np.float32)
    overlay = render_overlay(display, unmarked(np.zeros((ROWS, COLUMNS))), **WORDS)
    plain = render_plain(display, like=overlay)
    assert plain.pixels.shape == overlay.pixels.shape
    np.testing.assert_array_equal(image_of(plain)[20:, 20:], image_of(overlay)[20:, 20:])


def test_thumbnail_fits():
    assert thumbnail(grey(shape=(2000, 1000)), max_side=100).shape == (100, 50)
    assert thumbnail(grey(shape=(20, 10)), max_side=100).shape == (20, 10)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"map": np.zeros((ROWS, COLUMNS - 1), dtype=np.float32)}, "overlay_shape"),
        ({"region": np.zeros((ROWS - 1, COLUMNS), dtype=bool)}, "overlay_shape"),
        ({"map": np.full((ROWS, COLUMNS), np.nan, dtype=np.float32)}, "overlay_not_finite"),
        ({"scale": 0.0}, "overlay_scale"),
        ({"scale": float("inf")}, "overlay_scale"),
    ],
)
def test_what_cannot_be_painted_is_refused(change, code):
    with pytest.raises(InvariantBroken) as caught:
        render_overlay(grey(), replace(explanation(), **change), **WORDS)
    assert caught.value.code == code


def test_unknown_colour_map_is_refused():
    with pytest.raises(SettingsError):
        render_overlay(grey(), explanation(), colour_map="jet", **WORDS)


def test_letters_the_font_lacks_are_replaced():
    assert strip.printable("Nöd\x00ül\N{EN DASH}x\n 腫瘤") == "Nod?ul-x ??"
    words = {**WORDS, "finding": "a" * 500 + " \u202e<b>"}
    assert render_overlay(grey(), explanation(), **words).pixels.shape[1] == COLUMNS


def test_picture_is_an_ordinary_rgb_image():
    overlay = render_overlay(grey(), explanation(), **WORDS)
    assert overlay.pixels.dtype == np.uint8
    assert Image.fromarray(overlay.pixels).mode == "RGB"
