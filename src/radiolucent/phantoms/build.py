"""Phantoms as DICOM datasets and files."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset

from radiolucent.errors import SettingsError
from radiolucent.phantoms import bone, chest, head, headers
from radiolucent.phantoms.truth import Kind, Marker, PhantomTruth, box_of

Photometric = Literal["MONOCHROME1", "MONOCHROME2"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phantom:
    """A phantom study: its instances, in order along the stack, and what is known of them."""

    datasets: tuple[Dataset, ...]
    truth: PhantomTruth


def build_phantom(kind: Kind, *, seed: int = 0, photometric: Photometric = "MONOCHROME2") -> Phantom:
    """Draw a phantom.

    The same arguments give the same pixels and UIDs, bit for bit, with the same versions of numpy and Pillow.

    Parameters
    ----------
    kind
        ``chest``: a frontal DX film with nothing wrong; ``head``: a non-contrast CT of 12 axial slices with an
        extra-axial bleed at the patient's left; ``bone``: a CR film of a forearm with a break in the radius.
    photometric
        How a film is stored; a film looks the same either way. A CT is always MONOCHROME2.

    Raises
    ------
    SettingsError
        ``phantom_kind``.
    """
    builders: dict[Kind, Callable[[int, Photometric], Phantom]] = {"chest": _chest, "head": _head, "bone": _bone}
    return builders[as_kind(kind)](seed, photometric)


def as_kind(name: str) -> Kind:
    """The kind of that name; `SettingsError` ``phantom_kind`` for any other."""
    for kind in KINDS:
        if name == kind:
            return kind
    raise SettingsError(
        "phantom_kind",
        found="an unknown kind of phantom",
        expected="one of " + ", ".join(KINDS),
        action="Name one of these.",
    )


def write_phantoms(folder: Path, kinds: Sequence[Kind] = KINDS, *, seed: int = 0) -> list[Path]:
    """Write phantoms into ``folder``: ``chest.dcm``, ``bone.dcm``, ``head/slice-01.dcm`` and so on.

    Each file appears whole or not at all; a file of that name is replaced.

    Returns
    -------
    list of Path
        The files, in order.
    """
    written = []
    for kind in kinds:
        datasets = build_phantom(kind, seed=seed).datasets
        for index, ds in enumerate(datasets, start=1):
            name = f"{kind}.dcm" if len(datasets) == 1 else f"{kind}/slice-{index:02d}.dcm"
            written.append(_write(folder / name, ds))
    return written


def _write(path: Path, ds: Dataset) -> Path:
    """Write beside ``path``, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".phantom-", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(buffer.getvalue())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def _truth(
    kind: Kind,
    shape: tuple[int, int],
    sign: Marker,
    *,
    lesion: str | None = None,
    at: tuple[int, int] | None = None,
    box: tuple[int, int, int, int] | None = None,
    slices: tuple[int, ...] = (),
) -> PhantomTruth:
    return PhantomTruth(
        kind=kind, rows=shape[0], columns=shape[1], marker_top=sign.top, marker_corner=sign.corner,
        marker_foot=sign.foot, marker_box=sign.box, lesion=lesion, lesion_at=at, lesion_box=box, lesion_slices=slices,
    )  # fmt: skip


def _chest(seed: int, photometric: Photometric) -> Phantom:
    values, sign = chest.pixels(np.random.default_rng([seed, 1]))
    key = f"chest/{seed}/{photometric}"
    ds = headers.chest(values, key=key, spacing_mm=chest.SPACING_MM, photometric=photometric)
    return Phantom(datasets=(ds,), truth=_truth("chest", chest.SHAPE, sign))


def _bone(seed: int, photometric: Photometric) -> Phantom:
    values, sign, at, box = bone.pixels(np.random.default_rng([seed, 2]))
    key = f"bone/{seed}/{photometric}"
    ds = headers.bone(values, key=key, spacing_mm=bone.SPACING_MM, photometric=photometric)
    return Phantom(
        datasets=(ds,), truth=_truth("bone", bone.SHAPE, sign, lesion="fracture line", at=at, box=box, slices=(0,))
    )


def _head(seed: int, photometric: Photometric) -> Phantom:
    del photometric  # a CT is MONOCHROME2 (PS3.3 C.8.2.1.1.2)
    volume, sign, bleed = head.volume(np.random.default_rng([seed, 3]))
    datasets = tuple(
        headers.head(
            hu, key=f"head/{seed}", index=index, spacing_mm=head.SPACING_MM, thickness_mm=head.THICKNESS_MM
        )
        for index, hu in enumerate(volume)
    )  # fmt: skip
    areas = bleed.sum(axis=(1, 2))
    largest = bleed[int(areas.argmax())]
    rows, columns = np.nonzero(largest)
    truth = _truth(
        "head", head.SHAPE, sign, lesion="extra-axial bleed", at=(int(rows.mean()), int(columns.mean())),
        box=box_of(largest), slices=tuple(int(i) for i in np.flatnonzero(areas)),
    )  # fmt: skip
    return Phantom(datasets=datasets, truth=truth)
