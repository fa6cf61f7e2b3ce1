"""Which SOP Classes are kept: whatever an archive stores, and none that is a directory, a query or a print job."""

from __future__ import annotations

from pydicom.uid import UID

from radiolucent.prepare.boundary import refused

STANDARD_ROOT, COMPOSITE_ROOT, STORAGE_ROOT = "1.2.840.10008.", "1.2.840.10008.5.1.4.", "1.2.840.10008.5.1.4.1.1."


def check_class(sop_class_uid: str) -> None:
    """Refuse standard SOP Classes that nobody stores; instances of private ones are kept.

    Raises
    ------
    InputRefused
        ``sop_class_not_kept``.
    """
    is_named_storage = UID(sop_class_uid).name.removesuffix(" - Trial").endswith("Storage")
    is_storage = sop_class_uid.startswith(STORAGE_ROOT) or (
        sop_class_uid.startswith(COMPOSITE_ROOT) and is_named_storage
    )
    if sop_class_uid.startswith(STANDARD_ROOT) and not is_storage:
        raise refused(
            "sop_class_not_kept",
            found="an object of a SOP Class that is not for storage",
            expected="a composite object such as an image or a report (PS3.4 annex B)",
            action="Send the instances themselves.",
        )
