"""Tables about those who read: whose studies there are."""

from __future__ import annotations

from radiolucent.settings.kinds import AeTitle, Many, Name, Table


class ReadingSite(Table):
    """A site, and the application entity titles that send for it; who is named nowhere sends for the site ``main``."""

    name: Name
    callers: Many[AeTitle] = ()
