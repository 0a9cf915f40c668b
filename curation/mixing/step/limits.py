"""What the pools of a mix decide together: contaminated clusters, documents held out for validation, and caps."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from curation.build import StepResult
from curation.mixing.capping import group_name
from curation.mixing.step.pool import MixPool
from curation.mixing.step.select import LEFT_OUT, OVER_CAP, TRAIN, TWIN, VALIDATION, selection_of
from curation.tables.contamination import contaminated_clusters
from open_ml_embed.core.array_types import I64, U8, U64
from open_ml_embed.core.store import MARKER, Store, flat, marker_of
from open_ml_embed.core.task import NoSettings, Outputs, Task

_CLUSTER = pa.schema([pa.field("sample_cluster", pa.int64(), nullable=False)])
_HELD = pa.schema([pa.field("document_cluster", pa.int64(), nullable=False)])


class Contaminated:
    """Operation: list the sample clusters of which a row is contaminated, ascending."""

    name: ClassVar[str] = LEFT_OUT
    version: ClassVar[int] = 1
    settings: ClassVar[BaseModel] = NoSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """List the clusters; `task.payload` is the result of step `decontaminate`, or null."""
        made: StepResult | None = task.payload
        table = pa.table([pa.array(contaminated_clusters(store, made))], schema=_CLUSTER)
        out.table("clusters", table.to_batches(), _CLUSTER, compressed=False)
        return {}


@dataclass(frozen=True)
class LimitsRef:
    """Payload of `Limits`.

    Attributes:
        pools: all pools of the mix.
        cap: most rows of each group of pools (`MixPool.group`), times its files; null: no limit.

    """

    pools: tuple[MixPool, ...]
    cap: int | None


class Limits:
    """Operation: the documents held out for validation, and the highest rank that the cap of each group keeps."""

    name: ClassVar[str] = "mix/limits"
    version: ClassVar[int] = 1
    settings: ClassVar[BaseModel] = NoSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Read the selections of all pools, one group at a time; `task.payload` is a `LimitsRef`.

        Returns:
            `ranks`: group → the highest rank that its cap keeps, in decimal digits; without groups that have no more
            rows than the cap. Training and validation rows count alike.

        """
        ref: LimitsRef = task.payload
        held = [np.zeros(0, np.int64)]
        for pool in ref.pools:
            if pool.family == "retrieval":
                verdict, _ = selection_of(store, pool)
                held.append(pool.column(store, "clusters", "document_cluster")[verdict == VALIDATION])
        held_out = np.unique(np.concatenate(held))
        table = pa.table([pa.array(held_out)], schema=_HELD)
        out.table("held", table.to_batches(), _HELD, compressed=False)
        ranks: dict[str, str] = {}
        if ref.cap is not None:
            by_group: dict[tuple[str, ...], list[U64]] = defaultdict(list)
            for pool in ref.pools:
                verdict, rank = selection_of(store, pool)
                _drop_twins(verdict, pool, store, held_out)
                by_group[pool.group].append(rank[verdict <= VALIDATION])
            for group, parts in by_group.items():
                left, cap = np.concatenate(parts), ref.cap * len(group)
                if len(left) > cap:
                    ranks[group_name(group)] = str(int(np.partition(left, cap - 1)[cap - 1]))
        return {"ranks": ranks}


def kept_ranks(store: Store, mix: str) -> dict[str, int] | None:
    """Return group → the highest rank that its cap keeps, as `Limits` found it; null if its tables are gone.

    The caller has checked that the mix is current.
    """
    path, marker = f"{Limits.name}/{mix}.held.arrow", f"{Limits.name}/{mix}{MARKER}"
    content = store.files.read(marker)
    if content is None or store.sizes([path])[path] is None:
        return None
    return {group: int(rank) for group, rank in marker_of(content, marker).stats["ranks"].items()}


def final_verdicts(store: Store, pool: MixPool, highest_rank: int | None) -> U8:
    """Return the verdicts on all rows of a pool, with twins and the cap: uint8[rows], indices into `REASONS`.

    Args:
        store: of the build.
        pool: its selection and the limits of its mix are made.
        highest_rank: that the cap of its group keeps; null: all.

    """
    verdict, rank = selection_of(store, pool)
    (held_out,) = flat(store, f"{Limits.name}/{pool.mix}.held.arrow", "document_cluster")
    _drop_twins(verdict, pool, store, held_out)
    if highest_rank is not None:
        verdict[(verdict <= VALIDATION) & (rank > np.uint64(highest_rank))] = OVER_CAP
    return verdict


def _drop_twins(verdict: U8, pool: MixPool, store: Store, held_out: I64) -> None:
    """Drop training rows whose document, or a near-duplicate of it, is held out for validation."""
    if pool.family == "retrieval" and len(held_out):
        clusters = pool.column(store, "clusters", "document_cluster")
        verdict[(verdict == TRAIN) & np.isin(clusters, held_out)] = TWIN
