"""Triplets: parquet of anchor, positive, negative, a row for each negative."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curation.export.exporters import Exporter
from curation.export.rows import Rows
from curation.export.shards import Writer
from open_ml_embed.core.text.arrays import list_starts


def write(rows: Rows, writer: Writer) -> None:
    """Write a folder of parquet files for each family."""
    for family in rows.families:
        with writer.shards(f"{family}/{rows.split}") as sink:
            for batch in rows.batches(family):
                sample = np.repeat(np.arange(len(batch)), np.diff(list_starts(batch.negatives)))
                columns = {
                    "anchor": batch.queries.take(pa.array(sample)),
                    "positive": rows.texts(batch.first_positives[sample]),
                    "negative": rows.texts(batch.negatives.flatten().to_numpy()),
                }
                sink.write(pa.table(columns))


TRIPLETS = Exporter(
    title="triplets",
    reader="any trainer with a triplet loss; sentence-transformers takes the columns by their order.",
    columns={
        "anchor": "text, the query, with its instruction where the mix has some; once for each of its negatives",
        "positive": "text that answers it",
        "negative": "text that does not",
    },
    write=write,
    kinds=("parquet", "jsonl", "jsonl.zst"),
)
