"""What a destination has taken, and what it has not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from radiolucent.errors import PeerRefused, PeerUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A destination's word that it keeps an instance.

    ``status`` is 0 for plain success; a warning (B000, B006, B007) or "has it already" (0111) is kept as said.
    """

    sop_instance_uid: str
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How one sending ended.

    Parameters
    ----------
    receipts
        Of every instance that is stored.
    missing
        SOP Instance UIDs that are not: these alone need to be sent again.
    error
        Why, where any is missing. `PeerUnavailable` says that trying again may help, and comes before a refusal.
    """

    receipts: tuple[Receipt, ...] = ()
    missing: tuple[str, ...] = ()
    error: PeerUnavailable | PeerRefused | None = None

    @property
    def stored(self) -> tuple[str, ...]:
        """SOP Instance UIDs that the destination keeps."""
        return tuple(receipt.sop_instance_uid for receipt in self.receipts)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


class Tally:
    """Collects receipts and errors while a sending runs."""

    def __init__(self) -> None:
        self._receipts: dict[str, Receipt] = {}
        self._error: PeerUnavailable | PeerRefused | None = None

    def stored(self, sop_instance_uid: str, status: int) -> None:
        """Note that an instance is kept."""
        self._receipts[sop_instance_uid] = Receipt(sop_instance_uid=sop_instance_uid, status=status)

    def failed(self, error: PeerUnavailable | PeerRefused) -> None:
        """Note why something was not kept; the first of the weightiest kind stays."""
        if self._error is None or (isinstance(error, PeerUnavailable) and isinstance(self._error, PeerRefused)):
            self._error = error

    def sent(self, wanted: Iterable[str]) -> Sent:
        """The sum, for the instances that were to be sent."""
        missing = tuple(uid for uid in wanted if uid not in self._receipts)
        return Sent(receipts=tuple(self._receipts.values()), missing=missing, error=self._error if missing else None)
