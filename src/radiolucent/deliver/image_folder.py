"""Files of one image's folder. The folder itself is made whole by `whole_folder`, so these write straight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PNG_COMPRESSION = 1


def write_evidence(folder: Path, key: str, evidence: NDArray[np.float32]) -> str:
    """``evidence/<key>.npy``, ``[rows, columns]`` float32; gives the path relative to ``folder``."""
    relative = f"evidence/{key}.npy"
    _make_parent(folder, relative)
    np.save(folder / relative, evidence.astype(np.float32, copy=False), allow_pickle=False)
    return relative


def write_anatomy(folder: Path, anatomy: NDArray[np.float32]) -> str:
    """``anatomy.npy``, ``[R, h, w]`` float16 probabilities; gives the path relative to ``folder``."""
    np.save(folder / "anatomy.npy", anatomy.astype(np.float16), allow_pickle=False)
    return "anatomy.npy"


def write_picture(folder: Path, relative: str, pixels: NDArray[np.uint8]) -> str:
    """A PNG, grey or RGB; compression is light, because speed matters more than bytes here."""
    _make_parent(folder, relative)
    Image.fromarray(pixels).save(folder / relative, compress_level=PNG_COMPRESSION)
    return relative


def write_dicom(folder: Path, name: str, encoded: bytes) -> str:
    """``dicom/<name>.dcm``; gives the path relative to ``folder``."""
    relative = f"dicom/{name}.dcm"
    _make_parent(folder, relative)
    (folder / relative).write_bytes(encoded)
    return relative


def write_text(folder: Path, relative: str, text: str) -> str:
    """A UTF-8 text file."""
    (folder / relative).write_text(text, encoding="utf-8")
    return relative


def _make_parent(folder: Path, relative: str) -> None:
    (folder / relative).parent.mkdir(parents=True, exist_ok=True)
