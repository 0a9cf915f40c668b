"""ms-swift, embedding task: JSON lines of chat messages."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curation.export.exporters import Exporter
from curation.export.rows import Rows
from curation.export.shards import Writer
from open_ml_embed.core.array_types import I64
from open_ml_embed.core.text.arrays import list_starts


def write(rows: Rows, writer: Writer) -> None:
    """Write a folder of JSON lines for each family."""
    for family in rows.families:
        with writer.shards(f"{family}/{rows.split}", "jsonl") as sink:
            for batch in rows.batches(family):
                ones = np.arange(len(batch) + 1)
                positives = _one_message_each(rows.texts(batch.first_positives))
                negatives = _one_message_each(rows.texts(batch.negatives.flatten().to_numpy()))
                columns = {
                    "messages": _one_message_each(batch.queries),
                    "positive_messages": _lists(ones, positives),
                    "negative_messages": _lists(list_starts(batch.negatives), negatives),
                }
                sink.write(pa.table(columns))


def _one_message_each(texts: pa.Array) -> pa.Array:
    roles = pa.array(["user"] * len(texts), pa.string())
    return _lists(np.arange(len(texts) + 1), pa.StructArray.from_arrays([roles, texts], ["role", "content"]))


def _lists(starts: I64, values: pa.Array) -> pa.Array:
    return pa.LargeListArray.from_arrays(pa.array(starts.astype(np.int64)), values)


MS_SWIFT = Exporter(
    title="messages for ms-swift",
    reader="`swift sft --task_type embedding` of ms-swift 3.9 and later takes the files as `--dataset`.",
    columns={
        "messages": "list of one `{role, content}`: the query, with its instruction where the mix has some",
        "positive_messages": "list of one list of messages: the text that answers it",
        "negative_messages": "list of lists of messages: texts that do not; may be empty",
    },
    usage="""An instruction is part of the user's message: where a system message goes depends on the template, and that
for Qwen3-Embedding joins the two with a space. Only `retrieval` is meant for in-batch negatives: train the other
folders with `INFONCE_USE_BATCH=False`.
""",
    write=write,
    least=0,
)
