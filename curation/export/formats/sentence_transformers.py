"""sentence-transformers: parquet of anchor, positive and a column for each negative."""

from __future__ import annotations

import pyarrow as pa

from curation.export.exporters import Exporter
from curation.export.rows import Rows
from curation.export.shards import Writer


def write(rows: Rows, writer: Writer) -> None:
    """Write a folder of parquet files for each family."""
    for family in rows.families:
        width = rows.width(family) or 0
        with writer.shards(f"{family}/{rows.split}") as sink:
            for batch in rows.batches(family):
                columns = {"anchor": batch.queries, "positive": rows.texts(batch.first_positives)}
                numbers = batch.negatives_by_column(width)
                columns |= {f"negative_{i + 1}": rows.texts(numbers[:, i]) for i in range(width)}
                sink.write(pa.table({name: column.cast(pa.string()) for name, column in columns.items()}))


SENTENCE_TRANSFORMERS = Exporter(
    title="n-tuples for sentence-transformers",
    reader="`SentenceTransformerTrainer` takes columns by their order: anchor, positive, negatives.",
    columns={
        "anchor": "text, the query, with its instruction where the mix has some",
        "positive": "text that answers it",
        "negative_1 … negative_n": "texts that do not; the same n in all files of a folder",
    },
    usage="""Each folder is a dataset of one loss family. Under most losses the texts of a batch are negatives for
each other, which is right for `retrieval` alone: give the others a loss that scores a query against its own negatives.

```python
from datasets import load_dataset

retrieval = load_dataset("parquet", data_files="retrieval/*.parquet", split="train")
```
""",
    write=write,
    kinds=("parquet", "jsonl", "jsonl.zst"),
    negatives={"retrieval": 7, "clustering": 9, "classification": 1},
    least=0,
    same=True,
)
"""Negatives a row are those of a training step of F2LLM."""
