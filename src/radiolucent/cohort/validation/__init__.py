"""An engine on a hospital's own patients: figures, subgroups, where it looks, and whether that has moved."""
