"""What the pools of a mix decide together: contaminated clusters, documents held out for validation, caps, and how many
samples are drawn of each source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from curation.build import StepResult
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
        caps: source → most rows of it; sources without a cap are not in it.
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
    """The highest ranks of a source that a mix keeps; null: all, -1: none.

    Attributes:
        cap: that its cap keeps.
        drawn: that are drawn of those.

    """

    cap: int | None = None
    drawn: int | None = None


class Limits:
    """Operation: documents held out for validation, and the highest ranks that are kept of each source."""

    name: ClassVar[str] = "mix/limits"
    version: ClassVar[int] = 2
    settings: ClassVar[BaseModel] = NoSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Read the selections of all pools, one source at a time; `task.payload` is a `LimitsRef`.

        Returns:
            `ranks` and `drawn`: source → the highest rank that its cap keeps, and that is drawn of those, in decimal
            digits; without sources of which all rows are kept. Training and validation rows count alike.

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
        sources = sorted({pool.source for pool in ref.pools})
        ranks: dict[str, str] = {}
        sizes: dict[str, int] = {}
        for source in sources if ref.samples is not None else [name for name in sources if name in ref.caps]:
            left = _ranks_left(store, ref.pools, source, held_out)
            sizes[source] = len(left)
            cap = ref.caps.get(source)
            if cap is not None and len(left) > cap:
                ranks[source], sizes[source] = _highest(left, cap), cap
        drawn: dict[str, str] = {}
        if ref.samples is not None:
            quotas = quotas_of(sizes, ref.samples, ref.weights, ref.temperature).tolist()
            for (source, size), quota in zip(sizes.items(), quotas, strict=True):
                if quota < size:
                    drawn[source] = _highest(_ranks_left(store, ref.pools, source, held_out), quota)
        return {"ranks": ranks, "drawn": drawn}


def _ranks_left(store: Store, pools: Sequence[MixPool], source: str, held_out: I64) -> U64:
    """Return the ranks of the rows of a source that are left before its cap."""
    parts: list[U64] = [np.zeros(0, np.uint64)]
    for pool in pools:
        if pool.source == source:
            verdict, rank = selection_of(store, pool)
            _drop_twins(verdict, pool, store, held_out)
            parts.append(rank[verdict <= VALIDATION])
    return np.concatenate(parts)


def _highest(ranks: U64, kept: int) -> str:
    """Return the highest of the lowest `kept` ranks, in decimal digits; -1 if none is kept."""
    return str(int(np.partition(ranks, kept - 1)[kept - 1])) if kept else "-1"


def kept_ranks(store: Store, mix: str) -> dict[str, Ranks] | None:
    """Return source → the highest ranks that are kept of it, as `Limits` found them; null if its tables are gone.

    The caller has checked that the mix is current.
    """
    path, marker = f"{Limits.name}/{mix}.held.arrow", f"{Limits.name}/{mix}{MARKER}"
    content = store.files.read(marker)
    if content is None or store.sizes([path])[path] is None:
        return None
    return ranks_of(marker_of(content, marker).stats)


def ranks_of(stats: Mapping[str, Any]) -> dict[str, Ranks]:
    """Return source → the highest ranks that are kept of it, from what `Limits` returned."""
    caps, drawn = stats["ranks"], stats["drawn"]
    return {
        source: Ranks(*(None if source not in of else int(of[source]) for of in (caps, drawn)))
        for source in sorted({*caps, *drawn})
    }


def final_verdicts(store: Store, pool: MixPool, kept: Ranks) -> U8:
    """Return the verdicts on all rows of a pool, with twins, cap and draw: uint8[rows], indices into `REASONS`.

    Args:
        store: of the build.
        pool: its selection and the limits of its mix are made.
        kept: the highest ranks that are kept of its source.

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
