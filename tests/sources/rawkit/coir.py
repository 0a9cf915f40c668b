"""The layout of CoIR's older repositories: queries and corpus in one, judgements by split in another.

The split repositories call the columns of a judgement `query_id` and `corpus_id`, the combined ones write dashes.
"""

from collections.abc import Sequence
from pathlib import Path

from tests.sources.rawkit.tables import parquet

Pair = tuple[str, str, str | None]
"""Query, document, and the language that CoIR names."""


def collection(
    folder: Path,
    name: str,
    pairs: Sequence[Pair],
    *,
    without: Sequence[int] = (),
    held_out: int = 2,
    dash: str = "_",
) -> None:
    """Write a collection; query `q7` belongs to document `d7`.

    Args:
        folder: what stands for all repositories.
        name: of the collection (`codefeedback-st`).
        pairs: the last `held_out` of them are the test split's.
        without: numbers of the documents that the corpus lacks.
        held_out: size of the test split.
        dash: what stands in the names of the judgements' columns.

    """
    last = len(pairs) - held_out
    queries, corpus, judged = [], [], []
    for number, (query, document, language) in enumerate(pairs):
        split = "train" if number < last else "test"
        rest = {"partition": split, "title": "", "language": language, "meta_information": {"resource": ""}}
        queries.append({"_id": f"q{number}", "text": query, **rest})
        corpus.append({"_id": f"d{number}", "text": document, **rest})
        judged.append({f"query{dash}id": f"q{number}", f"corpus{dash}id": f"d{number}", "score": 1})
    corpus = [document for number, document in enumerate(corpus) if number not in without]
    data = folder / "CoIR-Retrieval" / f"{name}-queries-corpus" / "data"
    parquet(data / "queries-00000-of-00001-55caf05ccc44940d.parquet", queries)
    # The corpus is in another order than the queries.
    parquet(data / "corpus-00000-of-00001-7b566cd7959a7669.parquet", corpus[::-1], row_group_size=4)
    qrels = folder / "CoIR-Retrieval" / f"{name}-qrels" / "data"
    parquet(qrels / "train-00000-of-00001-4c3776d140931a29.parquet", judged[:last])
    parquet(qrels / "test-00000-of-00001-5b7ed2d43708c995.parquet", judged[last:])
