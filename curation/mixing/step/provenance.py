"""Merge the duplicates of a sample into it: provenance, other wordings, positives, given negatives, license."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from curation.mixing.licenses import strictest
from curation.mixing.step.inherited_negatives import GivenNegatives
from curation.mixing.step.select import PoolState
from open_ml_embed.core.array_types import I64
from open_ml_embed.core.store import Store
from sources.manifest import License

LISTS = pl.List(pl.String)
LARGE = pa.large_string()
"""Texts of a whole pool may exceed 2 GiB, the limit of 32-bit offsets."""


@dataclass(frozen=True)
class Positives:
    """Positives of the duplicates of n samples, distinct and different from the sample's own positive.

    Attributes:
        offsets: int64[n + 1].
        text: large_string[total].
        cluster: int64[total], document clusters.

    """

    offsets: I64
    text: pa.Array
    cluster: I64


@dataclass(frozen=True)
class Inherited:
    """Values that n samples inherit from their duplicates, without repetitions.

    Attributes:
        provenance: list<string>[n], `source/subset` of the sample and of its duplicates, its own first.
        license: string[n], the strictest license of those sources.
        queries: large_list<large_string>[n], other wordings of the query.
        positives: of near-duplicates; for labeled rows also of exact duplicates.
        negatives: given negatives of the duplicates.

    """

    provenance: pa.Array
    license: pa.Array
    queries: pa.Array
    positives: Positives
    negatives: GivenNegatives


def inherit(
    store: Store, pool: PoolState, rows: pa.Table, chosen: I64, license_of: Callable[[str], License]
) -> Inherited:
    """Collect the values that samples inherit from their duplicates.

    Args:
        store: of the build.
        pool: of the samples.
        rows: the samples' rows, n of them.
        chosen: int64[n], row numbers of the samples in the pool.
        license_of: returns the license of a source.

    """
    ordered = np.sort(chosen)
    merged = _frame(pool.read(store, "merges", ordered))[np.searchsorted(ordered, chosen)]
    texts = _frame(rows.select(["query", "positive"]))
    frame = texts.with_columns(merged["merged"]).with_row_index("sample")
    duplicates = (
        frame.filter(pl.col("merged").list.len() > 0)
        .explode("merged", empty_as_null=False)
        .unnest("merged", separator=".")
        .with_columns(origin=pl.concat_str("merged.source", "merged.subset", separator="/"))
    )
    name = f"{pool.source}/{pool.subset}"
    distinct_origins = duplicates.group_by("sample", maintain_order=True).agg(
        pl.col("origin").unique(maintain_order=True)
    )
    origins_of_sample = frame.select("sample").join(distinct_origins, on="sample", how="left", maintain_order="left")
    others = pl.col("origin").fill_null(pl.lit([], LISTS))
    origins = pl.concat_list(pl.lit([name], LISTS), others).list.unique(maintain_order=True)
    provenance = origins_of_sample.select(provenance=origins)["provenance"]
    n = len(chosen)
    queries = _distinct(duplicates, "query")
    positives = _distinct(duplicates, "positive", "document_cluster")
    given = (
        duplicates.select("sample", "merged.negatives")
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
        GivenNegatives(
            _offsets(given, n), _arrow(given["text"], LARGE), given["exact"].to_numpy(), given["cluster"].to_numpy()
        ),
    )


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame), "a table is a frame"
    return frame


def _distinct(duplicates: pl.DataFrame, column: str, *more: str) -> pl.DataFrame:
    """Return the distinct texts of a column that duplicates have and their sample does not have, by sample."""
    texts = duplicates.filter((pl.col(f"merged.{column}") != pl.col(column)).fill_null(value=False))
    columns = [pl.col(f"merged.{name}").alias(name) for name in (column, *more)]
    return texts.select("sample", *columns).unique(["sample", column], keep="first", maintain_order=True)


def _offsets(frame: pl.DataFrame, n: int) -> I64:
    """Return the offsets of each sample's lines, int64[n + 1]; the lines are sorted by sample."""
    return np.searchsorted(frame["sample"].to_numpy(), np.arange(n + 1)).astype(np.int64)


def _licenses(provenance: pl.Series, license_of: Callable[[str], License]) -> pa.Array:
    """Return the strictest license of every row, string[n]; each combination of sources is looked up once."""
    sources = provenance.list.eval(pl.element().str.split("/").list.first()).list.unique().list.sort().list.join(" ")
    license_of_sources = {
        joined: strictest(map(license_of, joined.split(" "))).id for joined in sources.unique().to_list()
    }
    return _arrow(sources.replace_strict(license_of_sources, return_dtype=pl.String), pa.string())


def _arrow(series: pl.Series, kind: pa.DataType) -> pa.Array:
    array = series.to_arrow().cast(kind)
    return pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
