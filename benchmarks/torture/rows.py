"""A row of the table: what was tried, what was survived, and every failure with what repeats it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Row:
    """Results of one kind of torture.

    Attributes:
        name: what was done, as the table has it.
        tried: how often.
        failed: how often it was not survived.
        differences: files that differ at the end from an undisturbed run, in all tries.
        minutes: by the clock.
        faults: a line for each failure, with what repeats it.
        note: how many of the tries met what they were made for, where not all can.

    """

    name: str
    tried: int = 0
    failed: int = 0
    differences: int = 0
    minutes: float = 0.0
    faults: list[str] = field(default_factory=list)
    note: str = ""

    def count(self, fault: str = "", *, times: int = 1, differences: int = 0) -> None:
        """Count a try; one with a fault or with differences was not survived."""
        self.tried += times
        self.differences += differences
        if fault or differences:
            self.failed += 1
            self.faults.append(fault or f"{differences} files differ")

    @property
    def survived(self) -> int:
        """Tries without a fault."""
        return self.tried - self.failed


@contextmanager
def timed(row: Row) -> Iterator[Row]:
    """Add the minutes of the block to a row, and print it at the end."""
    began = time.monotonic()
    try:
        yield row
    finally:
        row.minutes += (time.monotonic() - began) / 60
        numbers = f"{row.tried:,} tried, {row.survived:,} survived, {row.differences} differences"
        print(f"{row.name}: {numbers}, {row.minutes:.1f} minutes; {row.note}", flush=True)
        for fault in row.faults[:20]:
            print(f"  {fault}", flush=True)


def table(rows: list[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = ["| what | tried | survived | files that differ | minutes |", "| --- | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {r.name}{r.note and f' ({r.note})'} | {r.tried:,} | {r.survived:,} | {r.differences} | {r.minutes:.1f} |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"
