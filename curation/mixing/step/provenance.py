"""What a sample inherits from the duplicates that were merged into it: provenance, wordings, negatives, license."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from curation.mixing.licenses import strictest
from curation.mixing.step.pool import MixPool
from open_ml_embed.core.array_types import I64, U64
from open_ml_embed.core.store import Store
from sources.manifest import License

LISTS = pl.List(pl.String)
LARGE = pa.large_string()
"""Texts of a block may exceed 2 GiB, the limit of 32-bit offsets."""


class InheritedTexts(NamedTuple):
    """Texts that the duplicates of n samples have; each text occurs once for each sample.

    Attributes:
        offsets: int64[n + 1].
        text: large_string[total], the texts of all samples.
        cluster: int64[total], document cluster of each text.

    """

    offsets: I64
    text: pa.Array
    cluster: I64


@dataclass(frozen=True)
class Inherited:
    """What a block of n samples inherits from its duplicates.

    Attributes:
        name: `source/subset` of the samples.
        rows: int64[n], row numbers of the samples in their pool, ascending.
        texts: the samples' own queries and positives.
        merged: the duplicates, a line for each, with the column `sample`, the index of the sample.

    """

    name: str
    rows: I64
    texts: pl.DataFrame
    merged: pl.DataFrame

    @cached_property
    def positives(self) -> InheritedTexts:
        """Positives that differ from the sample's own: of near-duplicates; for labeled rows of exact ones too."""
        found = self._distinct("positive", "document_cluster")
        clusters = found["document_cluster"].to_numpy()
        return InheritedTexts(self._offsets(found), _arrow(found["positive"], LARGE), clusters)

    @cached_property
    def negatives(self) -> tuple[InheritedTexts, U64]:
        """Given negatives of the duplicates, and the exact hash of each, uint64[total]."""
        given = (
            self.merged.select("sample", "merged.negatives")
            .explode("merged.negatives", empty_as_null=False)
            .drop_nulls("merged.negatives")
            .unnest("merged.negatives")
            .unique(["sample", "text"], keep="first", maintain_order=True)
        )
        texts = InheritedTexts(self._offsets(given), _arrow(given["text"], LARGE), given["cluster"].to_numpy())
        return texts, given["exact"].to_numpy()

    @cached_property
    def queries(self) -> pa.LargeListArray:
        """Other wordings of each query, large_list<large_string>[n]."""
        found = self._distinct("query")
        return pa.LargeListArray.from_arrays(pa.array(self._offsets(found)), _arrow(found["query"], LARGE))

    @cached_property
    def _origins(self) -> pl.Series:
        """`source/subset` of each sample and of its duplicates, its own first, without repetitions."""
        merged = self.merged.with_columns(origin=pl.concat_str("merged.source", "merged.subset", separator="/"))
        origins = merged.group_by("sample", maintain_order=True).agg(pl.col("origin").unique(maintain_order=True))
        frame = pl.DataFrame({"sample": np.arange(len(self.rows), dtype=np.uint32)})
        joined = frame.join(origins, on="sample", how="left", maintain_order="left")
        others = pl.col("origin").fill_null(pl.lit([], LISTS))
        all_origins = pl.concat_list(pl.lit([self.name], LISTS), others).list.unique(maintain_order=True)
        return joined.select(provenance=all_origins)["provenance"]

    @property
    def provenance(self) -> pa.Array:
        """The origins of each sample, list<string>[n]."""
        return _arrow(self._origins, pa.list_(pa.string()))

    def licenses(self, of: Mapping[str, License]) -> pa.Array:
        """Return the strictest license of each sample, string[n]; each combination of sources is looked up once.

        Args:
            of: source → its license.

        """
        sources = self._origins.list.eval(pl.element().str.split("/").list.first())
        joined = sources.list.unique().list.sort().list.join(" ")
        names = {each: strictest(of[source] for source in each.split(" ")).id for each in joined.unique().to_list()}
        return _arrow(joined.replace_strict(names, return_dtype=pl.String), pa.string())

    def _distinct(self, column: str, *more: str) -> pl.DataFrame:
        """Return the distinct texts of a column that duplicates have and their sample does not have, by sample."""
        own = self.texts.select(column).with_row_index("sample")
        merged = self.merged.join(own, on="sample", how="left", maintain_order="left")
        texts = merged.filter((pl.col(f"merged.{column}") != pl.col(column)).fill_null(value=False))
        columns = [pl.col(f"merged.{name}").alias(name) for name in (column, *more)]
        return texts.select("sample", *columns).unique(["sample", column], keep="first", maintain_order=True)

    def _offsets(self, frame: pl.DataFrame) -> I64:
        """Return the offsets of each sample's lines, int64[n + 1]; the lines are sorted by sample."""
        return np.searchsorted(frame["sample"].to_numpy(), np.arange(len(self.rows) + 1)).astype(np.int64)


def inherit(store: Store, pool: MixPool, rows: I64, texts: pa.Table) -> Inherited:
    """Read the duplicates of a block of samples.

    Args:
        store: of the build.
        pool: of the samples.
        rows: int64[n], row numbers of the samples in the pool, ascending.
        texts: their columns `query` and `positive`.

    """
    merged = _frame(pool.read(store, "merges", rows, ["merged"])).with_row_index("sample")
    lines = (
        merged.filter(pl.col("merged").list.len() > 0)
        .explode("merged", empty_as_null=False)
        .unnest("merged", separator=".")
    )
    return Inherited(f"{pool.source}/{pool.subset}", rows, _frame(texts.select(["query", "positive"])), lines)


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame), "a table is a frame"
    return frame


def _arrow(series: pl.Series, kind: pa.DataType) -> pa.Array:
    array = series.to_arrow().cast(kind)
    return pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
