"""BEIR: queries, corpus and judgements, to evaluate on samples that were held out."""

from __future__ import annotations

import pyarrow as pa

from curation.export.exporters import Exporter
from curation.export.rows import Rows
from curation.export.shards import Writer

QRELS, JUDGED = "qrels/test.tsv", "qrels.jsonl"
"""The judgements for BEIR's reader, and the same for MTEB's, which reads JSON lines where the corpus is such."""


def write(rows: Rows, writer: Writer) -> None:
    """Write the three parts; samples that ask the same are one query with several answers."""
    known: dict[str, str] = {}
    judged: set[tuple[str, int]] = set()
    writer.text(QRELS, "query-id\tcorpus-id\tscore\n")
    for family in rows.families:
        for batch in rows.batches(family):
            lines, new = [], []
            for row_id, query, positives in zip(
                *(column.to_pylist() for column in (batch.ids, batch.queries, batch.positives)), strict=True
            ):
                query_id = known.setdefault(query, row_id)
                if query_id == row_id:
                    new.append({"_id": row_id, "text": query})
                fresh = [number for number in dict.fromkeys(positives) if (query_id, number) not in judged]
                judged.update((query_id, number) for number in fresh)
                lines += [{"query-id": query_id, "corpus-id": str(number), "score": 1} for number in fresh]
            if new:
                writer.lines("queries.jsonl", pa.Table.from_pylist(new))
            writer.text(QRELS, "".join(f"{line['query-id']}\t{line['corpus-id']}\t1\n" for line in lines), len(lines))
            if lines:
                writer.lines(JUDGED, pa.Table.from_pylist(lines))
    for documents in rows.documents():
        ids = documents["document_id"].cast(pa.string())
        titles = pa.array([""] * len(ids))
        writer.lines("corpus.jsonl", pa.table({"_id": ids, "title": titles, "text": documents["text"]}))


BEIR = Exporter(
    title="held-out samples as a BEIR set",
    reader='`beir.datasets.data_loader.GenericDataLoader` loads the folder with `split="test"`, and so does '
    "`RetrievalDatasetLoader` of mteb, with the folder in the place of a repository.",
    columns={
        "_id": "of queries: row id of the mix; of the corpus: number of the document in the mix, as text",
        "text": "the query, with its instruction where the mix has some; the document",
        "title": "of the corpus: empty",
        "query-id, corpus-id, score": "of qrels/test.tsv and qrels.jsonl: which document answers which query; score 1",
    },
    usage="""The corpus is the positives and hard negatives of these samples. Queries with the same text are one query.
Only the loss family `retrieval` is here: of the others, more documents answer a query than the mix names.
""",
    write=write,
    split="validation",
    least=0,
    families=("retrieval",),
)
