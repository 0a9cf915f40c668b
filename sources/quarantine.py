"""Bad records: kept with a reason, counted and shown, never fatal to the run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa

from sources.schema import QUARANTINE_SCHEMA

EXCERPT_CHARS = 200
KEPT_PER_REASON = 1000
"""Records kept in full for each reason and part; all are counted."""
UNREADABLE_KEPT = 1000
"""Unreadable files named for each part; the bytes of further ones are added up in one last entry."""
OTHERS = "(further files)"


@dataclass
class Quarantine:
    """Collects the records of one part that cannot become rows."""

    source: str
    subset: str
    counts: Counter[str] = field(default_factory=Counter)
    by_file: dict[str, Counter[str]] = field(default_factory=dict)
    """File name (of an archive's member: ``archive!member``) → reason → records."""
    unreadable: list[tuple[str, str, int]] = field(default_factory=list)
    """Files that were not read to their end, or not at all: (file, why, bytes not read)."""
    _rows: list[tuple[str, int, str, str]] = field(default_factory=list)

    def add(self, file: str, record: int, reason: str, excerpt: object = "", *, count: int = 1) -> None:
        """Quarantine one record, or `count` records from `record` on that share a fate.

        Args:
            file: name of the raw file as the origin calls it (not a local path).
            record: zero-based number of the record in that file.
            reason: short and countable, e.g. ``invalid-json`` or ``empty-query``; details go to the excerpt.
            excerpt: something of the record to recognize it by; cut to 200 characters.
            count: how many records this entry stands for.

        """
        self.counts[reason] += count
        self.by_file.setdefault(file, Counter())[reason] += count
        if self.counts[reason] <= KEPT_PER_REASON:
            text = excerpt if isinstance(excerpt, str) else repr(excerpt)
            text = text.encode("utf-8", "backslashreplace").decode("utf-8")
            self._rows.append((file, record, reason, text[:EXCERPT_CHARS]))

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
        """Mark a file of which something could not be read, where nobody can tell how many records that is.

        Args:
            file: name of the raw file, or of the archive's member.
            why: what is wrong and, where something can be done, the remedy; for a person to read.
            bytes_not_read: bytes of the file, as it is stored, that no record was read from.
            record: zero-based number of the first record that is missing.
            reason: what the quarantine counts it under.
            count: records the quarantine counts for it; zero where they have been counted one by one.

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
        """Number of records quarantined so far."""
        return self.counts.total()

    def table(self) -> pa.Table:
        """Return the kept records in the order they were met (`QUARANTINE_SCHEMA`)."""
        columns = list(zip(*self._rows, strict=True)) or [(), (), (), ()]
        n = len(self._rows)
        return pa.table([[self.source] * n, [self.subset] * n, *map(list, columns)], schema=QUARANTINE_SCHEMA)
