"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("radiolucent", deadline=None)  # a busy machine is no defect
settings.load_profile("radiolucent")
# pynetdicom installs scripts that are named like DCMTK's; in an activated environment they would stand before Debian's.
os.environ["PATH"] = os.pathsep.join(["/usr/bin", os.environ.get("PATH", "")])
