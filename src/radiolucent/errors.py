"""The one error tree, split by who must act.

::

    RadiolucentError
    |-- InputRefused      the sender of the image must act; never retried
    |-- EngineError       whoever installed the engine package must act
    |-- SettingsError     whoever configured this installation must act
    |-- PeerUnavailable   nobody yet: it is tried again
    |-- PeerRefused       the operator of the connection must act
    `-- InvariantBroken   we must act: this is a defect of Radiolucent

Every error carries a stable ``code`` and says what was found, what was expected and what to do.
Texts never carry patient values (names, identifiers, dates) or raw header text.
"""

from __future__ import annotations

from collections.abc import Callable


class RadiolucentError(Exception):
    """Root of the tree.

    Parameters
    ----------
    code
        Stable identifier in snake case; documented in ``docs/errors.md``.
    found, expected, action
        What was there, what should have been there, and what whoever must act can do.
    """

    def __init__(self, code: str, *, found: str, expected: str, action: str) -> None:
        self.code = code
        self.found = found
        self.expected = expected
        self.action = action
        super().__init__(f"[{code}] found {found}; expected {expected}. {action}")

    def __reduce__(self) -> tuple[Callable[..., RadiolucentError], tuple[object, ...]]:
        """So that it can go from one process to another."""
        return _rebuilt, (type(self), self.code, self.found, self.expected, self.action)

    @property
    def text(self) -> str:
        """The sentence without the code, for a result file."""
        return f"Found {self.found}; expected {self.expected}. {self.action}"


def _rebuilt(kind: type[RadiolucentError], code: str, found: str, expected: str, action: str) -> RadiolucentError:
    return kind(code, found=found, expected=expected, action=action)


class InputRefused(RadiolucentError):
    """The image or file cannot be read as it is; the sender must act."""


class EngineError(RadiolucentError):
    """An engine package is not what it says it is; whoever installed it must act."""


class SettingsError(RadiolucentError):
    """A setting or command-line value is wrong; whoever configured it must act."""


class PeerUnavailable(RadiolucentError):
    """A peer did not answer; the work is kept and tried again."""


class PeerRefused(RadiolucentError):
    """A peer answered no; its operator must act."""


class InvariantBroken(RadiolucentError):
    """Something that cannot happen did: a defect of Radiolucent."""
