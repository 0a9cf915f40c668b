"""What a sample takes over from the duplicates it stands for: provenances, wordings, negatives, the license."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from curation.mixing.licenses import strictest
from curation.mixing.step.inherited_negatives import Offered
from curation.mixing.step.select import PoolState
from open_ml_embed.core.array_types import I64
from open_ml_embed.core.store import Store
from sources.manifest import License

LISTS = pl.List(pl.String)
LARGE = pa.large_string()
"""Texts of a whole pool may pass 2 GiB, which is more than 32-bit offsets reach."""


@dataclass(frozen=True)
class Positives:
    """Positives of the duplicates of n samples, none twice and none the sample's own.

    Attributes:
        offsets: int64[n + 1].
        text: large_string.
        cluster: int64, the document cluster of each.

    """

    offsets: I64
    text: pa.Array
    cluster: I64


@dataclass(frozen=True)
class Inherited:
    """What n samples take over from their duplicates, nothing twice; provenances begin with their own.

    Attributes:
        provenance: list<string>[n], `source/subset`.
        license: string[n], the strictest of those sources.
        queries: large_list<large_string>[n], other wordings of the query.
        positives: of near-duplicates, in class families of exact ones too.
        negatives: given to the duplicates by their sources.

    """

    provenance: pa.Array
    license: pa.Array
    queries: pa.Array
    positives: Positives
    negatives: Offered


def inherit(
    store: Store, pool: PoolState, own: pa.Table, chosen: I64, license_of: Callable[[str], License]
) -> Inherited:
    """Gather what the `chosen` rows of a pool take over; `own` is those rows."""
    ordered = np.sort(chosen)
    merged = _frame(pool.read(store, "merges", ordered))[np.searchsorted(ordered, chosen)]
    texts = _frame(own.select(["query", "positive"]))
    frame = texts.with_columns(merged["merged"]).with_row_index("sample")
    found = (
        frame.filter(pl.col("merged").list.len() > 0)
        .explode("merged", empty_as_null=False)
        .unnest("merged", separator=".")
        .with_columns(place=pl.concat_str("merged.source", "merged.subset", separator="/"))
    )
    name = f"{pool.source}/{pool.subset}"
    places = found.group_by("sample", maintain_order=True).agg(pl.col("place").unique(maintain_order=True))
    every = frame.select("sample").join(places, on="sample", how="left", maintain_order="left")
    others = pl.col("place").fill_null(pl.lit([], LISTS))
    joined = pl.concat_list(pl.lit([name], LISTS), others).list.unique(maintain_order=True)
    provenance = every.select(provenance=joined)["provenance"]
    n = len(chosen)
    queries = _distinct(found, "query")
    positives = _distinct(found, "positive", "document_cluster")
    given = (
        found.select("sample", "merged.negatives")
        .explode("merged.negatives", empty_as_null=False)
        .drop_nulls("merged.negatives")
        .unnest("merged.negatives")
        .unique(["sample", "text"], keep="first", maintain_order=True)
    )
    return Inherited(
        _arrow(provenance, pa.list_(pa.string())),
        _licenses(provenance, license_of),
        pa.LargeListArray.from_arrays(pa.array(_offsets(queries, n)), _arrow(queries["query"], LARGE)),
        Positives(
            _offsets(positives, n), _arrow(positives["positive"], LARGE), positives["document_cluster"].to_numpy()
        ),
        Offered(
            _offsets(given, n), _arrow(given["text"], LARGE), given["exact"].to_numpy(), given["cluster"].to_numpy()
        ),
    )


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame), "a table is a frame"
    return frame


def _distinct(found: pl.DataFrame, column: str, *more: str) -> pl.DataFrame:
    """Return the texts that duplicates have in a column and their sample has not, by sample, each once."""
    texts = found.filter((pl.col(f"merged.{column}") != pl.col(column)).fill_null(value=False))
    named = [pl.col(f"merged.{name}").alias(name) for name in (column, *more)]
    return texts.select("sample", *named).unique(["sample", column], keep="first", maintain_order=True)


def _offsets(frame: pl.DataFrame, n: int) -> I64:
    """Return where the lines of each sample begin; lines are in order of sample."""
    return np.searchsorted(frame["sample"].to_numpy(), np.arange(n + 1)).astype(np.int64)


def _licenses(provenance: pl.Series, license_of: Callable[[str], License]) -> pa.Array:
    """Return the strictest license of every row; rows of the same sources are looked up once."""
    sources = provenance.list.eval(pl.element().str.split("/").list.first()).list.unique().list.sort().list.join(" ")
    known = {joined: strictest(map(license_of, joined.split(" "))).id for joined in sources.unique().to_list()}
    return _arrow(sources.replace_strict(known, return_dtype=pl.String), pa.string())


def _arrow(series: pl.Series, kind: pa.DataType) -> pa.Array:
    array = series.to_arrow().cast(kind)
    return pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
