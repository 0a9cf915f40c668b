"""The files of a mix: samples of each split, and documents. Exports, the trainer and the public API read them here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from open_ml_embed.core.errors import StageError

SPLITS = ("train", "validation")
LOCATIONS = {"train": ("samples", "train-"), "validation": ("samples", "validation-"), "documents": ("documents", "")}
"""Kind of file → its folder, and how its name begins. A mix is hashed in this order."""
BATCH_ROWS = 16_384


@dataclass(frozen=True)
class MixFiles:
    """A mix on disk.

    Attributes:
        root: the folder.

    """

    root: Path

    def files(self, kind: str) -> list[Path]:
        """Return the parquet files of a split (`train`, `validation`) or of the `documents`, in name order.

        Raises:
            StageError: there are none.

        """
        folder, start = LOCATIONS[kind]
        files = sorted((self.root / folder).glob(f"{start}*.parquet"))
        if not files:
            raise StageError(
                f"no {start}*.parquet",
                where=str(self.root / folder),
                remedy="name the folder of a mix, or run `curate mix` for this profile first",
            )
        return files

    def read(self, kind: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield record batches of some columns, in file order.

        Raises:
            StageError: a file lacks one of the columns, or cannot be read.

        """
        for path in self.files(kind):
            try:
                yield from with_columns(path, columns).iter_batches(BATCH_ROWS, columns=list(columns))
            except (pa.ArrowInvalid, OSError) as error:
                raise StageError(f"cannot be read: {error}", where=str(path), remedy="make the mix again") from error

    def rows(self, kind: str) -> int:
        """Return the number of rows of a split or of the documents, read from the parquet footers."""
        return sum(pq.ParquetFile(path).metadata.num_rows for path in self.files(kind))


def with_columns(path: Path, columns: Sequence[str]) -> pq.ParquetFile:
    """Open a file of a mix, which must have some columns.

    Raises:
        StageError: it lacks one.

    """
    file = pq.ParquetFile(path)
    missing = sorted(set(columns) - set(file.schema_arrow.names))
    if missing:
        raise StageError(f"columns missing: {', '.join(missing)}", where=str(path), remedy="make the mix again")
    return file
