"""From a DICOM instance or a picture to a model array and the geometry that leads back."""
