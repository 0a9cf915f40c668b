"""FlagEmbedding: JSON lines with lists of positives and negatives, a folder for each family."""

from __future__ import annotations

import pyarrow as pa

from curation.export.exporters import Exporter
from curation.export.rows import Rows
from curation.export.shards import Writer

TYPES = {"retrieval": "normal", "clustering": "symmetric_clustering", "classification": "symmetric_class"}
FOLDERS = {name: name if name == "retrieval" else f"{name}_no_in_batch_neg" for name in TYPES}
"""A folder whose name ends so has no in-batch negatives."""


def write(rows: Rows, writer: Writer) -> None:
    """Write a folder of JSON lines for each family."""
    for family in rows.families:
        with writer.shards(f"{FOLDERS[family]}/{rows.split}", "jsonl") as sink:
            for batch in rows.batches(family):
                columns = {
                    "query": batch.bare_queries,
                    "pos": rows.texts_of(batch.positives),
                    "neg": rows.texts_of(batch.negatives),
                }
                if batch.instructions is not None:
                    columns["prompt"] = batch.instructions
                columns["type"] = pa.array([TYPES[family]] * len(batch))
                sink.write(pa.table(columns))


FLAG_EMBEDDING = Exporter(
    title="JSON lines for FlagEmbedding",
    reader="FlagEmbedding's finetuning takes the folders as `--train_data`.",
    columns={
        "query": "text, without instruction",
        "pos": "list of texts that answer it, the sample's own first",
        "neg": "list of texts that do not, one at least",
        "prompt": "instruction of the query; only where the mix has some",
        "type": "`normal`, `symmetric_clustering` or `symmetric_class`, by loss family",
    },
    usage="""With `--same_dataset_within_batch True`, a batch is of one file, and folders that end in
`no_in_batch_neg` are trained without in-batch negatives; name each folder without a slash at its end. Batches of the
symmetric types are then half as large, and documents of `symmetric_clustering` get the instruction too. Without it,
rows of all folders are mixed, all with in-batch negatives, and `type` has no effect.

`prompt` is used in the form that `--query_instruction_format` says; the mix has `Instruct: {}`, a line feed,
`Query: {}`. Mixed batches use it only where `--query_instruction_for_retrieval` is set (to anything).
""",
    write=write,
)
