"""NeMo Automodel's retrieval recipes: JSON of questions that name documents by id, and a corpus folder."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

from curation.export.exporters import Exporter
from curation.export.rows import Rows
from curation.export.shards import Writer, json_lines

CORPUS = "corpus"
HEAD = '{"corpus": [{"path": "../corpus"}], "data": [\n'


def write(rows: Rows, writer: Writer) -> None:
    """Write the questions of each family, and the documents that they name."""
    for family in rows.families:
        _questions(rows, writer, family)
    writer.text(f"{CORPUS}/merlin_metadata.json", json.dumps({"class": "TextQADataset", "corpus_id": CORPUS}) + "\n")
    with writer.shards(f"{CORPUS}/train", "parquet") as sink:
        for documents in rows.documents():
            sink.write(pa.table({"id": documents["document_id"].cast(pa.string()), "text": documents["text"]}))


def _questions(rows: Rows, writer: Writer, family: str) -> None:
    """Write a family's questions: one JSON object a file, which the reader loads whole."""
    inside, number = 0, 0
    for batch in rows.batches(family):
        table = pa.table(
            {
                "question_id": batch.ids,
                "question": batch.queries,
                "corpus_id": pa.array([CORPUS] * len(batch)),
                "pos_doc": _documents(batch.positives),
                "neg_doc": _documents(batch.negatives),
            }
        )
        while table.num_rows:
            name, part = f"{family}/{rows.split}-{number:05d}.json", table.slice(0, writer.shard_rows - inside)
            lines = json_lines(part).decode().rstrip("\n").replace("\n", ",\n")
            writer.text(name, (",\n" if inside else HEAD) + lines, part.num_rows)
            table = table.slice(part.num_rows)
            inside += part.num_rows
            if inside == writer.shard_rows:
                writer.text(name, "\n]}\n")
                inside, number = 0, number + 1
    if inside:
        writer.text(f"{family}/{rows.split}-{number:05d}.json", "\n]}\n")


def _documents(lists: pa.Array) -> pa.Array:
    ids = pa.StructArray.from_arrays([pc.cast(lists.values, pa.string())], ["id"])
    return pa.LargeListArray.from_arrays(lists.offsets, ids)


NEMOTRON = Exporter(
    title="questions and corpus for NeMo retriever training",
    reader="`make_retrieval_dataset` of NeMo Automodel takes the JSON files as `data_dir_list`.",
    columns={
        "question_id": "row id of the mix",
        "question": "text, with its instruction where the mix has some",
        "corpus_id": "`corpus`",
        "pos_doc": "list of `{id}`, the sample's own positive first",
        "neg_doc": "list of `{id}`, one at least",
        "id": "of the corpus: number of the document in the mix, as text",
        "text": "of the corpus: the document",
    },
    usage="""Each JSON file is `{"corpus": [{"path": …}], "data": […]}`; the path of the corpus starts at the
file's folder.
""",
    write=write,
)
