"""Code tables of the standards the house speaks, each with its edition."""
