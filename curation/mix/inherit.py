"""What a sample takes over from the duplicates it stands for: provenances, positives, negatives, the licence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curation.mix.licences import strictest
from curation.mix.select import PoolState
from curation.store import Store
from sources import registry

LISTS = pl.List(pl.String)
TEXTS = pa.large_list(pa.large_string())
"""Of a whole pool: more than 32-bit offsets may reach."""


@dataclass(frozen=True)
class Inherited:
    """What n samples take over from their duplicates, nothing twice; provenances begin with their own.

    Attributes:
        provenance: list<string>[n], `source/subset`.
        licence: string[n], the strictest of those sources.
        positives: large_list<large_string>[n], of near-duplicates, in class families of exact ones too; not its own.
        negatives: large_list<large_string>[n], given to the duplicates by their sources.

    """

    provenance: pa.Array
    licence: pa.Array
    positives: pa.Array
    negatives: pa.Array


def inherit(store: Store, pool: PoolState, own: pa.Table, chosen: np.ndarray[Any, Any]) -> Inherited:
    """Gather what the `chosen` rows of a pool take over; `own` is those rows."""
    ordered = np.sort(chosen)
    merged: Any = pl.from_arrow(pool.read(store, "merges", ordered))
    merged = merged[np.searchsorted(ordered, chosen)]
    rows: Any = pl.from_arrow(own.select(["positive"]))
    name = f"{pool.source}/{pool.subset}"
    frame = rows.with_columns(merged["merged"]).with_row_index()
    found = (
        frame.filter(pl.col("merged").list.len() > 0)
        .explode("merged", empty_as_null=False)
        .unnest("merged", separator=".")
        .with_columns(
            place=pl.concat_str("merged.source", "merged.subset", separator="/"),
            other=pl.when(pl.col("merged.positive") != pl.col("positive")).then("merged.positive"),
        )
        .group_by("index", maintain_order=True)
        .agg(
            pl.col("place").unique(maintain_order=True),
            pl.col("other").drop_nulls().unique(maintain_order=True),
            pl.col("merged.negatives").explode(empty_as_null=False).drop_nulls(),
        )
    )
    joined = frame.join(found, on="index", how="left", maintain_order="left")
    none = pl.lit([], LISTS)
    result = joined.select(
        provenance=pl.concat_list(pl.lit([name], LISTS), pl.col("place").fill_null(none)).list.unique(
            maintain_order=True
        ),
        positives=pl.col("other").fill_null(none),
        negatives=pl.col("merged.negatives").fill_null(none).list.unique(maintain_order=True),
    )
    return Inherited(
        _arrow(result["provenance"], pa.list_(pa.string())),
        _licences(result["provenance"]),
        _arrow(result["positives"], TEXTS),
        _arrow(result["negatives"], TEXTS),
    )


def _licences(provenance: pl.Series) -> pa.Array:
    """Return the strictest licence of every row; rows of the same sources are looked up once."""
    sources = provenance.list.eval(pl.element().str.split("/").list.first()).list.unique().list.sort().list.join(" ")
    known = {
        joined: strictest(registry.load(source).licence for source in joined.split(" ")).id
        for joined in sources.unique().to_list()
    }
    return _arrow(sources.replace_strict(known, return_dtype=pl.String), pa.string())


def _arrow(series: pl.Series, kind: pa.DataType) -> pa.Array:
    array = series.to_arrow().cast(kind)
    return pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
