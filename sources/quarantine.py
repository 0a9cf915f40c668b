"""Quarantine for bad records: each is counted and kept with a reason; the run goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa

from sources.schema import QUARANTINE_SCHEMA

EXCERPT_CHARS = 200
KEPT_PER_REASON = 1000
"""Most entries kept for each reason of a part; all records are counted."""
UNREADABLE_KEPT = 1000
"""Most unreadable files listed for a part; the bytes of further ones are summed in one last entry."""
OTHERS = "(further files)"


def plain(excerpt: object) -> str:
    """Return an excerpt as a text that Arrow can hold: surrogates are escaped, other objects as Python shows them."""
    text = excerpt if isinstance(excerpt, str) else repr(excerpt)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass
class Quarantine:
    """Collects the records of one part that cannot become rows."""

    source: str
    subset: str
    counts: Counter[str] = field(default_factory=Counter)
    by_file: dict[str, Counter[str]] = field(default_factory=dict)
    """File name (``archive!member`` for members of archives) → reason → number of records."""
    unreadable: list[tuple[str, str, int]] = field(default_factory=list)
    """Files that were read in part or not at all: (file, why, bytes not read)."""
    _rows: list[tuple[str, int, str, str]] = field(default_factory=list)

    def add(self, file: str, record: int, reason: str, excerpt: object = "", *, count: int = 1) -> None:
        """Quarantine one record, or `count` records from `record` on for the same reason.

        Args:
            file: name of the raw file at its origin (not a local path).
            record: zero-based number of the record in that file.
            reason: a short key for counting, such as ``invalid-json`` or ``empty-query``; details go to the excerpt.
            excerpt: a part of the record that identifies it; cut to 200 characters.
            count: number of records that this entry represents.

        """
        self.counts[reason] += count
        self.by_file.setdefault(file, Counter())[reason] += count
        if self.counts[reason] <= KEPT_PER_REASON:
            self._rows.append((file, record, reason, plain(excerpt)[:EXCERPT_CHARS]))

    def add_unreadable(
        self,
        file: str,
        why: str,
        bytes_not_read: int,
        *,
        record: int = 0,
        reason: str = "unreadable-file",
        count: int = 1,
    ) -> None:
        """Record that a part of a file could not be read and that the number of lost records is unknown.

        Args:
            file: name of the raw file, or of the archive's member.
            why: message for the user: what is wrong, and the remedy if there is one.
            bytes_not_read: bytes of the stored file from which no record was read.
            record: zero-based number of the first missing record.
            reason: the key for counting.
            count: number of records to count; zero if they have been counted one by one.

        """
        if count:
            self.add(file, record, reason, why, count=count)
        if len(self.unreadable) < UNREADABLE_KEPT:
            self.unreadable.append((file, why, bytes_not_read))
        elif len(self.unreadable) == UNREADABLE_KEPT:
            self.unreadable.append((OTHERS, "1 more", bytes_not_read))
        else:
            _, more, size = self.unreadable[-1]
            self.unreadable[-1] = (OTHERS, f"{int(more.split()[0]) + 1} more", size + bytes_not_read)

    @property
    def total(self) -> int:
        """Number of quarantined records."""
        return self.counts.total()

    def table(self) -> pa.Table:
        """Return the kept entries in the order in which they were added (`QUARANTINE_SCHEMA`)."""
        columns = list(zip(*self._rows, strict=True)) or [(), (), (), ()]
        n = len(self._rows)
        return pa.table([[self.source] * n, [self.subset] * n, *map(list, columns)], schema=QUARANTINE_SCHEMA)
