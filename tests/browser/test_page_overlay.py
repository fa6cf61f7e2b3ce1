"""The map lies on its picture: a phantom's asymmetric marker and the map of that marker, in real Chromium.

The pixels come over our own DICOMweb server. What is compared are pixels of the screen: the marker as the film shows
it, and what changes when its map is painted.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser.conftest import Node, run
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from web.dicomweb_archive import MemoryArchive, serving

from radiolucent.phantoms.build import build_phantom
from radiolucent.phantoms.chest import SPACING_MM
from radiolucent.phantoms.truth import marker
from radiolucent.web.dicomweb.routes import dicomweb_routes

pytestmark = pytest.mark.peers
VIEWS = ("fitted", "larger", "largest", "moved", "turned", "inverted")
Picture = NDArray[np.int16]


def case(dataset: Any, truth: Any) -> tuple[dict[str, Any], bytes]:
    """What the API says of the film and of a map that is the marker itself, and that map's grid."""
    mask = marker((truth.rows, truth.columns), at=truth.marker_box[:2], spacing_mm=SPACING_MM).mask
    grid = np.where(mask[::2, ::2], 255, 0).astype(np.uint8)
    rows, columns = grid.shape
    row, column, height, width = truth.marker_box
    corners = [[row, column], [row, column + width], [row + height, column + width], [row + height, column]]
    uids = (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
    is_usual = dataset.PhotometricInterpretation == "MONOCHROME2"
    image = {
        "image_key": 1,
        "frames_url": "/dicom-web/studies/{}/series/{}/instances/{}/frames/1".format(*uids),
        "rows": truth.rows,
        "columns": truth.columns,
        "bits_allocated": dataset.BitsAllocated,
        "bits_stored": dataset.BitsStored,
        "is_signed": bool(dataset.PixelRepresentation),
        "photometric": dataset.PhotometricInterpretation,
        "slope": 1,
        "intercept": 0,
        "window": {"center": 1950 if is_usual else 4095 - 1950, "width": 3500},  # The marker white, all else grey.
        "voi_function": "linear",
        "pixel_spacing_mm": [SPACING_MM, SPACING_MM],
        "spacing_kind": "detector",
        "evidence": {},
    }
    shown = {"image_key": 1, "url": "/map", "rows": rows, "columns": columns, "contours": [corners]}
    return {"image": image, "map": shown}, grid.tobytes()


@pytest.fixture(scope="module", params=["MONOCHROME2", "MONOCHROME1"])
def pictures(
    request: pytest.FixtureRequest, frontend: Path, node: Node, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with what the screen showed in each view."""
    phantom = build_phantom("chest", photometric=request.param)
    archive = MemoryArchive()
    archive.add(phantom.datasets[0])
    told, grid = case(phantom.datasets[0], phantom.truth)
    built, out = tmp_path_factory.mktemp("viewer"), tmp_path_factory.mktemp("pictures")
    run("node", "browser/geometry/build.mjs", str(built), cwd=frontend)

    async def case_of(_: Request) -> Response:
        return JSONResponse(told)

    async def map_of(_: Request) -> Response:
        return Response(grid, media_type="application/octet-stream")

    routes = [
        Route("/case.json", case_of),
        Route("/map", map_of),
        Mount("/dicom-web", routes=dicomweb_routes(archive, archive, None)),
        Mount("/", StaticFiles(directory=built, html=True)),
    ]
    with serving(Starlette(routes=routes)) as address:
        seen = node("geometry/look", address=address, out=out)
    assert seen["wrong"] == []
    return out


def read(folder: Path, name: str) -> Picture:
    return np.asarray(Image.open(folder / f"{name}.png").convert("RGB"), dtype=np.int16)


def painted(folder: Path, view: str, what: str) -> NDArray[np.bool_]:
    """Pixels that change when the map is painted."""
    difference = np.abs(read(folder, f"{view}-{what}") - read(folder, f"{view}-film")).max(axis=2)
    return np.asarray(difference > 40)


def sign(folder: Path, view: str) -> NDArray[np.bool_]:
    """The marker on the film: the whole bright (or, inverted, black) spot under what was painted."""
    grey = read(folder, f"{view}-film").mean(axis=2)
    extreme = grey < 12 if view == "inverted" else grey > 243
    labels, _ = ndimage.label(extreme)
    under = labels[painted(folder, view, "map") & extreme]
    assert under.size > 0
    return np.asarray(labels == np.bincount(under[under > 0]).argmax())


@pytest.mark.parametrize("view", VIEWS)
def test_the_map_covers_the_marker_and_nothing_else(pictures: Path, view: str) -> None:
    colour, film = painted(pictures, view, "map"), sign(pictures, view)

    overlap = (colour & film).sum() / (colour | film).sum()
    assert overlap > 0.85
    edges = [[(axis.min(), axis.max()) for axis in np.nonzero(mask)] for mask in (colour, film)]
    assert np.abs(np.subtract(*edges)).max() <= 2


@pytest.mark.parametrize("view", VIEWS)
def test_the_film_is_not_flipped(pictures: Path, view: str) -> None:
    rows, columns = np.nonzero(sign(pictures, view))
    letter = sign(pictures, view)[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    upright = np.rot90(letter) if view == "turned" else letter  # Turned clockwise on the screen, turned back here.

    height, width = upright.shape
    assert height > width
    assert upright[:, : width // 6].mean() > 0.9
    assert upright[-height // 8 :].mean() > 0.9
    assert upright[: height // 2, width // 2 :].mean() < 0.05


@pytest.mark.parametrize("view", VIEWS)
def test_the_contour_runs_around_the_marker(pictures: Path, view: str) -> None:
    line, film = painted(pictures, view, "contour"), sign(pictures, view)

    box = [(axis.min(), axis.max()) for axis in np.nonzero(film)]
    drawn = [(axis.min(), axis.max()) for axis in np.nonzero(line)]
    assert np.abs(np.subtract(box, drawn)).max() <= 5
