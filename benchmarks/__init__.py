"""What an explanation costs: side by side, in one run, on this machine. See ``benchmarks/README.md``."""
