"""What became of the records of each raw file: counted while a part is normalized, exact, and small enough to keep."""

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
    """Counts of one raw file; an archive's members count for the archive.

    Where the shape makes one row of a record, ``records == rows + beyond_limit + quarantined + filtered``. Shapes that
    join records into a row have more records, and those that split a record fewer (`joined` is the difference).
    Where a shape needs the whole subset, `filtered` has only what `where` left out: what the shape itself filters is
    counted for the subset.
    """

    records: int = 0
    """Records the reader met, those that it could not read included."""
    unread: int = 0
    """Of them, those that the reader itself quarantined: the shape never saw them."""
    rows: int = 0
    beyond_limit: int = 0
    """Records or rows left over when a limit was reached: one of the shape's arguments, or `rows_per_part`."""
    quarantined: Counter[str] = field(default_factory=Counter)
    """Reason → records."""
    filtered: Counter[str] = field(default_factory=Counter)
    """Reason → records."""

    @property
    def joined(self) -> int:
        """Records that share a row with others; negative where records make several rows."""
        rest = self.rows + self.beyond_limit + self.quarantined.total() + self.filtered.total()
        return self.records - rest

    def as_json(self) -> dict[str, Any]:
        """Return the counts as JSON has them, reasons in alphabetical order."""
        return {
            "records": self.records,
            "unread": self.unread,
            "rows": self.rows,
            "beyond_limit": self.beyond_limit,
            "quarantined": dict(sorted(self.quarantined.items())),
            "filtered": dict(sorted(self.filtered.items())),
        }


class Tally:
    """Counts one part's files as `sources.normalize.normalize` reads them and makes rows."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.beyond_limit = 0
        """Of the whole part, as `FileCounts.beyond_limit`."""
        self.where: dict[str, Counter[str]] = {}
        """File → what `where` left out."""
        self._names = [file.name for file in part.files]
        self._read: dict[tuple[str, str], tuple[int, int]] = {}
        self._rows: Counter[str] = Counter()
        self._left_over: Counter[str] = Counter()
        self._stopped = False

    def read(self, table: str, file: str, records: int, unread: int) -> None:
        """Say how far the reading of a file has come; a table that a shape reads twice counts once."""
        before = self._read.get((table, file), (0, 0))
        self._read[table, file] = (max(before[0], records), max(before[1], unread))

    def made(self, rows: pa.RecordBatch) -> None:
        """Count rows by the file they come from."""
        self._rows.update(self._by_file(rows))

    def left_over(self, rows: pa.RecordBatch) -> None:
        """Say that of the rows counted last these (perhaps none) were not taken, and that nothing more will be."""
        left = self._by_file(rows)
        self._rows.subtract(left)
        self._left_over.update(left)
        self.beyond_limit += rows.num_rows
        self._stopped = True

    def files(self, quarantine: Quarantine, filtered: Counter[str], *, per_file: bool) -> dict[str, FileCounts]:
        """Return the counts by file name, in the part's order.

        Args:
            quarantine: of the part.
            filtered: of the part, and of it alone.
            per_file: whether the part is one file, all of whose records the shape looks at one by one.

        """
        found = {name: FileCounts() for name in self._names}
        for (_, name), (records, unread) in self._read.items():
            found[name].records += records
            found[name].unread += unread
        for name, counts in found.items():
            counts.rows, counts.beyond_limit = self._rows[name], self._left_over[name]
            counts.filtered.update(self.where.get(name, {}))
        for name, reasons in quarantine.by_file.items():
            found[self._file_of(name)].quarantined.update(reasons)
        if per_file:
            (only,) = found.values()
            only.filtered, only.beyond_limit = Counter(filtered), self.beyond_limit
            if self._stopped:  # what was read ahead counts as not read
                only.records -= max(only.joined, 0)
        return found

    def _by_file(self, rows: pa.RecordBatch) -> Counter[str]:
        if len(self._names) == 1:
            return Counter({self._names[0]: rows.num_rows})
        found: Counter[str] = Counter()
        for entry in pc.struct_field(rows["origin"], "file").value_counts().to_pylist():
            found[self._file_of(entry["values"])] += entry["counts"]
        return found

    def _file_of(self, name: str) -> str:
        """Return the part's file that a name stands for: itself, or the archive of ``archive!member``."""
        return name if name in self._names else next(known for known in self._names if name.startswith(f"{known}!"))
