"""From evidence on the model's grid to a map, a place and words on source pixels. Pure."""
