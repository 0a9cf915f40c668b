"""Runs the rows and prints the table: see `benchmarks.torture`."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.torture import archives, configurations, corruptions, disks, kills, mixes, network, rays, records
from benchmarks.torture.rows import Row, table, timed

ROWS: dict[str, tuple[Callable[[int, int], Row], int]] = {
    "kills": (kills.at_operations, 150),
    "signals": (kills.at_times, 150),
    "disks": (disks.row, 60),
    "corruptions": (corruptions.row, 500),
    "records": (records.row, 1_000_000),
    "configurations": (configurations.row, 5_000),
    "mixes": (mixes.row, 2_000),
    "archives": (archives.row, 2_000),
    "network": (network.row, 132),
    "ray": (rays.row, 20),
}
"""Name of a row → what tries it, and how often in a whole run."""


def main() -> None:
    """Run the rows that are asked for; exit with 1 if anything was not survived."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torture", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(ROWS), default=list(ROWS), help="rows; default: all")
    parser.add_argument("--share", type=float, default=1.0, help="of the tries of a whole run, such as 0.1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", type=Path, help="file for the table in Markdown")
    options = parser.parse_args()
    random.seed(options.seed)
    results = []
    for name in options.only:
        tries, most = ROWS[name]
        pending = Row(name)
        with timed(pending):
            row = tries(max(1, round(most * options.share)), options.seed)
            pending.__dict__.update(row.__dict__)
        results.append(pending)
    text = table(results)
    print(text)
    if options.table:
        options.table.write_text(text, "utf-8")
    sys.exit(any(row.failed or row.differences for row in results))


if __name__ == "__main__":
    main()
