"""The `contamination` tables: which rows contain evaluation texts and therefore stay out of the mixes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curation.build import StepResult
from open_ml_embed.core.array_types import I64
from open_ml_embed.core.store import Store

CONTAMINATION = "contamination"
"""Name of the operation that compares rows with evaluation sets, and the folder of its row-aligned tables."""
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
"""Row-aligned with the rows shard. `contaminated`: the row stays out of the mixes. For each side: `overlap` is the kind
of overlap (`curation.decontamination.matching.REASONS`), `score` its strength from 0 to 1, `tasks` the evaluation tasks
(the first `curation.decontamination.step.rows.MOST_TASKS`), and `text` the most similar evaluation text, as
task/subset/role/id."""


def contaminated_clusters(store: Store, made: StepResult | None) -> I64:
    """Return the sample clusters that contain a contaminated row.

    A mix leaves the whole cluster out, because the kept row resembles the contaminated one and carries its positives.

    Args:
        store: the build's store.
        made: the result of step `decontaminate`, for any evaluation sets; None, or a result without shards, gives no
            clusters.

    Returns:
        int64, ascending and unique.

    """
    clusters_by_shard = [np.zeros(0, np.int64)]
    for shard in made.shards if made else ():
        table = store.read_table(f"{CONTAMINATION}/{shard.path}.contamination.arrow", ["contaminated"])
        contaminated = table["contaminated"].to_numpy()
        if contaminated.any():
            clusters = store.read_table(f"clusters/{shard.path}.clusters.arrow", ["sample_cluster"])
            clusters_by_shard.append(np.unique(clusters["sample_cluster"].to_numpy()[contaminated]))
    return np.unique(np.concatenate(clusters_by_shard))
