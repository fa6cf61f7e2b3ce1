"""Packages of the extras ``validate`` and ``ray``, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from radiolucent.errors import SettingsError


def need(module: str, *, extra: str = "validate") -> Any:
    """Import a module of ``radiolucent[validate]``, or of another extra.

    Raises
    ------
    SettingsError
        ``validate_extra`` when it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise SettingsError(
            "validate_extra",
            found=f"no package {module.split('.')[0]}",
            expected=f"the packages of the extra `{extra}`",
            action=f"Run: pip install 'radiolucent[{extra}]'.",
        ) from None
