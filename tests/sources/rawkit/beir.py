"""The BEIR layouts: JSON lines for queries, corpus and judgements, and gzipped JSON lines of generated queries."""

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path


def collection(
    home: Path,
    queries: Mapping[str, str],
    corpus: Mapping[str, tuple[str, str]],
    judgements: Iterable[tuple[str, str, object]],
) -> None:
    """Write a collection whose train judgements these are; each other split judges the first query again.

    Args:
        home: folder of the repository.
        queries: id → text.
        corpus: id → title and text.
        judgements: (query id, document id, score as the file has it).

    """
    judged = [{"query-id": query, "corpus-id": document, "score": score} for query, document, score in judgements]
    _write(home / "queries.jsonl", [{"_id": key, "text": text} for key, text in queries.items()])
    _write(home / "corpus.jsonl", [{"_id": key, "title": t, "text": text} for key, (t, text) in corpus.items()])
    _write(home / "qrels/train.jsonl", judged)
    _write(home / "qrels/test.jsonl", [judged[0] | {"corpus-id": "held out"}])


def generated(home: Path, passages: Iterable[tuple[str, str, str, list[str]]]) -> None:
    """Write generated queries, a record for each query of each passage (id, title, text, queries)."""
    rows = [
        {"_id": key, "title": title, "text": text, "query": query}
        for key, title, text, queries in passages
        for query in queries
    ]
    home.mkdir(parents=True, exist_ok=True)
    (home / "train.jsonl.gz").write_bytes(gzip.compress(_lines(rows).encode(), mtime=0))


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_lines(rows), "utf-8")


def _lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
