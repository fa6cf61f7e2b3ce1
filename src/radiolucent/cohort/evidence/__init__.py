"""The evidence pack: what is asked of such a system, what is there, and where it can be seen."""
