"""F2LLM's trainer, step 2: token ids of queries, and one corpus of the token ids of all documents."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.export.exporters import Exporter
from curation.export.formats.upstream import UNLISTED, single_notes, unlisted_notes, upstream_files
from curation.export.rows import Batch, Rows
from curation.export.shards import Writer
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.tokenizer_file import TextTokenizer
from sources.released import NEGATIVES

FOLDER = "tokenized_training_data"
LONGEST = 2047
"""Most tokens of a text, before the end token."""
_AT_ONCE = 1024


def write(rows: Rows, writer: Writer) -> None:
    """Write a file of queries for each file of the release, and the corpus."""
    assert writer.options.tokenizer is not None, "it is checked before"
    tokenizer = TextTokenizer(writer.options.tokenizer, where="--tokenizer", longest=LONGEST)
    files = upstream_files(rows)
    for file in files:
        folder = FOLDER if file.listed else UNLISTED
        with writer.one_file(f"{folder}/{file.name}_query", "parquet") as sink:
            for batch in rows.batches(file.family, file.places):
                sink.write(_queries(batch, tokenizer, NEGATIVES[file.family]))
    writer.notes += [*unlisted_notes(files, FOLDER, "_query"), *single_notes(files, "_query")]
    with writer.one_file(f"{FOLDER}/corpus", "parquet") as sink:
        for documents in rows.documents():
            for start in range(0, documents.num_rows, _AT_ONCE):
                some = documents.slice(start, _AT_ONCE)
                ids = some["document_id"].cast(pa.string())
                sink.write(pa.table({"doc_id": ids, "input_ids": _ids(some["text"], tokenizer)}))


def _queries(batch: Batch, tokenizer: TextTokenizer, width: int) -> pa.Table:
    numbers = batch.negatives_by_column(width)
    columns = {
        "query_input_ids": _ids(batch.queries, tokenizer),
        "passage_input_ids": _as_text(batch.first_positives),
    }
    return pa.table(columns | {f"negative_{i + 1}_input_ids": _as_text(numbers[:, i]) for i in range(width)})


def _ids(texts: pa.Array, tokenizer: TextTokenizer) -> pa.Array:
    """Return list<int32>[n]: the tokens of each text, cut at `LONGEST`, and the end token."""
    tokens = [np.array([*ids, tokenizer.end], np.int32) for ids in tokenizer.encode(texts.to_pylist())]
    offsets = offsets_of(np.array([len(ids) for ids in tokens], np.int64)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(tokens)))


def _as_text(numbers: np.ndarray) -> pa.Array:
    return pc.cast(pa.array(numbers), pa.string())


UPSTREAM_TOKENIZED = Exporter(
    title="input of F2LLM's trainer, step 2",
    reader=f"`run.py` of CodeFuse-Embeddings reads the folder `{FOLDER}` as its `train_data_path`.",
    columns={
        "query_input_ids": "of `…_query.parquet`: tokens of the query with its instruction, and the end token",
        "passage_input_ids": "`doc_id` of the document that answers it",
        "negative_1_input_ids … negative_24_input_ids": "`doc_id` of documents that do not; in the files of two-way "
        "classification `negative_1_input_ids` alone",
        "doc_id": "of corpus.parquet: number of the document in the mix, as text",
        "input_ids": "of corpus.parquet: tokens of the document, and the end token",
    },
    usage=f"""At most {LONGEST:,} tokens a text, and the end token, as step 1 cuts them. All rows are here, also of
files of which step 1 would draw 80,000. Rows of sources that the released corpus does not have are in `{UNLISTED}/`.
""",
    write=write,
    negatives=NEGATIVES,
    same=True,
    fixed=True,
    tokens=True,
)
