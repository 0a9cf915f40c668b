"""Tevatron 2: JSON lines of queries that name documents by id, and a corpus."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from curation.export.exporters import Exporter
from curation.export.rows import Rows
from curation.export.shards import Writer


def write(rows: Rows, writer: Writer) -> None:
    """Write the queries of each family, and the documents that they name."""
    for family in rows.families:
        with writer.shards(f"{family}/{rows.split}") as sink:
            for batch in rows.batches(family):
                columns = {
                    "query_id": batch.ids,
                    "query_text": batch.queries,
                    "query_image": pa.nulls(len(batch)),
                    "positive_document_ids": as_text(batch.positives),
                    "negative_document_ids": as_text(batch.negatives),
                }
                sink.write(pa.table(columns))
    with writer.shards("corpus/corpus") as sink:
        for documents in rows.documents():
            ids = documents["document_id"].cast(pa.string())
            sink.write(pa.table({"docid": ids, "text": documents["text"], "image": pa.nulls(len(ids))}))


def as_text(lists: pa.Array) -> pa.Array:
    """Return lists of numbers as lists of their digits."""
    return pa.LargeListArray.from_arrays(lists.offsets, pc.cast(lists.values, pa.string()))


TEVATRON = Exporter(
    title="queries and corpus for Tevatron 2",
    reader="`tevatron.retriever.driver.train` reads both with `datasets`.",
    columns={
        "query_id": "row id of the mix",
        "query_text": "text, with its instruction where the mix has some",
        "query_image": "null",
        "positive_document_ids": "list of `docid`, the sample's own first",
        "negative_document_ids": "list of `docid`, one at least",
        "docid": "of the corpus: number of the document in the mix, as text",
        "text": "of the corpus: the document",
        "image": "of the corpus: null",
    },
    usage="""Its arguments: `--dataset_name json --dataset_path retrieval/train-*.jsonl`, and for the corpus
`--corpus_name json --corpus_path corpus/*.jsonl`.
""",
    write=write,
    kinds=("jsonl", "jsonl.zst", "parquet"),
)
