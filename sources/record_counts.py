"""Exact counts of the records of each raw file by outcome, taken while a part is normalized."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sources.parts import Part
from sources.quarantine import Quarantine


@dataclass
class FileCounts:
    """Counts of one raw file; members of an archive are counted under the archive.

    If the shape makes one row of each record, ``records == rows + beyond_limit + quarantined + filtered``. Shapes that
    join several records into a row have more records; shapes that split records have fewer (`joined` is the
    difference). If the shape needs the whole subset, `filtered` counts only the records that `where` left out; those
    that the shape filters are counted for the subset.
    """

    records: int = 0
    """Records in the file, including those that the reader could not read."""
    unread: int = 0
    """Records that the reader quarantined, so that they did not reach the shape."""
    rows: int = 0
    beyond_limit: int = 0
    """Records or rows left over when a limit was reached: an argument of the shape, or `rows_per_part`."""
    quarantined: Counter[str] = field(default_factory=Counter)
    """Reason → number of records."""
    filtered: Counter[str] = field(default_factory=Counter)
    """Reason → number of records."""

    @property
    def joined(self) -> int:
        """Records minus outcomes: positive if several records share a row, negative if a record makes several rows."""
        rest = self.rows + self.beyond_limit + self.quarantined.total() + self.filtered.total()
        return self.records - rest

    def as_json(self) -> dict[str, Any]:
        """Return the counts as JSON data, reasons in alphabetical order."""
        return {
            "records": self.records,
            "unread": self.unread,
            "rows": self.rows,
            "beyond_limit": self.beyond_limit,
            "quarantined": dict(sorted(self.quarantined.items())),
            "filtered": dict(sorted(self.filtered.items())),
        }


class Tally:
    """Counts the records of the files of one part while `sources.normalize.normalize` reads them and makes rows."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.beyond_limit = 0
        """As `FileCounts.beyond_limit`, for the whole part."""
        self.where: dict[str, Counter[str]] = {}
        """File → counts of the records that `where` left out."""
        self._names = [file.name for file in part.files]
        self._read: dict[tuple[str, str], tuple[int, int]] = {}
        self._rows: Counter[str] = Counter()
        self._left_over: Counter[str] = Counter()
        self._stopped = False

    def read(self, table: str, file: str, records: int, unread: int) -> None:
        """Set the numbers of records read from a file so far; a table that a shape reads twice counts once."""
        before = self._read.get((table, file), (0, 0))
        self._read[table, file] = (max(before[0], records), max(before[1], unread))

    def made(self, rows: pa.RecordBatch) -> None:
        """Count new rows by their file."""
        self._rows.update(self._by_file(rows))

    def left_over(self, rows: pa.RecordBatch) -> None:
        """Move rows that were counted but not used to `beyond_limit`, and record that reading stops here."""
        left = self._by_file(rows)
        self._rows.subtract(left)
        self._left_over.update(left)
        self.beyond_limit += rows.num_rows
        self._stopped = True

    def files(self, quarantine: Quarantine, filtered: Counter[str], *, per_file: bool) -> dict[str, FileCounts]:
        """Return the counts by file name, in the part's order.

        Args:
            quarantine: of the part.
            filtered: filtered records of this part only, by reason.
            per_file: whether the part is one file that the shape processes record by record.

        """
        result = {name: FileCounts() for name in self._names}
        for (_, name), (records, unread) in self._read.items():
            result[name].records += records
            result[name].unread += unread
        for name, counts in result.items():
            counts.rows, counts.beyond_limit = self._rows[name], self._left_over[name]
            counts.filtered.update(self.where.get(name, {}))
        for name, reasons in quarantine.by_file.items():
            result[self._file_of(name)].quarantined.update(reasons)
        if per_file:
            (only,) = result.values()
            only.filtered, only.beyond_limit = Counter(filtered), self.beyond_limit
            if self._stopped:  # records that were read ahead count as not read
                only.records -= max(only.joined, 0)
        return result

    def _by_file(self, rows: pa.RecordBatch) -> Counter[str]:
        if len(self._names) == 1:
            return Counter({self._names[0]: rows.num_rows})
        result: Counter[str] = Counter()
        for entry in pc.struct_field(rows["origin"], "file").value_counts().to_pylist():
            result[self._file_of(entry["values"])] += entry["counts"]
        return result

    def _file_of(self, name: str) -> str:
        """Return the name of the part's file: the name itself, or the archive of ``archive!member``."""
        return name if name in self._names else next(known for known in self._names if name.startswith(f"{known}!"))
