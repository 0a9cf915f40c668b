"""Operation `dedup/components`: the connected components of the near-duplicate texts of one field.

The miner and the trainer mask by components, because two similar texts are never in different components.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from curation.dedup.joining import components
from curation.dedup.settings import DedupSettings
from curation.dedup.step.candidates import Pairs, folded
from curation.dedup.step.shards import Corpus
from curation.dedup.step.shingles import sets_of
from open_ml_embed.core.array_types import U32
from open_ml_embed.core.store import Store, flat
from open_ml_embed.core.task import Outputs, Task

COMPONENT_SCHEMA = pa.schema([pa.field(name, pa.uint32(), nullable=False) for name in ("rank", "component")])
"""Texts that occur in a candidate pair, by rank, and the lowest rank in each text's component."""


class Components:
    """Operation, one task for each field: connected components from candidate pairs."""

    name: ClassVar[str] = "dedup/components"
    version: ClassVar[int] = 1

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Find the components of one field; `task.payload` is a `Corpus`, the task's path the field."""
        corpus: Corpus = task.payload
        pairs = store.read_table(f"{Pairs.name}/{task.path}.pairs.arrow")["pair"].to_numpy()
        sets = sets_of(store, corpus, task.path)
        component, verified = components(pairs, sets, self.settings.threshold)
        table = pa.table([sets.ranks, component], schema=COMPONENT_SCHEMA)
        out.table("components", table.to_batches(), COMPONENT_SCHEMA, compressed=False)
        return {
            "candidate_pairs": len(pairs),
            "verified_pairs": verified,
            "near_duplicates": int((component != sets.ranks).sum()),
        }


def component_of(store: Store, field: str) -> U32:
    """Return, by rank, the lowest rank in the component of each text of a field, uint32."""
    leaders = folded(store, field)
    ranks, lowest = flat(store, f"{Components.name}/{field}.components.arrow", "rank", "component")
    component = np.arange(len(leaders), dtype=np.uint32)
    component[ranks] = lowest
    return component[leaders]
