"""A folder that files are put into: kept ones go, refused ones are set aside, each of them."""

from __future__ import annotations

import os
import time
from pathlib import Path

from installation_cases import House

from radiolucent.settings import Watch
from radiolucent.wiring.folder_watch import FolderWatch


def test_refused_files_of_one_name_are_all_set_aside(tmp_path: Path) -> None:
    house, folder = House(tmp_path / "house"), tmp_path / "in"
    for number, name in enumerate(("a/scan.dcm", "b/scan.dcm", "scan.dcm")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no image %d" % number)
        os.utime(path, (time.time() - 60,) * 2)
    watch = FolderWatch(Watch(folder=folder, interval_s=3600.0), house.intake())
    assert watch.look() == 0
    watch.stop()
    house.close()
    aside = {path.name: path.read_bytes() for path in (folder / "refused").iterdir()}
    assert sorted(aside) == ["scan-2.dcm", "scan-3.dcm", "scan.dcm"]
    assert sorted(aside.values()) == [b"no image 0", b"no image 1", b"no image 2"]
