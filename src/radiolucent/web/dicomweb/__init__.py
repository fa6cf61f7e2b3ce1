"""Our DICOMweb server (PS3.18): QIDO-RS, WADO-RS and STOW-RS over an `archive.Archive` and an `archive.Receiver`."""
