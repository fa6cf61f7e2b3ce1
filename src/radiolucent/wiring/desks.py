"""The desks behind the API of a running installation."""

from __future__ import annotations

from radiolucent.audit.key import PublicKeys, open_key
from radiolucent.pipeline.reviewing import Signing
from radiolucent.standards.implementation import IMPLEMENTATION_CLASS_UID
from radiolucent.web.api.ports import Desks
from radiolucent.wiring.deciding_desk import DecidingDesk
from radiolucent.wiring.overseeing_desk import OverseeingDesk
from radiolucent.wiring.serving import Installation


def desks(installation: Installation) -> Desks:
    """Reading and deciding over one store, and oversight of both."""
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
    )

    def keys() -> PublicKeys:
        key = open_key(settings.data / "audit" / "key.pem")
        return {key.id: key.public}

    checkpoints = settings.audit.checkpoints or settings.data / "audit" / "checkpoints.jsonl"
    return Desks(
        reading=desk,
        deciding=desk,
        overseeing=OverseeingDesk(installation.journal, checkpoints=checkpoints, keys=keys),
    )
