"""Measured side by side with what others use: `python -m benchmarks.NAME`."""
