"""Benchmarks of this project beside comparable libraries: `python -m benchmarks.NAME`."""
