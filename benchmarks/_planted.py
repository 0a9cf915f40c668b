"""Generates rows from real texts, with planted duplicates at known rates; a row is a function of its number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.splitmix import GOLDEN, mixed

SHARD = 500_000
SOURCES = 10
FRESH, EXACT, NEAR, ASKED = 0, 1, 2, 3
"""Kinds of rows: original rows; exact copies; near copies (a changed word in the positive); other queries about an
earlier positive."""


def pieces(folder: Path) -> tuple[pa.Array, pa.Array]:
    """Return (queries, pieces of 6 to 24 words) from the rows of the sample build."""
    import polars as pl

    files = sorted(folder.glob("*/*/*.rows.arrow"))
    if not files:
        raise SystemExit(f"no rows in {folder}: `python3 tasks.py demo` makes them")
    tables = [pa.ipc.open_file(pa.memory_map(str(f))).read_all().select(["query", "positive"]) for f in files]
    rows = pl.from_arrow(pa.concat_tables(tables)).filter(pl.col("positive").str.count_matches(" ") >= 6)
    cut = rows.select(pl.col("positive").str.replace_all(r"\s+", " ").str.extract_all(r"(?:\S+ ){5,23}\S+")).explode(
        "positive"
    )
    queries = rows.filter(pl.col("query").str.len_bytes() < 60)["query"].unique(maintain_order=True)
    texts = cut["positive"].drop_nulls().unique(maintain_order=True)
    return queries.to_arrow().cast(pa.string()), texts.filter(texts.str.len_bytes() < 160).to_arrow().cast(pa.string())


def mix(x: np.ndarray, salt: int) -> np.ndarray:
    """Hash row numbers (splitmix64)."""
    with np.errstate(over="ignore"):
        return mixed((x.astype(np.uint64) + np.uint64(salt)) * np.uint64(GOLDEN))


def kinds(rows: np.ndarray) -> np.ndarray:
    draw = mix(rows, 1) % np.uint64(100)
    kind = np.select([draw < 5, draw < 10, draw < 15], [EXACT, NEAR, ASKED], FRESH)
    kind[rows < 1000] = FRESH
    return kind


def originals(rows: np.ndarray) -> np.ndarray:
    """Return, for each of `rows`, the number of an earlier original row."""
    found = (mix(rows, 2) % np.maximum(rows, 1).astype(np.uint64)).astype(np.int64)
    while (kinds(found) != FRESH).any():
        found = np.where(kinds(found) != FRESH, found - 1, found)
    return found


def texts(rows: np.ndarray, queries: pa.Array, parts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return (queries, positives) of original rows."""

    def draw(salt: int, n: int) -> pa.Array:
        return pa.array((mix(rows, salt) % np.uint64(n)).astype(np.int64))

    query = pc.binary_join_element_wise(queries.take(draw(3, len(queries))), queries.take(draw(4, len(queries))), " ")
    positive = pc.binary_join_element_wise(parts.take(draw(5, len(parts))), parts.take(draw(6, len(parts))), " ")
    return query, positive


def row_texts(rows: np.ndarray, queries: pa.Array, parts: pa.Array) -> pa.Table:
    """Return `query`, `positive` and `label` of any rows."""
    kind = kinds(rows)
    query, positive = texts(np.where(kind == FRESH, rows, originals(rows)), queries, parts)
    own, _ = texts(rows, queries, parts)
    query = pc.if_else(pa.array(kind == ASKED), own, query)
    upper = pc.utf8_upper(positive)
    returns = pc.equal(pc.utf8_lower(upper), pc.utf8_lower(positive))  # ß and its like do not
    loud = pc.and_(pa.array((kind == EXACT) & (mix(rows, 7) % np.uint64(2) == 0)), returns)
    positive = pc.if_else(loud, pc.replace_substring(upper, " ", "  "), positive)
    long = pc.greater_equal(pc.count_substring(positive, " "), 35)
    middle = pc.replace_substring_regex(positive, r"^((?:\S+ ){16})\S+", r"\1changed")
    last = pc.replace_substring_regex(positive, r"\S+$", "changed")
    positive = pc.if_else(pa.array(kind == NEAR), pc.if_else(long, middle, last), positive)
    return pa.table({"query": query, "positive": positive, "label": pa.nulls(len(rows), pa.string())})


def shard_table(number: int, shard: int, queries: pa.Array, parts: pa.Array) -> pa.Table:
    """Return shard `number` as rows in the row schema: `shard` rows from `number * shard` on."""
    from sources.schema import ROW_SCHEMA

    rows = np.arange(number * shard, (number + 1) * shard)
    written = row_texts(rows, queries, parts)
    query, positive = written["query"].chunk(0), written["positive"].chunk(0)
    words = np.stack([mix(rows, 8).byteswap(), mix(rows, 9).byteswap()], 1)
    n, source = len(rows), source_of(number, shard)
    tag = pa.DictionaryArray.from_arrays(np.zeros(n, np.int8), pa.array(["eng-Latn"])).cast(pa.string())
    origin = pa.StructArray.from_arrays(
        [pa.array([""] * n), pa.array(rows)], fields=list(ROW_SCHEMA.field("origin").type)
    )
    return pa.table(
        [
            pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), n, [None, pa.py_buffer(np.ascontiguousarray(words))]),
            pa.array([source] * n),
            pa.array(["all"] * n),
            query,
            positive,
            pa.ListArray.from_arrays(pa.array(np.zeros(n + 1, np.int32)), pa.array([], pa.string())),
            pa.nulls(n, pa.string()),
            tag,
            tag,
            origin,
        ],
        schema=ROW_SCHEMA,
    )


def source_of(number: int, shard: int) -> str:
    return f"made_{number * shard // SHARD % SOURCES}"
