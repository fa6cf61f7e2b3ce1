"""Names of accounts and tokens."""

from __future__ import annotations

import re

from radiolucent.errors import InputRefused

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")


def fit_name(name: str) -> str:
    """A name as it is kept.

    Raises
    ------
    InputRefused
        ``name_unfit``.
    """
    fit = name.strip().casefold()
    if not NAME.fullmatch(fit):
        raise InputRefused(
            "name_unfit",
            found="a name that cannot be used",
            expected="2 to 64 letters, digits, '.', '_', '@' or '-', a letter or digit first",
            action="Choose another name.",
        )
    return fit


def name_taken() -> InputRefused:
    """A name that is in use."""
    return InputRefused(
        "name_taken", found="an account or token of this name", expected="a new name", action="Choose another."
    )
