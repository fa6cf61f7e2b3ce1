"""Who must look before the engines' findings are shown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from radiolucent.records.decision import Opinion


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFirst:
    """One row of the settings: at these sites, where these findings are looked for. Empty holds for all."""

    sites: frozenset[str] = frozenset()
    findings: frozenset[str] = frozenset()

    def holds(self, site: str, looked_for: Collection[str]) -> bool:
        """Whether the row is about a study of that site in which these findings are looked for."""
        return (not self.sites or site in self.sites) and (
            not self.findings or not self.findings.isdisjoint(looked_for)
        )


def is_hidden(
    rows: Sequence[ReadFirst], *, site: str, looked_for: Collection[str], opinion: Opinion | None, is_decided: bool
) -> bool:
    """Whether a reader does not see yet what the engines say.

    ``looked_for`` is every finding the engines know, positive or not: a list that hides positives alone would tell.
    What is decided hides nothing.
    """
    if opinion is not None or is_decided:
        return False
    return any(row.holds(site, looked_for) for row in rows)
