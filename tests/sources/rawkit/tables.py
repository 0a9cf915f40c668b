"""Parquet files as the Hub has them, and the three tables of a retrieval set in MTEB's form."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def parquet(path: Path, rows: list[dict], *, row_group_size: int | None = None) -> None:
    """Write records; a column has the type of its first value that is not null, text where all are."""
    fields = []
    for name in rows[0]:
        known = [row[name] for row in rows if row[name] is not None]
        kind = _TYPES.get(type(known[0])) if known else pa.string()
        fields.append((name, kind or pa.array(known[:1]).type))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(fields)), path, row_group_size=row_group_size)


def triplets(home: Path, records: Iterable[tuple[str | None, str | None, str | None]]) -> None:
    """Write `triplet/train-*.parquet` as the sentence-transformers collections have it."""
    rows = [dict(zip(("anchor", "positive", "negative"), record, strict=True)) for record in records]
    parquet(home / "triplet/train-00000-of-00001.parquet", rows, row_group_size=5)


def retrieval(
    home: Path,
    prefix: str,
    *,
    queries: dict[str, str],
    corpus: dict[str, dict[str, str]],
    judged: Iterable[tuple[str, str, int]],
    id_name: str = "_id",
    shards: int = 1,
) -> None:
    """Write `<prefix>-queries`, `<prefix>-corpus` and `<prefix>-qrels`, the corpus in so many shards."""
    single = "train-00000-of-00001.parquet"
    parquet(home / f"{prefix}-queries" / single, [{id_name: key, "text": text} for key, text in queries.items()])
    parquet(
        home / f"{prefix}-qrels" / single,
        [dict(zip(("query-id", "corpus-id", "score"), judgement, strict=True)) for judgement in judged],
    )
    documents = [{id_name: key, **fields} for key, fields in corpus.items()]
    for shard in range(shards):
        name = f"train-{shard:05d}-of-{shards:05d}.parquet"
        parquet(home / f"{prefix}-corpus" / name, documents[shard::shards])
