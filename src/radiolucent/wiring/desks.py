"""The desks behind the API of a running installation."""

from __future__ import annotations

from radiolucent.audit.key import PublicKeys, open_key
from radiolucent.errors import SettingsError
from radiolucent.pipeline.reviewing import Signing
from radiolucent.review.read_first import ReadFirst
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID
from radiolucent.web.api.ports import Desks
from radiolucent.wiring.deciding_desk import DecidingDesk
from radiolucent.wiring.overseeing_desk import OverseeingDesk
from radiolucent.wiring.quality_desk import QualityDesk
from radiolucent.wiring.serving import Installation
from radiolucent.wiring.validations import Shelf


def desks(installation: Installation) -> Desks:
    """Reading and deciding over one store, and oversight of both.

    Raises
    ------
    SettingsError
        ``setting_wrong`` where readers shall say first whether they see what no engine looks for.
    """
    settings = installation.settings
    withdrawing = {row.name for row in settings.destinations if row.retract_rejected and row.kind in ("dimse", "stow")}
    signing = Signing(
        installation.journal,
        installation.blobs,
        organization=settings.site.facility,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        withdrawing=frozenset(withdrawing),
        on_signed=installation.alarm.set,
    )
    desk = DecidingDesk(
        installation.journal,
        installation.blobs,
        specs=installation.specs,
        signing=signing,
        retraction=installation.retraction,
        read_first=_read_first(installation),
    )

    def keys() -> PublicKeys:
        key = open_key(settings.data / "audit" / "key.pem")
        return {key.id: key.public}

    checkpoints = settings.audit.checkpoints or settings.data / "audit" / "checkpoints.jsonl"
    return Desks(
        reading=desk,
        deciding=desk,
        overseeing=OverseeingDesk(installation.journal, checkpoints=checkpoints, keys=keys),
        quality=QualityDesk(installation.journal, Shelf(settings.validation_folder), lambda: installation.drift.last),
    )


def _read_first(installation: Installation) -> list[ReadFirst]:
    """The rows of the settings; nobody would notice a key that no engine knows, and so it ends the start."""
    known = {each.key for spec in installation.specs for each in spec.findings}
    known |= {each.key for spec in installation.specs for each in spec.derived}
    rows = installation.settings.read_first
    strange = sorted({key for row in rows for key in row.findings} - known)
    if strange and known:
        raise SettingsError(
            "setting_wrong",
            found=f"read_first.findings with {', '.join(strange)}",
            expected="keys of findings that an installed engine looks for",
            action="See `radiolucent engines list` for the engines and what they look for.",
        )
    return [ReadFirst(sites=frozenset(row.sites), findings=frozenset(row.findings)) for row in rows]
