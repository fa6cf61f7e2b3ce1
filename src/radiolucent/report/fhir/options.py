"""What a site says about its identifiers and addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirOptions:
    """Naming systems and addresses of one receiver.

    Parameters
    ----------
    patient_system
        URI of patient identifiers whose issuer is not in ``issuers``. Without it such an identifier gets a system of
        our own, which meets no patient of another system: a second record can be put right, a wrong one hardly.
    issuers
        URI by issuer (assigning authority), as DICOM (0010,0021) or HL7 PID-3.4 writes it.
    accession_system, order_system
        URI of accession numbers, and of placer order numbers, where the site has one.
    code_systems
        URI by coding scheme designator, over and beyond those of `systems.CODE_SYSTEMS`.
    zone
        Time zone of study times that name none; without it only their date is written.
    wado_url
        Base of a DICOMweb service that holds source images and results; images then carry an address.
    software_device_uid
        Device UID of this software as its DICOM objects carry it, so that both name the same device.
    """

    patient_system: str | None = None
    issuers: Mapping[str, str] = field(default_factory=dict)
    accession_system: str | None = None
    order_system: str | None = None
    code_systems: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo | None = None
    wado_url: str | None = None
    software_device_uid: str = ""
