"""The mix folder as the trainer reads it: parquet files of samples and of documents, in name order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from sources.errors import StageError
from train.identity import content_digest

Family = Literal["retrieval", "clustering", "classification"]
FAMILIES: tuple[Family, ...] = get_args(Family)
SPLITS = ("train", "validation")
SAMPLE_COLUMNS = ["source", "family", "query", "query_cluster", "positive_id", "negative_ids"]
DOCUMENT_COLUMNS = ["document_id", "text", "cluster"]
BATCH_ROWS = 16384


@dataclass(frozen=True)
class Mix:
    """One mix on disk."""

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
                f"no {pattern}", where=str(self.root / folder), remedy="run `curate mix` for this profile first"
            )
        return found

    @cached_property
    def identity(self) -> str:
        """Hash of everything the mix holds."""
        return content_digest(path for kind in (*SPLITS, "documents") for path in self.files(kind))

    def batches(self, kind: str) -> Iterator[pa.RecordBatch]:
        """Stream the columns the trainer needs, in file order.

        Raises:
            StageError: a file lacks one of them.

        """
        columns = DOCUMENT_COLUMNS if kind == "documents" else SAMPLE_COLUMNS
        for path in self.files(kind):
            file = pq.ParquetFile(path)
            missing = sorted(set(columns) - set(file.schema_arrow.names))
            if missing:
                raise StageError(f"columns missing: {', '.join(missing)}", where=str(path), remedy="make the mix again")
            yield from file.iter_batches(BATCH_ROWS, columns=columns)

    def rows(self, kind: str) -> int:
        """Return the number of rows of a split or of the documents, from the files' footers."""
        return sum(pq.ParquetFile(path).metadata.num_rows for path in self.files(kind))

    def texts(self, limit: int) -> Iterator[str]:
        """Yield documents and training queries, evenly spaced, about `limit` in all."""
        step = max(1, -(-(self.rows("documents") + self.rows("train")) // limit))
        for kind, column in (("documents", "text"), ("train", "query")):
            for batch in self.batches(kind):
                yield from batch.column(column).to_pylist()[::step]
