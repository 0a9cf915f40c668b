"""Cross-pool positives: documents of other pools that answer a pool's queries, as pairs of clusters."""

from __future__ import annotations

import pyarrow as pa

from open_ml_embed.core.store import Store

ANSWERS = "answers"
"""Name of the operation that finds cross-pool positives, and the folder of its tables."""
ANSWER_SCHEMA = pa.schema(
    [
        pa.field("query_cluster", pa.int64(), nullable=False),
        pa.field("document_cluster", pa.int64(), nullable=False),
    ]
)
"""One line for each pair of clusters that a row of another pool links, ascending."""


def answers_of(store: Store, pool: str) -> pa.Table:
    """Return the cross-pool positives of one pool, with `ANSWER_SCHEMA`."""
    return store.read_table(f"{ANSWERS}/{pool}.answers.arrow")
