"""Select the rows of a mix. Every row that is dropped gets one reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.build import Shard
from curation.mixing.settings import MixSettings
from open_ml_embed.core.array_types import F64, I64, U8, U64, Mask
from open_ml_embed.core.row_keys import row_keys
from open_ml_embed.core.splitmix import GOLDEN
from open_ml_embed.core.store import Store
from open_ml_embed.core.text.tokens import mix_all

REASONS = (
    "train",
    "validation",
    "other-language",
    "exact-duplicate",
    "near-duplicate",
    "contaminated",
    "no-negatives",
    "held-out-twin",
    "over-cap",
)
TRAIN, VALIDATION, OTHER_LANGUAGE, EXACT, NEAR, CONTAMINATED, NO_NEGATIVES, TWIN, OVER_CAP = range(len(REASONS))


@dataclass
class PoolState:
    """The verdicts on the n rows of one pool, and the columns that they depend on.

    Attributes:
        source, subset: of the pool.
        shards: rows shards of the pool.
        verdict: uint8[n], index into `REASONS`.
        rank: uint64[n], random; rows with lower rank are kept first under a cap.
        document_cluster: int64[n], clusters of the positives.
        judged: whether language verdicts drop rows; false if the source's declared languages are trusted.

    """

    source: str
    subset: str
    shards: list[Shard]
    verdict: U8
    rank: U64
    document_cluster: I64
    judged: bool = False

    def read(self, store: Store, kind: str, rows: I64, columns: list[str] | None = None) -> pa.Table:
        """Read rows of the row-aligned tables of one kind.

        Args:
            store: of the build.
            kind: name of the tables: `rows`, `merges`, …
            rows: int64, ascending row numbers in the pool.
            columns: to read; null: all.

        """
        parts, first_row = [], 0
        for shard in self.shards:
            indices = rows[slice(*np.searchsorted(rows, [first_row, first_row + shard.rows]))] - first_row
            parts.append(store.read_rows(f"{kind}/{shard.path}.{kind}.arrow", indices, columns))
            first_row += shard.rows
        return pa.concat_tables(parts)


def judge_pool(
    store: Store,
    source: str,
    subset: str,
    shards: list[Shard],
    settings: MixSettings,
    *,
    contaminated: I64,
    judged: bool = False,
) -> PoolState:
    """Give the rows of one pool their verdicts, except for twins and caps, which depend on the other pools.

    If several reasons to drop a row apply, the first of them in `REASONS` counts.

    Args:
        store: of the build.
        source: of the pool.
        subset: of the pool.
        shards: rows shards of the pool.
        settings: of the mix.
        contaminated: int64, ascending sample clusters with a row that overlaps with an evaluation set.
        judged: whether language verdicts drop rows.

    """
    clusters = pa.concat_tables(store.read_table(f"clusters/{s.path}.clusters.arrow") for s in shards)
    rows = pa.concat_tables(store.read_table(f"rows/{s.path}.rows.arrow", ["row_id"]) for s in shards)
    mined = pa.concat_tables(store.read_table(f"negatives/{s.path}.negatives.arrow", ["negatives"]) for s in shards)
    verdict = np.full(rows.num_rows, TRAIN, np.uint8)
    fraction = _uniform(clusters["query_cluster"].to_numpy().astype(np.uint64), settings.seed)
    verdict[fraction < settings.validation] = VALIDATION
    negative_counts = pc.list_value_length(mined["negatives"]).to_numpy()
    verdict[(negative_counts == 0) & ~_merged_negatives(store, shards)] = NO_NEGATIVES
    verdict[np.isin(clusters["sample_cluster"].to_numpy(), contaminated)] = CONTAMINATED
    reason = clusters["reason"]
    verdict[pc.fill_null(pc.equal(reason, "near-duplicate"), fill_value=False).to_numpy()] = NEAR
    verdict[pc.fill_null(pc.equal(reason, "exact-duplicate"), fill_value=False).to_numpy()] = EXACT
    if judged:
        parts = [store.read_table(f"verdicts/{s.path}.verdicts.arrow", ["drop_reason"]) for s in shards]
        verdict[pc.is_valid(pa.concat_tables(parts)["drop_reason"]).to_numpy()] = OTHER_LANGUAGE
    rank = mix_all(row_keys(rows) ^ np.uint64(settings.seed))
    return PoolState(source, subset, shards, verdict, rank, clusters["document_cluster"].to_numpy(), judged)


def _merged_negatives(store: Store, shards: list[Shard]) -> Mask:
    """Return a mask of the rows that have a merged duplicate with given negatives, bool[n]."""
    merged = pa.concat_tables(store.read_table(f"merges/{s.path}.merges.arrow") for s in shards)["merged"]
    has_negatives = np.zeros(len(merged), bool)
    lengths = pc.list_value_length(pc.struct_field(pc.list_flatten(merged), "negatives"))
    has_negatives[pc.list_parent_indices(merged).filter(pc.greater(lengths, 0)).to_numpy()] = True
    return has_negatives


def _uniform(keys: U64, seed: int) -> F64:
    """Return a pseudorandom number in [0, 1) for each key, float64[n]. Rows with the same query get the same number."""
    hashes = mix_all(keys ^ np.uint64(GOLDEN * (seed + 1) % 2**64))
    return np.asarray((hashes >> np.uint64(11)).astype(np.float64) / 2**53)


def drop_twins(pools: list[PoolState]) -> None:
    """Drop training rows whose document, or a near-duplicate of it, is held out for validation."""
    held = [p.document_cluster[p.verdict == VALIDATION] for p in pools]
    held_out = np.unique(np.concatenate(held)) if held else np.zeros(0, np.int64)
    for pool in pools:
        twin = (pool.verdict == TRAIN) & np.isin(pool.document_cluster, held_out)
        pool.verdict[twin] = TWIN


def apply_cap(pools: list[PoolState], cap: int | None) -> None:
    """Keep the `cap` rows of lowest rank over all pools of one source, training and validation rows alike."""
    if cap is None:
        return
    ranks = np.concatenate([p.rank[p.verdict <= VALIDATION] for p in pools])
    if len(ranks) <= cap:
        return
    limit = np.partition(ranks, cap - 1)[cap - 1]
    for pool in pools:
        pool.verdict[(pool.verdict <= VALIDATION) & (pool.rank > limit)] = OVER_CAP


def funnel(pools: list[PoolState]) -> dict[str, Any]:
    """Count the verdicts over the pools of one source, by name."""
    counts = sum((np.bincount(p.verdict, minlength=len(REASONS)) for p in pools), np.zeros(len(REASONS), np.int64))
    return {name: int(count) for name, count in zip(REASONS, counts, strict=True)}
