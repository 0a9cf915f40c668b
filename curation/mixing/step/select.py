"""Operation `mix/selected`: a verdict on every row of a pool, as far as it does not depend on other pools.

Twins and caps depend on the other pools of a mix; `curation.mixing.step.limits` adds them. Every row that is dropped
gets one reason, the first that applies in the order of `REASONS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from curation.build import Shard
from curation.mixing.files import SPLITS
from curation.mixing.step.filtering import STAYS, PoolFilter, kept_of
from curation.mixing.step.pool import MixPool
from curation.tables.pools import PoolRef
from open_ml_embed.core.array_types import F64, U8, U64, Mask
from open_ml_embed.core.row_keys import row_keys
from open_ml_embed.core.splitmix import GOLDEN
from open_ml_embed.core.store import Store, flat
from open_ml_embed.core.task import Outputs, Task
from open_ml_embed.core.text.tokens import mix_all

REASONS = (
    *SPLITS,
    "other-language",
    "exact-duplicate",
    "near-duplicate",
    "contaminated",
    "mix-filter",
    "no-negatives",
    "held-out-twin",
    "over-cap",
    "not-drawn",
)
"""`mix-filter`: the filters of the mix file leave it out; `curation.mixing.filters.FILTERS` has which. `over-cap`: its
source has more rows than its cap. `not-drawn`: of another part than the `samples` that the mix draws."""
(
    TRAIN, VALIDATION, OTHER_LANGUAGE, EXACT, NEAR, CONTAMINATED, MIX_FILTER, NO_NEGATIVES, TWIN, OVER_CAP, NOT_DRAWN
) = range(len(REASONS))  # fmt: skip
LEFT_OUT = "mix/contaminated"
"""Name of the operation that lists contaminated sample clusters (`curation.mixing.step.limits`)."""

SELECTION_SCHEMA = pa.schema(
    [
        pa.field("verdict", pa.uint8(), nullable=False),
        pa.field("rank", pa.uint64(), nullable=False),
        pa.field("filter", pa.uint8(), nullable=False),
    ]
)
"""Table `selection`, aligned with the rows of a pool: `verdict` is an index into `REASONS`, `rank` a random number; a
cap keeps the rows of lowest rank. `filter` is what `PoolFilter.codes` says."""


@dataclass(frozen=True)
class SelectRef:
    """Payload of `Select`.

    Attributes:
        pool: its rows.
        mined: its pool in step `mine`, whose documents its negatives are.
        chosen: which rows and documents the mix file takes.

    """

    pool: MixPool
    mined: PoolRef
    chosen: PoolFilter


class SelectSettings(BaseModel):
    """The settings of a mix that decide its selection."""

    seed: int
    validation: float


class Select:
    """Operation: give the rows of one pool their verdicts."""

    name: ClassVar[str] = "mix/selected"
    version: ClassVar[int] = 2

    def __init__(self, settings: SelectSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Judge one pool; `task.payload` is a `SelectRef`."""
        ref: SelectRef = task.payload
        pool = ref.pool
        (contaminated,) = flat(store, f"{LEFT_OUT}/{pool.mix}.clusters.arrow", "sample_cluster")
        shards = pool.shards
        clusters = pa.concat_tables(
            store.read_table(f"clusters/{s.path}.clusters.arrow", ["query_cluster", "sample_cluster", "reason"])
            for s in shards
        )
        rows = pa.concat_tables(store.read_table(f"rows/{s.path}.rows.arrow", ["row_id"]) for s in shards)
        mined = pa.concat_tables(store.read_table(f"negatives/{s.path}.negatives.arrow", ["negatives"]) for s in shards)
        verdict = np.full(rows.num_rows, TRAIN, np.uint8)
        fraction = _uniform(clusters["query_cluster"].to_numpy().astype(np.uint64), self.settings.seed)
        verdict[fraction < self.settings.validation] = VALIDATION
        starts, _ = kept_of(mined["negatives"], ref.chosen.documents(store, ref.mined))
        verdict[(np.diff(starts) == 0) & ~_merged_negatives(store, shards)] = NO_NEGATIVES
        filtered = ref.chosen.codes(store, pool)
        verdict[filtered != STAYS] = MIX_FILTER
        verdict[np.isin(clusters["sample_cluster"].to_numpy(), contaminated)] = CONTAMINATED
        reason = clusters["reason"]
        verdict[pc.fill_null(pc.equal(reason, "near-duplicate"), fill_value=False).to_numpy()] = NEAR
        verdict[pc.fill_null(pc.equal(reason, "exact-duplicate"), fill_value=False).to_numpy()] = EXACT
        if pool.judged:
            parts = [store.read_table(f"verdicts/{s.path}.verdicts.arrow", ["drop_reason"]) for s in shards]
            verdict[pc.is_valid(pa.concat_tables(parts)["drop_reason"]).to_numpy()] = OTHER_LANGUAGE
        rank = mix_all(row_keys(rows) ^ np.uint64(self.settings.seed))
        selection = pa.table([pa.array(verdict), pa.array(rank), pa.array(filtered)], schema=SELECTION_SCHEMA)
        out.table("selection", selection.to_batches(), SELECTION_SCHEMA, compressed=False)
        return {}


def selection_of(store: Store, pool: MixPool) -> tuple[U8, U64]:
    """Read the verdicts (uint8[rows], a copy) and the ranks (uint64[rows]) of a pool."""
    verdict, rank = flat(store, f"{Select.name}/{pool.path}.selection.arrow", "verdict", "rank")
    return verdict.copy(), rank


def filters_of(store: Store, pool: MixPool) -> U8:
    """Read which filter leaves out each row of a pool, uint8[rows]: see `PoolFilter.codes`."""
    (codes,) = flat(store, f"{Select.name}/{pool.path}.selection.arrow", "filter")
    return codes


def _merged_negatives(store: Store, shards: tuple[Shard, ...]) -> Mask:
    """Return a mask of the rows that have a merged duplicate with given negatives, bool[n]."""
    parts = []
    for shard in shards:
        merged = store.read_table(f"merges/{shard.path}.merges.arrow", ["merged"])["merged"]
        has_negatives = np.zeros(len(merged), bool)
        lengths = pc.list_value_length(pc.struct_field(pc.list_flatten(merged), "negatives"))
        has_negatives[pc.list_parent_indices(merged).filter(pc.greater(lengths, 0)).to_numpy()] = True
        parts.append(has_negatives)
    return np.concatenate(parts)


def _uniform(keys: U64, seed: int) -> F64:
    """Return a pseudorandom number in [0, 1) for each key, float64[n]. Rows with the same query get the same number."""
    hashes = mix_all(keys ^ np.uint64(GOLDEN * (seed + 1) % 2**64))
    return np.asarray((hashes >> np.uint64(11)).astype(np.float64) / 2**53)
