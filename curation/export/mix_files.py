"""The files of a mix, as an export reads them: samples of one split, and documents, in the order of their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from open_ml_embed.core.errors import StageError

BATCH_ROWS = 16_384


@dataclass(frozen=True)
class MixFiles:
    """A mix on disk."""

    root: Path

    def files(self, kind: str) -> list[Path]:
        """Return the parquet files of a split (`train`, `validation`) or of the `documents`, in name order.

        Raises:
            StageError: there are none.

        """
        folder, pattern = ("documents", "*.parquet") if kind == "documents" else ("samples", f"{kind}-*.parquet")
        found = sorted((self.root / folder).glob(pattern))
        if not found:
            raise StageError(
                f"no {pattern}", where=str(self.root / folder), remedy="name the folder of a mix, or run `curate mix`"
            )
        return found

    def batches(self, kind: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Stream some columns in file order.

        Raises:
            StageError: a file lacks one of them, or cannot be read.

        """
        for path in self.files(kind):
            try:
                file = pq.ParquetFile(path)
                missing = [name for name in columns if name not in file.schema_arrow.names]
                if missing:
                    raise StageError(
                        f"columns missing: {', '.join(missing)}", where=str(path), remedy="make the mix again"
                    )
                yield from file.iter_batches(BATCH_ROWS, columns=columns)
            except (pa.ArrowInvalid, OSError) as error:
                raise StageError(f"cannot be read: {error}", where=str(path), remedy="make the mix again") from error

    def rows(self, kind: str) -> int:
        """Return the number of rows of a split or of the documents, from the files' footers."""
        return sum(pq.ParquetFile(path).metadata.num_rows for path in self.files(kind))
