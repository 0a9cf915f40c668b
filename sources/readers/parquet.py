"""Parquet: row group by row group, declared columns only. Record numbers count rows of the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.quarantine import Quarantine
from sources.readers.conform import conform, require

BATCH_BYTES = 8 << 20


def read(
    path: Path, name: str, table: RawTable, quarantine: Quarantine, *, batch_rows: int = 65_536
) -> Iterator[RawBatch]:
    """Stream a Parquet file; see `sources.readers.read`.

    A row group that cannot be decoded is quarantined from the first row not yet read, as one entry with a count.
    """
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        quarantine.add(name, 0, "unreadable-file", str(error))
        return
    with file:
        require(file.schema_arrow.names, table, name)
        start = 0
        for group in range(file.num_row_groups):
            about = file.metadata.row_group(group)
            end = start + about.num_rows
            # Long texts come in smaller batches, so that a batch has about the same size everywhere.
            fitting = BATCH_BYTES * max(about.num_rows, 1) // max(about.total_byte_size, 1)
            batches = file.iter_batches(
                batch_size=max(1, min(batch_rows, fitting)),
                row_groups=[group],
                columns=list(table.fields),
                use_threads=False,
            )
            while start < end:
                try:
                    batch = next(batches)
                except StopIteration:
                    quarantine.add(name, start, "corrupt-row-group", "fewer rows than promised", count=end - start)
                    break
                except (pa.ArrowException, OSError) as error:
                    quarantine.add(name, start, "corrupt-row-group", str(error), count=end - start)
                    break
                records = np.arange(start, start + batch.num_rows, dtype=np.int64)
                start += batch.num_rows
                yield conform(pa.Table.from_batches([batch]), name, records, table, quarantine)
            start = end
