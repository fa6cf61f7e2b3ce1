"""Engine packages: manifest, checks at load, registry, routing."""
