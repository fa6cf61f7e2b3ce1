"""Find the images in what was offered: files, folders, zips."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from radiolucent.ingest.archive import unpack
from radiolucent.ingest.content import inspect, printable, refusal, unreadable
from radiolucent.ingest.limits import Limits
from radiolucent.records.image import Refusal, SourceFile

#: Extensions of files that lie beside images and are none.
_EXTENSIONS = (
    ".bak .bat .c .cfg .conf .cpp .css .csv .db .doc .docx .exe .gitattributes .h .htm .html .ini .ipynb .js .json "
    ".jsonl .lock .log .md .npy .npz .onnx .pdf .ppt .pptx .py .pyc .rst .rtf .sh .sqlite .sql .svg .tex .toml .tsv "
    ".txt .xls .xlsx .xml .yaml .yml"
)
SKIPPED_EXTENSIONS = frozenset(_EXTENSIONS.split())
SKIPPED_NAMES = frozenset(("dicomdir", "thumbs.db", "desktop.ini", "license", "readme", "makefile", "checksums"))
Skip = Callable[[str], None]


def is_skipped(name: str) -> bool:
    """Whether a file found in a folder or zip is passed over by its name: no image by extension, hidden, DICOMDIR."""
    path = PurePosixPath(name.replace("\\", "/"))
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts if part not in (".", ".."))
    return hidden or path.name.lower() in SKIPPED_NAMES or path.suffix.lower() in SKIPPED_EXTENSIONS


def is_folder(path: Path) -> bool:
    """Whether this is a folder, or a link to one; no for what cannot be asked."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _ignore(_label: str) -> None:
    return


class _Search:
    def __init__(self, scratch: Path, limits: Limits, on_skip: Skip) -> None:
        self._scratch, self._limits, self._on_skip = scratch, limits, on_skip
        self._seen: set[tuple[int, int]] = set()

    def _passes_over(self, label: str) -> Callable[[str], bool]:
        def decide(name: str) -> bool:
            skipped = is_skipped(name)
            if skipped:
                self._on_skip(f"{label}!/{printable(name)}")
            return skipped

        return decide

    def file(self, path: Path, label: str) -> Iterator[SourceFile | Refusal]:
        found = inspect(path, label, self._limits)
        if found is not None:
            yield found
        else:
            yield from unpack(
                path, label, scratch=self._scratch, limits=self._limits, is_skipped=self._passes_over(label)
            )

    def folder(self, top: Path, label: str) -> Iterator[SourceFile | Refusal]:
        """Depth first in sorted order; memory for the names in the folders that are open, no more."""
        pending = [(top, label, iter([""]))]
        while pending:
            parent, parent_label, names = pending[-1]
            name = next(names, None)
            if name is None:
                pending.pop()
                continue
            path = parent / name
            label = f"{parent_label}/{printable(name)}" if name else parent_label
            if not is_folder(path):
                if is_skipped(name):
                    self._on_skip(label)
                else:
                    yield from self.file(path, label)
                continue
            inner = self._enter(path, label)
            if isinstance(inner, Refusal):
                yield inner
            elif inner is not None:
                pending.append((path, label, inner))

    def _enter(self, path: Path, label: str) -> Iterator[str] | Refusal | None:
        """The names in a folder, or why not; ``None`` for one that was entered before (a loop of links)."""
        if path.name.startswith(".") and "/" in label:
            self._on_skip(label)
            return None
        try:
            info = path.stat()
            if (info.st_dev, info.st_ino) in self._seen:
                self._on_skip(label)
                return None
            self._seen.add((info.st_dev, info.st_ino))
            with os.scandir(path) as entries:
                return iter(sorted(entry.name for entry in entries))
        except OSError:
            return refusal(label, unreadable("a folder that cannot be listed"))


def discover(
    paths: Sequence[Path], *, scratch: Path, limits: Limits | None = None, on_skip: Skip = _ignore
) -> Iterator[SourceFile | Refusal]:
    """Yield every image of ``paths``, or why it is refused, one at a time.

    What a file is, its bytes decide. Files named in ``paths`` are never skipped. In folders and zips, hidden files,
    DICOMDIR and files that are no images by their extension are passed over (``on_skip`` hears of each). Links are
    followed, each folder is entered once.

    Parameters
    ----------
    paths
        DICOM files, PNG, JPEG or AVIF pictures, zips, folders.
    scratch
        An existing folder of the caller's, for members of zips; what was yielded stays there until the caller
        removes it.
    limits
        Caps.
    on_skip
        Called with the label of what was passed over.

    Yields
    ------
    SourceFile or Refusal
        Refusal codes: ``unreadable``, ``empty_file``, ``too_large``, ``not_dicom``, ``archive_too_large``,
        ``corrupt_archive``, ``nested_archive``.
    """
    search = _Search(scratch, limits or Limits(), on_skip)
    for path in paths:
        label = printable(path.name or str(path))
        yield from search.folder(path, label) if is_folder(path) else search.file(path, label)
