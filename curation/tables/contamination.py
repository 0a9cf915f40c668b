"""Which rows stay out of the mixes because an evaluation set has them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curation.build import StepResult
from open_ml_embed.core.array_types import I64
from open_ml_embed.core.store import Store

CONTAMINATION = "contamination"
"""The operation that holds rows against evaluation sets, and the folder of its tables, which are row-aligned."""
SIDES = {"query": "query", "document": "positive"}
"""Side of a row → its column."""
CONTAMINATION_SCHEMA = pa.schema(
    [
        pa.field("contaminated", pa.bool_(), nullable=False),
        *(
            pa.field(f"{side}_{name}", kind, nullable=name != "tasks")
            for side in SIDES
            for name, kind in (
                ("overlap", pa.string()),
                ("score", pa.float32()),
                ("tasks", pa.list_(pa.string())),
                ("text", pa.string()),
            )
        ),
    ]
)
"""Row-aligned with the rows shard. `contaminated` is whether it stays out of the mixes; of each side: how it overlaps
(`matching.REASONS`), how much, with which tasks (the first `MOST_TASKS`), and the evaluation text that it is most
like, as task/subset/role/id."""


def contaminated_clusters(store: Store, made: StepResult | None) -> I64:
    """Return the sample clusters with a contaminated row, int64, ascending.

    The whole cluster goes: the row that was kept of it resembles the contaminated one, and carries its positives.

    Args:
        store: of the build.
        made: what step `decontaminate` found, whatever sets it was run on; null or without shards: nothing.

    """
    found = [np.zeros(0, np.int64)]
    for shard in made.shards if made else ():
        table = store.read_table(f"{CONTAMINATION}/{shard.path}.contamination.arrow", ["contaminated"])
        chosen = table["contaminated"].to_numpy()
        if chosen.any():
            clusters = store.read_table(f"clusters/{shard.path}.clusters.arrow", ["sample_cluster"])
            found.append(np.unique(clusters["sample_cluster"].to_numpy()[chosen]))
    return np.unique(np.concatenate(found))
