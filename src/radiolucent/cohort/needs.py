"""Packages of the extra ``validate``, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from radiolucent.errors import SettingsError


def need(module: str) -> Any:
    """Import a module of ``radiolucent[validate]``.

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
            expected="the packages of the extra `validate`",
            action="Run: pip install 'radiolucent[validate]'.",
        ) from None
