"""KaLM-Embedding: a folder for each source, of queries with lists of positives and negatives."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curation.export.exporters import Exporter
from curation.export.rows import Rows
from curation.export.shards import Writer

FOLDER = "data"
"""KaLM-Embedding's trainer takes every entry of its folder for a data set, so the README must not be in it."""


def write(rows: Rows, writer: Writer) -> None:
    """Write a folder for each source."""
    chosen = rows.selection
    sources = np.array([source for source, _ in chosen.pools], object)[chosen.pool]
    for source in chosen.sources:
        with writer.shards(f"{FOLDER}/{source}/{rows.split}") as sink:
            for family in rows.families:
                of_both = np.flatnonzero((sources == source) & chosen.in_family(family))
                for batch in rows.batches(family, of_both):
                    columns = {
                        "query": batch.queries,
                        "pos": rows.texts_of(batch.positives),
                        "neg": rows.texts_of(batch.negatives),
                    }
                    sink.write(pa.table(columns))


KALM = Exporter(
    title="the columns of KaLM-Embedding's training data",
    reader=f"the trainer of KaLM-Embedding reads the folder `{FOLDER}`, which has a folder for each source, "
    "if its files are JSON lines (`--files jsonl`). What reads KaLM-embedding-finetuning-data reads the folders as "
    "parquet.",
    columns={
        "query": "text, with its instruction where the mix has some: `Instruct: …`, a line feed, `Query: …`",
        "pos": "list of texts that answer it, the sample's own first",
        "neg": "list of texts that do not, one at least",
    },
    usage="""Rows name neither language nor loss family: the folder is all that tells the sources apart.
""",
    write=write,
    negatives={"retrieval": 7, "clustering": 7, "classification": 7},
    kinds=("parquet", "jsonl", "jsonl.zst"),
)
"""Negatives a row are those that most of that data has."""
