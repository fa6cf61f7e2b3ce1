"""Who calls, as the gate in front of the API has found it out."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

SCOPE = "radiolucent_caller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A signed-in person or machine.

    Parameters
    ----------
    sites
        Whose studies may be seen; ``*`` is every site.
    studies
        Keys of studies opened by break-glass, whatever their site.
    """

    name: str
    display: str
    sites: frozenset[str]
    permissions: frozenset[str]
    studies: frozenset[str] = frozenset()
    peer: str = ""

    def may_see(self, site: str, study_key: str) -> bool:
        """Whether a study of that site may be shown."""
        return "*" in self.sites or site in self.sites or study_key in self.studies


def caller_of(request: Request) -> Caller:
    """The caller of a request behind the gate; without a gate there is none, and nothing is served."""
    found: Caller = request.scope[SCOPE]
    return found
