"""What the pools of a mix decide together: contaminated clusters, documents held out for validation, caps, and how many
samples are drawn of each source.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from curation.build import StepResult
from curation.mixing.capping import group_name
from curation.mixing.shares import quotas_of
from curation.mixing.step.pool import MixPool
from curation.mixing.step.select import LEFT_OUT, NOT_DRAWN, OVER_CAP, TRAIN, TWIN, VALIDATION, selection_of
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
        caps: name of a group of pools (`MixPool.group`) → most rows of it; groups without a cap are not in it.
        samples: to draw of all that the caps leave; null: all.
        weights: source → factor of its share of `samples`.
        temperature: of the shares; see `curation.mixing.shares.quotas_of`.

    """

    pools: tuple[MixPool, ...]
    caps: Mapping[str, int]
    samples: int | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    temperature: float | None = None


@dataclass(frozen=True)
class Ranks:
    """The highest ranks of a pool that a mix keeps; null: all, -1: none.

    Attributes:
        cap: that the cap of its group keeps.
        drawn: that are drawn of those of its source.

    """

    cap: int | None = None
    drawn: int | None = None


@dataclass(frozen=True)
class KeptRanks:
    """What `Limits` found.

    Attributes:
        caps: name of a group → the highest rank that its cap keeps.
        drawn: source → the highest rank that is drawn.

    """

    caps: Mapping[str, int]
    drawn: Mapping[str, int]

    @classmethod
    def of_stats(cls, stats: Mapping[str, Any]) -> KeptRanks:
        """Return them from what `Limits` returned."""
        return cls(*({name: int(rank) for name, rank in stats[of].items()} for of in ("ranks", "drawn")))

    def of(self, pool: MixPool) -> Ranks:
        """Return the highest ranks that are kept of a pool."""
        return Ranks(self.caps.get(group_name(pool.group)), self.drawn.get(pool.source))


class Limits:
    """Operation: documents held out for validation, and the highest ranks that are kept of each group and source."""

    name: ClassVar[str] = "mix/limits"
    version: ClassVar[int] = 3
    settings: ClassVar[BaseModel] = NoSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Read the selections of all pools, one group or source at a time; `task.payload` is a `LimitsRef`.

        Returns:
            `ranks`: name of a group → the highest rank that its cap keeps; `drawn`: source → the highest rank that is
            drawn of those; in decimal digits, without those of which all rows are kept. Training and validation rows
            count alike.

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
        groups: dict[str, list[MixPool]] = defaultdict(list)
        sources: dict[str, list[MixPool]] = defaultdict(list)
        for pool in ref.pools:
            groups[group_name(pool.group)].append(pool)
            sources[pool.source].append(pool)
        ranks: dict[str, int] = {}
        for name, pools in sorted(groups.items()):
            cap = ref.caps.get(name)
            if cap is not None:
                left = _ranks_left(store, pools, held_out, {})
                if len(left) > cap:
                    ranks[name] = _highest(left, cap)
        drawn: dict[str, int] = {}
        if ref.samples is not None:
            sizes = {source: len(_ranks_left(store, sources[source], held_out, ranks)) for source in sorted(sources)}
            quotas = quotas_of(sizes, ref.samples, ref.weights, ref.temperature).tolist()
            for (source, size), quota in zip(sizes.items(), quotas, strict=True):
                if quota < size:
                    drawn[source] = _highest(_ranks_left(store, sources[source], held_out, ranks), quota)
        return {name: {key: str(rank) for key, rank in of.items()} for name, of in (("ranks", ranks), ("drawn", drawn))}


def _ranks_left(store: Store, pools: Sequence[MixPool], held_out: I64, caps: Mapping[str, int]) -> U64:
    """Return the ranks of the rows of some pools that are left: before any cap, or after those that are given."""
    parts: list[U64] = [np.zeros(0, np.uint64)]
    for pool in pools:
        verdict, rank = selection_of(store, pool)
        _drop_twins(verdict, pool, store, held_out)
        left = rank[verdict <= VALIDATION]
        highest = caps.get(group_name(pool.group))
        parts.append(left if highest is None else left[left <= np.uint64(highest)])
    return np.concatenate(parts)


def _highest(ranks: U64, kept: int) -> int:
    """Return the highest of the lowest `kept` ranks; -1 if none is kept."""
    return int(np.partition(ranks, kept - 1)[kept - 1]) if kept else -1


def kept_ranks(store: Store, mix: str) -> KeptRanks | None:
    """Return the highest ranks that are kept, as `Limits` found them; null if its tables are gone.

    The caller has checked that the mix is current.
    """
    path, marker = f"{Limits.name}/{mix}.held.arrow", f"{Limits.name}/{mix}{MARKER}"
    content = store.files.read(marker)
    if content is None or store.sizes([path])[path] is None:
        return None
    return KeptRanks.of_stats(marker_of(content, marker).stats)


def final_verdicts(store: Store, pool: MixPool, kept: Ranks) -> U8:
    """Return the verdicts on all rows of a pool, with twins, cap and draw: uint8[rows], indices into `REASONS`.

    Args:
        store: of the build.
        pool: its selection and the limits of its mix are made.
        kept: the highest ranks that are kept of it.

    """
    verdict, rank = selection_of(store, pool)
    (held_out,) = flat(store, f"{Limits.name}/{pool.mix}.held.arrow", "document_cluster")
    _drop_twins(verdict, pool, store, held_out)
    for highest, reason in ((kept.cap, OVER_CAP), (kept.drawn, NOT_DRAWN)):
        if highest is not None:
            above = rank > np.uint64(highest) if highest >= 0 else np.ones(len(rank), np.bool_)
            verdict[(verdict <= VALIDATION) & above] = reason
    return verdict


def _drop_twins(verdict: U8, pool: MixPool, store: Store, held_out: I64) -> None:
    """Drop training rows whose document, or a near-duplicate of it, is held out for validation."""
    if pool.family == "retrieval" and len(held_out):
        clusters = pool.column(store, "clusters", "document_cluster")
        verdict[(verdict == TRAIN) & np.isin(clusters, held_out)] = TWIN
