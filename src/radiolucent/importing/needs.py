"""Whether the packages of the extra ``import`` are there; torch-free."""

from __future__ import annotations

from importlib.util import find_spec

from radiolucent.errors import SettingsError

ALWAYS = ("torch", "onnx", "onnxscript", "tomli_w")


def require(*modules: str) -> None:
    """Make sure that modules can be imported, without importing them.

    Raises
    ------
    SettingsError
        ``import_extra``, naming what is missing and what to install.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        only_monai = missing == ["monai"]
        raise SettingsError(
            "import_extra",
            found="no package " + ", ".join(missing),
            expected="MONAI, which is in no extra" if only_monai else "the packages of the extra `import`",
            action="Run: pip install " + ("monai." if only_monai else "'radiolucent[import]'."),
        )
