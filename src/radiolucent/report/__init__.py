"""From results to what leaves the building; builds, never sends."""
