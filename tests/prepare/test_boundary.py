"""What codecs throw becomes a refusal; what an operator throws does not."""

from __future__ import annotations

import pytest

from radiolucent.errors import InputRefused
from radiolucent.prepare.boundary import refused, refusing


class PanicException(BaseException):  # the name that PyO3 gives it
    """As a codec written in Rust throws it."""


def _no() -> InputRefused:
    return refused("cannot_decode", found="a", expected="b", action="c")


@pytest.mark.parametrize("thrown", [PanicException("index out of bounds"), ValueError("x"), RuntimeError("y")])
def test_whatever_a_codec_throws_is_a_refusal(thrown: BaseException) -> None:
    with pytest.raises(InputRefused) as raised, refusing(_no):
        raise thrown
    assert raised.value.code == "cannot_decode"
    assert raised.value.__cause__ is None


def test_an_interrupt_passes() -> None:
    with pytest.raises(KeyboardInterrupt), refusing(_no):
        raise KeyboardInterrupt
