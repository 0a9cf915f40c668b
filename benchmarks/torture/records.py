"""Damaged records of all raw formats: see `benchmarks.fuzz_readers`, which this runs."""

from __future__ import annotations

from benchmarks import fuzz_readers
from benchmarks.torture.rows import Row


def row(count: int, seed: int) -> Row:
    """Read about `count` records in damaged files of all formats."""
    files, records, faults = fuzz_readers.run(seed, count)
    result = Row("records in damaged files of all raw formats", records, len(faults))
    result.note = f"{files:,} files"
    result.faults = [f"seed {seed}: {fault}" for fault in faults]
    return result
